"""Related records written together with their parent, in its transaction (database-api 11.3, D30)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trunkline.errors import BadRequest
from trunkline_database import related, types
from trunkline_database.filters import And, Node
from trunkline_database.model import Column, Relation, Table
from trunkline_database.params import Query
from trunkline_database.plan import Select, Target
from trunkline_database.record import Prepared, prepare
from trunkline_database.resolve import equals, every
from trunkline_database.store import Row, Rows
from trunkline_database.writer import Writer

_MOST_CHILDREN = 10_000
_Entry = Mapping[str, Any]


class Nest:
    """Writes records with what is nested in them, through one transaction."""

    def __init__(self, rows: Rows, depth: int = 1) -> None:
        """Write through a transaction; ``depth`` says how many records this one is nested in."""
        if depth > related.MAX_DEPTH:
            raise BadRequest(f"Related records can be nested {related.MAX_DEPTH} levels deep at most.")
        self._rows = rows
        self._depth = depth

    async def create(self, target: Target, prepared: Prepared) -> Row:
        """Insert a record: its parents first, then itself, then its children."""
        await self._parents(target, prepared)
        (made,) = await Writer(target, self._rows).insert([prepared], _links(target.table, prepared))
        await self._children(target, prepared, made)
        return made

    async def change(self, target: Target, key: tuple[Any, ...], prepared: Prepared) -> int:
        """Change a record by its key, with what is nested in it; answers how many rows that were."""
        where = every(target.identity, key)
        writer = Writer(target, self._rows)
        change = writer.replace if prepared.is_whole else writer.change
        if prepared.is_whole:
            by_name = dict(zip((column.name for column in target.identity), key, strict=True))
            prepared.values |= {name: by_name[name] for name in by_name.keys() - _names(target.table.primary_key)}
        if not prepared.nested:
            return await change(where, prepared.values)
        # Whether the record is there must be known before its parents are touched.
        plan = Select(target.table, _links(target.table, prepared), target.narrowed(where), limit=1, lock=True)
        found = await self._rows.select(plan)
        if not found:
            return 0
        await self._parents(target, prepared)
        if prepared.values or prepared.is_whole:
            await change(where, prepared.values)
        given = {target.table.by_real_name[name].key: value for name, value in prepared.values.items()}
        await self._children(target, prepared, found[0] | given)
        return 1

    async def _parents(self, target: Target, prepared: Prepared) -> None:
        for relation, entry in prepared.nested.items():
            if relation.type == "belongs_to" and entry is not None:
                table = await self._table(target, relation)
                row = await self._saved(target, table, _object(relation, entry))
                prepared.values[relation.field] = row[related.column_of(table, relation.ref_field).key]

    async def _children(self, target: Target, prepared: Prepared, parent: Row) -> None:
        for relation, entry in prepared.nested.items():
            # A null is what a read answers for "none", so sent back it says nothing.
            if relation.type == "belongs_to" or entry is None:
                continue
            entries = [entry] if relation.type == "has_one" else entry
            if not isinstance(entries, list) or len(entries) > _MOST_CHILDREN:
                raise BadRequest(f"The relationship '{relation.key}' takes a list of at most {_MOST_CHILDREN} records.")
            value = parent[related.column_of(target.table, relation.field).key]
            save = self._linked if relation.type == "many_many" else self._child
            for one in entries:
                await save(target, relation, _object(relation, one), value)

    async def _child(self, target: Target, relation: Relation, entry: _Entry, parent: Any) -> None:
        """Create, change or re-parent a child; one whose reference is sent as null is let go."""
        table = await self._table(target, relation)
        ref = related.column_of(table, relation.ref_field)
        key = _key(table, entry)
        if key is not None and _says_null(entry, {ref.key.lower()}):
            await self._release(target, table, ref, And((every(table.primary_key, key), equals(ref, parent))))
            return
        rest = {name: value for name, value in entry.items() if str(name).lower() != ref.key.lower()}
        await self._saved(target, table, rest | {ref.key: parent})

    async def _release(self, target: Target, table: Table, ref: Column, mine: Node) -> None:
        if ref.allow_null:
            await Writer(await self._other(target, table, "PATCH"), self._rows).change(mine, {ref.name: None})
        elif target.query.allow_related_delete:
            await Writer(await self._other(target, table, "DELETE"), self._rows).remove(mine)
        else:
            raise BadRequest(f"Failed to update many to one assignment.\nField '{ref.key}' can not be NULL.")

    async def _linked(self, target: Target, relation: Relation, entry: _Entry, parent: Any) -> None:
        """Link a record of the other side, created or changed on the way; or unlink it, with a dotted null (D30)."""
        names = (target.table.name, target.table.key)
        dotted = {f"{name}.{relation.field}".lower() for name in names}
        dotted.add(f"{relation.junction_table}.{relation.junction_field}".lower())
        unlinks = _says_null(entry, dotted)
        rest = {name: value for name, value in entry.items() if str(name).lower() not in dotted}
        table = await self._table(target, relation)
        row = await self._saved(target, table, rest, must_exist=unlinks)
        junction_table = await target.service.catalogue.table(relation.junction_table or "")
        here = related.column_of(junction_table, relation.junction_field)
        there = related.column_of(junction_table, relation.junction_ref_field)
        other_side = row[related.column_of(table, relation.ref_field).key]
        junction = await self._other(target, junction_table, "DELETE" if unlinks else "POST")
        link = And((equals(here, parent), equals(there, other_side)))
        writer = Writer(junction, self._rows)
        if unlinks:
            await writer.remove(link)
        elif not await self._rows.count(Select(junction_table, (), link)):
            await writer.insert([prepare(junction, {here.key: parent, there.key: other_side}, creating=True)])

    async def _saved(self, target: Target, table: Table, entry: _Entry, *, must_exist: bool = False) -> Row:
        """Change the record with the entry's key, or create it where there is none; answers it as it is stored."""
        below = Nest(self._rows, self._depth + 1)
        key = _key(table, entry)
        if key is not None and await self._rows.count(Select(table, (), every(table.primary_key, key))):
            names = {column.key.lower() for column in table.primary_key}
            only_points = all(str(name).lower() in names for name in entry)
            other = await self._other(target, table, "GET" if only_points else "PATCH")
            prepared = prepare(other, entry, creating=False)
            for column in table.primary_key:
                prepared.values.pop(column.name, None)
            if not await below.change(other, key, prepared):
                # It is there, but hidden from this caller.
                raise BadRequest(f"A related record of '{table.name}' was not found.")
        elif must_exist:
            raise BadRequest(f"A related record of '{table.name}' was not found.")
        else:
            other = await self._other(target, table, "POST")
            made = await below.create(other, prepare(other, entry, creating=True))
            key = tuple(made[column.key] for column in table.primary_key)
        if not table.primary_key:
            return made
        (row,) = await self._rows.select(Select(table, table.stored, every(table.primary_key, key), limit=1))
        return row

    async def _table(self, target: Target, relation: Relation) -> Table:
        own = target.service.record.id
        if relation.ref_service_id != own or relation.junction_service_id not in (None, own):
            raise BadRequest("Records of another service can not be written together with these.")
        return await target.service.catalogue.table(relation.ref_table)

    async def _other(self, target: Target, table: Table, verb: str) -> Target:
        """Answer another table for writing; raises Forbidden where the caller may not."""
        return await related.related_target(target, target.service, table.name, Query(), verb)


def _names(columns: tuple[Column, ...]) -> set[str]:
    return {column.name for column in columns}


def _links(table: Table, prepared: Prepared) -> tuple[Column, ...]:
    """List the columns that lead to nested records, and never nothing."""
    found = dict.fromkeys(related.column_of(table, relation.field) for relation in prepared.nested)
    return tuple(found) or table.primary_key


def _key(table: Table, entry: _Entry) -> tuple[Any, ...] | None:
    """Answer the typed key in an entry, or None when it has none, which makes it a new one."""
    lowered = {str(name).lower(): value for name, value in entry.items()}
    parts = [lowered.get(column.key.lower()) for column in table.primary_key]
    if not parts or any(part is None for part in parts):
        return None
    return tuple(types.incoming(column, part) for column, part in zip(table.primary_key, parts, strict=True))


def _says_null(entry: _Entry, names: set[str]) -> bool:
    return any(value is None for name, value in entry.items() if str(name).lower() in names)


def _object(relation: Relation, entry: Any) -> _Entry:
    if not isinstance(entry, Mapping):
        raise BadRequest(f"The relationship '{relation.key}' takes objects.")
    return entry
