"""Reading stored records: selection, order, paging, fields, relations (system-api 5.2 and 5.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from trunkline.call import Call
from trunkline.errors import BadRequest
from trunkline_database import filters
from trunkline_system.conditions import condition
from trunkline_system.model import Model, Relation, Row, Work


@dataclass(frozen=True, slots=True)
class Shape:
    """How to show records: which fields (None is all) and which relations; ``only`` turns records into a list of it."""

    fields: tuple[str, ...] | None
    related: tuple[str, ...] = ()
    # Relations that were asked for as ``*``, so that those the caller may not read are left out.
    any_related: bool = False
    only: str | None = None


def shape_of(model: type[Model], call: Call, *, default: str) -> Shape:
    """Read ``fields`` and ``related``; raises BadRequest for an unknown field or relation (D9)."""
    related = split(call.option("related"))
    any_related = "*" in related
    if any_related:
        related = list(model.relations)
    for name in related:
        if name not in model.relations:
            raise BadRequest(f"Unknown relationship: {name}")
    if call.flag("as_list"):
        field = str(call.option("id_field") or model.key)
        if field not in model.visible():
            raise BadRequest(f"Invalid field requested: {field}")
        return Shape((field,), only=field)
    wanted = call.option("fields")
    names = split(default if wanted is None else wanted)
    if "*" in names:
        return Shape(None, tuple(related), any_related)
    known = set(model.visible())
    for name in names:
        # Asking for a hidden field yields nothing, as in the original; only what was never a field is an error.
        if name not in known and name not in model.hidden:
            raise BadRequest(f"Invalid field requested: {name}")
    return Shape(tuple(name for name in names if name in known) or (model.key,), tuple(related), any_related)


def split(value: Any) -> list[str]:
    """Split a comma list, or take a list as it is."""
    if value is None:
        return []
    parts = value if isinstance(value, list) else str(value).split(",")
    return [str(part).strip() for part in parts if str(part).strip()]


def shown(work: Work, model: type[Model], rows: Sequence[Row], shape: Shape) -> list[dict[str, Any]]:
    """Render rows with their relations, one query a relation."""
    records = [model.shown(work.app, row) for row in rows]
    if shape.fields is not None:
        records = [{name: record[name] for name in shape.fields if name in record} for record in records]
    for name in shape.related:
        relation = model.relations[name]
        if shape.any_related and not work.may("GET", relation.model()):
            continue
        work.demand("GET", relation.model())
        found = _related(work, relation, rows, model.key)
        for record, row in zip(records, rows, strict=True):
            record[name] = found(row)
    return records


def _related(work: Work, relation: Relation, rows: Sequence[Row], key: str) -> Any:
    if relation.compute is not None:
        computed = relation.compute(work, rows)
        return lambda row: computed.get(row[key])
    other = relation.model()
    table = other.table
    scope = other.scope(work.call) if other.resource is not None else None
    scope = sa.true() if scope is None else scope
    if relation.kind == "belongs_to":
        keys = {row[relation.field] for row in rows if row[relation.field] is not None}
        query = sa.select(table).where(table.c[other.key].in_(keys), scope)
        one = {row[other.key]: other.shown(work.app, row) for row in work.connection.execute(query).mappings()}
        return lambda row: one.get(row[relation.field])
    keys = {row[key] for row in rows}
    grouped: dict[Any, list[dict[str, Any]]] = {}
    if relation.through is not None:
        pair = relation.through.c
        joined = table.join(relation.through, pair[relation.through_field] == table.c[other.key])
        query = sa.select(table, pair[relation.field].label("_parent")).select_from(joined).distinct()
        query = query.where(pair[relation.field].in_(keys))
    else:
        query = sa.select(table, table.c[relation.field].label("_parent")).where(table.c[relation.field].in_(keys))
    for row in work.connection.execute(query.where(scope).order_by(table.c[other.key])).mappings():
        grouped.setdefault(row["_parent"], []).append(other.shown(work.app, row))
    if relation.kind == "has_one":
        return lambda row: next(iter(grouped.get(row[key], ())), None)
    return lambda row: grouped.get(row[key], [])


def where(work: Work, model: type[Model], call: Call) -> sa.ColumnElement[bool]:
    """Combine the model's scope with the client's filter; lookups and params are bound, never parsed."""
    parts: list[sa.ColumnElement[bool]] = [sa.true()]
    if (scope := model.scope(call)) is not None:
        parts.append(scope)
    if (node := filter_of(work, call)) is not None:
        columns = {column.name: column for column in model.table.c if column.name not in model.hidden}
        parts.append(condition(node, columns))
    return sa.and_(*parts)


def filter_of(work: Work, call: Call) -> filters.Node | None:
    """Parse the ``filter`` option; an object or a list is refused, nothing widens to all records (D26)."""
    text = call.option("filter", "where")
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise BadRequest("The filter must be text.")
    params = call.option("params") or {}
    if not isinstance(params, dict):
        raise BadRequest("The params must be an object.")
    bound = {":user_id": work.user_id, **params}
    lookups = work.app.lookups(call)

    def look_up(name: str) -> Any:
        if (value := lookups.value(name)) is None:
            raise KeyError(name)
        return value

    return filters.substitute(filters.bind(filters.parse(text), bound), look_up)


def grouped(model: type[Model], call: Call, matching: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Read ``group``: of the records that are alike in these fields only the first is meant; raises BadRequest (D9)."""
    names = split(call.option("group", "group_by"))
    for name in names:
        if name not in model.table.c or name in model.hidden:
            raise BadRequest(f"Invalid field '{name}' in group clause.")
    if not names:
        return matching
    key, columns = model.table.c[model.key], [model.table.c[name] for name in names]
    return key.in_(sa.select(sa.func.min(key)).where(matching).group_by(*columns))


def ordered(model: type[Model], call: Call) -> list[sa.ColumnElement[Any]]:
    """Read ``order``; the key by default. Raises BadRequest for an unknown field or direction (D9)."""
    found: list[sa.ColumnElement[Any]] = []
    for part in split(call.option("order", "sort", "order_by")):
        name, _, direction = part.partition(" ")
        direction = direction.strip().lower() or "asc"
        if name not in model.table.c or name in model.hidden or direction not in ("asc", "desc"):
            raise BadRequest(f"Invalid field '{part}' in order by clause.")
        column = model.table.c[name]
        found.append(column.desc() if direction == "desc" else column.asc())
    return found or [model.table.c[model.key].asc()]


def paging(call: Call, most: int) -> tuple[int, int]:
    """Read ``limit`` and ``offset``; what is missing, no number or out of range means as many as allowed."""
    limit, offset = _number(call.option("limit", "top")), _number(call.option("offset", "skip"))
    return (limit if limit is not None and 1 <= limit <= most else most), max(0, offset or 0)


def _number(value: Any) -> int | None:
    try:
        return min(int(value), 2**31)
    except (TypeError, ValueError, OverflowError):
        return None


def by_ids(work: Work, model: type[Model], call: Call, ids: Sequence[Any]) -> dict[Any, Row]:
    """Read the records with these ids, by id; ids that are no such id are simply not found."""
    keys = {key for one in ids if (key := key_of(model, one)) is not None}
    query = sa.select(model.table).where(model.table.c[model.key].in_(keys))
    if (scope := model.scope(call)) is not None:
        query = query.where(scope)
    return {row[model.key]: row for row in work.connection.execute(query).mappings()}


def key_of(model: type[Model], given: Any) -> Any:
    """Convert an id of the path or a list to the key's type, or None; strictly, since ``id-undefined`` is no id."""
    if isinstance(model.table.c[model.key].type, sa.Integer):
        text = str(given)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    return str(given)
