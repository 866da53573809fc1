"""Reading related records: one statement for each relation, whatever the number of parents (database-api 11.2, D30)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trunkline.errors import BadRequest
from trunkline_database import filters, types
from trunkline_database.filters import Comparison, Literal
from trunkline_database.model import Column, Relation, Table, has
from trunkline_database.params import Query
from trunkline_database.plan import PARENT, Select, Target, Via, is_aggregate
from trunkline_database.store import Row, Store

if TYPE_CHECKING:
    from trunkline_database.service import DatabaseService

MAX_DEPTH = 10
# What nobody asked for goes less deep: tables that always fetch each other would fill any reply (database-api 22.5).
_ALWAYS_DEPTH = 3


@dataclass
class Wanted:
    """A relation to be read: from a column of the parent to a table as the caller may see it, and what is below."""

    relation: Relation
    link: Column
    other: Target
    ref: Column
    columns: tuple[Column, ...]
    below: list[Wanted]
    junction: Target | None = None

    @property
    def sought(self) -> Column:
        """The column in which the parents' keys are looked for."""
        if self.junction is None:
            return self.ref
        return column_of(self.junction.table, self.relation.junction_field)

    @property
    def key(self) -> str:
        """The name of the relation in replies."""
        return self.relation.key


async def wanted(target: Target, depth: int = 1, path: tuple[Relation, ...] = ()) -> list[Wanted]:
    """Resolve what is asked in ``related`` and what is always fetched, all levels of it, before anything is read.

    Raises BadRequest for unknown names and too many levels, Forbidden where the caller may not read the other table.
    """
    asked = target.query.related
    if not asked and not target.table.always:
        return []
    if asked and depth > MAX_DEPTH:
        raise BadRequest(f"Related records can be nested {MAX_DEPTH} levels deep at most.")
    relations = target.table.relations if asked == ("*",) else [target.relation(name) for name in asked]
    found = [await _resolved(target, relation, depth, path) for relation in dict.fromkeys(relations)]
    for relation in target.table.always if depth <= _ALWAYS_DEPTH else ():
        # A relation is not followed again below itself; nor where it would refuse what was asked for.
        if relation not in relations and relation not in path and await _may_read(target, relation):
            found.append(await _resolved(target, relation, depth, path))
    return found


async def _may_read(target: Target, relation: Relation) -> bool:
    service = await service_of(target, relation.ref_service_id)
    name = (await service.catalogue.extras()).record_name(relation.ref_table)
    return target.call.caller.may("GET", service.record, f"_table/{name.lower()}")


def is_due(target: Target, plan: Select) -> bool:
    """Say whether a read by filter has related records: those asked for, or those that plain records always bring."""
    return bool(target.query.related or (target.table.always and not is_grouped(plan)))


def with_links(columns: tuple[Column, ...], relations: Sequence[Wanted]) -> tuple[Column, ...]:
    """Append the columns that lead to related records, which are part of the output (database-api 4.2)."""
    return tuple(dict.fromkeys((*columns, *(one.link for one in relations)))) if relations else columns


def linked(plan: Select, relations: Sequence[Wanted]) -> Select:
    """Append those columns to a plan; raises BadRequest for grouped rows, which are no records."""
    if is_grouped(plan):
        raise BadRequest("Related records are not possible in a grouped request.")
    columns = tuple(one for one in plan.fields if isinstance(one, Column))
    return replace(plan, fields=with_links(columns, relations))


def is_grouped(plan: Select) -> bool:
    """Say whether rows are about many records."""
    return bool(plan.group) or any(is_aggregate(one) for one in plan.fields)


async def attach(store: Store, rows: Sequence[Row], relations: Sequence[Wanted]) -> None:
    """Read the related records of all rows and put them in."""
    for one in relations:
        # Parents may share one row object, so a relation must not be read twice into it.
        parents: dict[Any, list[Row]] = {}
        for row in rows:
            row[one.key] = None if one.relation.is_single else []
            value = row[one.link.key]
            if value is not None and not isinstance(value, list | dict):
                parents.setdefault(value, []).append(row)
        if parents:
            await _attach_one(store, parents, one)


async def _attach_one(store: Store, parents: dict[Any, list[Row]], one: Wanted) -> None:
    keys = list(parents)
    same: Callable[[Any], Any] = _itself
    if one.relation.is_virtual:
        # Nobody made sure that both sides have one type, as a foreign key does.
        same = _comparer(one.sought)
        keys = _typed(one.sought, keys)
    if one.sought.is_loose:
        same = types.folded
    fetched = await _fetch(one, keys)
    if one.below:
        await attach(one.other.service.store, [child for _, child in fetched], one.below)
    hidden = not has(with_links(one.columns, one.below), one.ref)
    children: dict[Any, list[Row]] = {}
    for parent, child in fetched:
        children.setdefault(same(parent), []).append(child)
        if hidden:
            child.pop(one.ref.key, None)
    one.other.seen(child for _, child in fetched)
    for key, rows in parents.items():
        found = children.get(same(key), [])
        for row in rows:
            row[one.key] = (found[0] if found else None) if one.relation.is_single else found


async def _fetch(one: Wanted, keys: list[Any]) -> list[tuple[Any, Row]]:
    """Read the related records of all keys, each with the key that it belongs to."""
    if one.junction is not None and one.junction.service is not one.other.service:
        return await _fetch_apart(one, one.junction, keys)
    store = one.other.service.store
    fetched: list[tuple[Any, Row]] = []
    for start in range(0, len(keys), store.most_keys):
        for row in await _select(one, keys[start : start + store.most_keys]):
            parent = row.pop(PARENT) if one.junction is not None else row[one.ref.key]
            fetched.append((parent, row))
    return fetched


async def _fetch_apart(one: Wanted, junction: Target, keys: list[Any]) -> list[tuple[Any, Row]]:
    """Read through a junction in another database: its rows first, then the records that they lead to."""
    other, most = one.other, one.other.service.app.settings.max_records
    there = column_of(junction.table, one.relation.junction_ref_field)
    links: list[tuple[Any, Any]] = []
    size = min(junction.service.store.most_keys, other.service.store.most_keys)
    for start in range(0, len(keys), size):
        where = filters.all_of(junction.rows, _among(one.sought, keys[start : start + size]))
        rows = await junction.service.store.select(Select(junction.table, (one.sought, there), where, limit=most))
        links += [(row[one.sought.key], row[there.key]) for row in rows if row[there.key] is not None]
    same = _comparer(one.ref)
    parents: dict[str, list[Any]] = {}
    for parent, key in links:
        parents.setdefault(same(key), []).append(parent)
    found: dict[Any, list[Row]] = {}
    fields = tuple(dict.fromkeys((*with_links(one.columns, one.below), one.ref)))
    wanted_keys = _typed(one.ref, list(dict.fromkeys(key for _, key in links)))
    for start in range(0, len(wanted_keys), size):
        where = filters.all_of(other.where(), _among(one.ref, wanted_keys[start : start + size]))
        for row in await other.service.store.select(Select(other.table, fields, where, other.order())):
            for parent in parents.get(same(row[one.ref.key]), ()):
                found.setdefault(parent, []).append(dict(row))
    first, limit = other.query.offset, other.query.limit or other.service.max_records
    return [(parent, row) for parent, rows in found.items() for row in rows[first : first + limit]]


def _among(column: Column, keys: Sequence[Any]) -> Comparison:
    return Comparison(column.name, "in", tuple(Literal(key, quoted=True) for key in keys))


def _itself(value: Any) -> Any:
    return value


def _typed(column: Column, keys: Sequence[Any]) -> list[Any]:
    """Answer the keys as a column has them; what cannot be one has nothing to find there."""
    found: dict[Any, None] = {}
    for key in keys:
        try:
            found[types.incoming(column, key)] = None
        except BadRequest:
            continue
    return list(found)


def _comparer(column: Column) -> Callable[[Any], str]:
    """Make a function that answers one text for all that a column takes for one value."""

    def same(value: Any) -> str:
        try:
            value = types.incoming(column, value)
        except BadRequest:
            return f"\0{value}"
        return str(value.normalize() if isinstance(value, Decimal) else value)

    return same


async def _select(one: Wanted, keys: list[Any]) -> list[Row]:
    if not keys:
        return []
    other, store = one.other, one.other.service.store
    query = other.query
    plan = _plan(one, keys)
    if query.limit is not None or query.offset:
        limit = min(query.limit or other.service.max_records, other.service.max_records)
        return await store.select(replace(plan, per=one.ref, limit=limit, offset=query.offset))
    most = other.service.app.settings.max_records
    if one.relation.is_single and one.relation.is_virtual:
        return await store.select(replace(plan, per=one.ref, limit=1))
    if one.relation.is_single or plan.via is not None:
        return await store.select(plan)
    rows = await store.select(replace(plan, limit=most + 1))
    if len(rows) > most:
        # Far more than a reply should hold: each parent gets as much as a page would.
        return await store.select(replace(plan, per=one.ref, limit=other.service.max_records))
    return rows


def _plan(one: Wanted, keys: list[Any]) -> Select:
    other = one.other
    # They are held anyway, so they come in the same order wherever they are.
    order = other.order() or other.key_order()
    fields = tuple(dict.fromkeys((*with_links(one.columns, one.below), one.ref)))
    if one.junction is None:
        return Select(other.table, fields, filters.all_of(other.where(), _among(one.ref, keys)), order)
    via = Via(
        table=one.junction.table,
        parent=one.sought,
        ref=column_of(one.junction.table, one.relation.junction_ref_field),
        joined=one.ref,
        keys=tuple(keys),
        where=one.junction.rows,
    )
    return Select(other.table, fields, other.where(), order, via=via)


async def _resolved(target: Target, relation: Relation, depth: int, path: tuple[Relation, ...]) -> Wanted:
    query = target.query.below(relation.key)
    service = await service_of(target, relation.ref_service_id)
    other = await related_target(target, service, relation.ref_table, query, "GET")
    junction = None
    if relation.type == "many_many":
        between = await service_of(target, relation.junction_service_id)
        junction = await related_target(target, between, relation.junction_table or "", Query(), "GET")
    # Their filters are judged now, so that a refusal comes before anything is read.
    other.where()
    return Wanted(
        relation,
        column_of(target.table, relation.field),
        other,
        column_of(other.table, relation.ref_field),
        other.columns(),
        await wanted(other, depth + 1, (*path, relation)),
        junction,
    )


async def related_target(target: Target, service: DatabaseService, table: str, query: Query, verb: str) -> Target:
    """Answer another table as the caller may see it; raises Forbidden when they may not (database-api 16)."""
    name = (await service.catalogue.extras()).record_name(table)
    target.call.caller.demand(verb, service.record, f"_table/{name.lower()}")
    found = service.target(target.call, await service.catalogue.table(table), query, verb)
    found.sources = target.sources
    found.sources.add(service.record.id)
    return found


async def service_of(target: Target, service_id: int | None) -> DatabaseService:
    """Find the service on the other side of a relation; raises BadRequest when it is gone or is no database."""
    from trunkline_database.service import DatabaseService

    if service_id == target.service.record.id:
        return target.service
    found = await target.service.app.services.get(service_id) if service_id is not None else None
    if not isinstance(found, DatabaseService):
        raise BadRequest("The relationship leads to a service that is not available.")
    return found


def column_of(table: Table, name: str | None) -> Column:
    """Find a column by its real name; raises BadRequest for one that is gone."""
    found = table.real_column(name) if name and table.is_open else table.by_real_name.get(name or "")
    if found is None:
        raise BadRequest(f"The relationship needs a field that '{table.name}' does not have.")
    return found
