"""Reading related records: one statement for each relation, whatever the number of parents (database-api 11.2, D30)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trunkline.errors import BadRequest
from trunkline_database import filters
from trunkline_database.filters import Comparison, Literal
from trunkline_database.model import Column, Relation, Table
from trunkline_database.params import Query
from trunkline_database.plan import PARENT, Aggregate, Select, Target, Via
from trunkline_database.store import Row, Store

if TYPE_CHECKING:
    from trunkline_database.service import DatabaseService

MAX_DEPTH = 10


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
    def key(self) -> str:
        """The name of the relation in replies."""
        return self.relation.key


async def wanted(target: Target, depth: int = 1) -> list[Wanted]:
    """Resolve what is asked in ``related``, all levels of it, before anything is read.

    Raises BadRequest for unknown names and too many levels, Forbidden where the caller may not read the other table.
    """
    asked = target.query.related
    if not asked:
        return []
    if depth > MAX_DEPTH:
        raise BadRequest(f"Related records can be nested {MAX_DEPTH} levels deep at most.")
    relations = target.table.relations if asked == ("*",) else [target.relation(name) for name in asked]
    return [await _resolved(target, relation, depth) for relation in dict.fromkeys(relations)]


def with_links(columns: tuple[Column, ...], relations: Sequence[Wanted]) -> tuple[Column, ...]:
    """Append the columns that lead to related records, which are part of the output (database-api 4.2)."""
    return tuple(dict.fromkeys((*columns, *(one.link for one in relations)))) if relations else columns


def linked(plan: Select, relations: Sequence[Wanted]) -> Select:
    """Append those columns to a plan; raises BadRequest for grouped rows, which are no records."""
    if plan.group or any(isinstance(one, Aggregate) for one in plan.fields):
        raise BadRequest("Related records are not possible in a grouped request.")
    columns = tuple(one for one in plan.fields if isinstance(one, Column))
    return replace(plan, fields=with_links(columns, relations))


async def attach(store: Store, rows: Sequence[Row], relations: Sequence[Wanted]) -> None:
    """Read the related records of all rows and put them in."""
    for one in relations:
        # Parents may share one row object, so a relation must not be read twice into it.
        parents: dict[Any, list[Row]] = {}
        for row in rows:
            row[one.key] = None if one.relation.is_single else []
            if row[one.link.key] is not None:
                parents.setdefault(row[one.link.key], []).append(row)
        if parents:
            await _attach_one(store, parents, one)


async def _attach_one(store: Store, parents: dict[Any, list[Row]], one: Wanted) -> None:
    fetched = await _fetch(one, list(parents))
    if one.below:
        await attach(one.other.service.store, [child for _, child in fetched], one.below)
    hidden = one.ref not in with_links(one.columns, one.below)
    children: dict[Any, list[Row]] = {}
    for parent, child in fetched:
        children.setdefault(parent, []).append(child)
        if hidden:
            child.pop(one.ref.key, None)
    for key, rows in parents.items():
        found = children.get(key, [])
        for row in rows:
            row[one.key] = (found[0] if found else None) if one.relation.is_single else found


async def _fetch(one: Wanted, keys: list[Any]) -> list[tuple[Any, Row]]:
    """Read the related records of all keys, each with the key that it belongs to."""
    store = one.other.service.store
    fetched: list[tuple[Any, Row]] = []
    for start in range(0, len(keys), store.most_keys):
        for row in await _select(one, keys[start : start + store.most_keys]):
            parent = row.pop(PARENT) if one.junction is not None else row[one.ref.key]
            fetched.append((parent, row))
    return fetched


async def _select(one: Wanted, keys: list[Any]) -> list[Row]:
    other, store = one.other, one.other.service.store
    query = other.query
    plan = _plan(one, keys)
    if query.limit is not None or query.offset:
        limit = min(query.limit or other.service.max_records, other.service.max_records)
        return await store.select(replace(plan, per=one.ref, limit=limit, offset=query.offset))
    most = other.service.app.settings.max_records
    if one.relation.is_single or plan.via is not None:
        return await store.select(plan)
    rows = await store.select(replace(plan, limit=most + 1))
    if len(rows) > most:
        # Far more than a reply should hold: each parent gets as much as a page would.
        return await store.select(replace(plan, per=one.ref, limit=other.service.max_records))
    return rows


def _plan(one: Wanted, keys: list[Any]) -> Select:
    other = one.other
    fields = tuple(dict.fromkeys((*with_links(one.columns, one.below), one.ref)))
    if one.junction is None:
        among = Comparison(one.ref.name, "in", tuple(Literal(key, quoted=True) for key in keys))
        return Select(other.table, fields, filters.all_of(other.where(), among), other.order())
    via = Via(
        table=one.junction.table,
        parent=column_of(one.junction.table, one.relation.junction_field),
        ref=column_of(one.junction.table, one.relation.junction_ref_field),
        joined=one.ref,
        keys=tuple(keys),
        where=one.junction.rows,
    )
    return Select(other.table, fields, other.where(), other.order(), via=via)


async def _resolved(target: Target, relation: Relation, depth: int) -> Wanted:
    query = target.query.below(relation.key)
    service = await service_of(target, relation.ref_service_id)
    other = await related_target(target, service, relation.ref_table, query, "GET")
    junction = None
    if relation.type == "many_many":
        if relation.junction_service_id != relation.ref_service_id:
            raise BadRequest(f"The relationship '{relation.key}' leads through two services.")
        junction = await related_target(target, service, relation.junction_table or "", Query(), "GET")
    # Their filters are judged now, so that a refusal comes before anything is read.
    other.where()
    return Wanted(
        relation,
        column_of(target.table, relation.field),
        other,
        column_of(other.table, relation.ref_field),
        other.columns(),
        await wanted(other, depth + 1),
        junction,
    )


async def related_target(target: Target, service: DatabaseService, table: str, query: Query, verb: str) -> Target:
    """Answer another table as the caller may see it; raises Forbidden when they may not (database-api 16)."""
    target.call.caller.demand(verb, service.record, f"_table/{table.lower()}")
    return service.target(target.call, await service.catalogue.table(table), query, verb)


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
    found = table.by_real_name.get(name or "")
    if found is None:
        raise BadRequest(f"The relationship needs a field that '{table.name}' does not have.")
    return found
