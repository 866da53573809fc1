"""Reading records: by id, by ids, by records, by filter (database-api 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.errors import NotFound, TrunklineError
from trunkline_database import batch, related, shape
from trunkline_database.model import Column
from trunkline_database.params import read_body
from trunkline_database.plan import Select, Target
from trunkline_database.resolve import among
from trunkline_database.store import Row, Rows


def not_found(shown: Any) -> NotFound:
    """Build the refusal for a record that is not there, or not for this caller."""
    return NotFound(f"Record with identifier '{shown}' not found.")


async def by_id(target: Target, text: str) -> Row:
    """Read one record, bare."""
    where = target.by_key(target.key(text))
    columns = target.columns()
    relations = await related.wanted(target)
    order = target.natural_order() if target.query.id_field else ()
    plan = Select(target.table, related.with_links(columns, relations), where, order, limit=1)
    rows = await target.service.store.select(plan)
    if not rows:
        raise not_found(text)
    if relations:
        await related.attach(target.service.store, rows, relations)
    return rows[0]


async def several(target: Target) -> Any:
    """Read records by ids, by records of the body, or by filter, whichever comes first (database-api 4.1)."""
    query = target.query
    if query.ids is not None:
        return shape.records(target, await by_ids(target, query.ids))
    body = read_body(target.call)
    if body.records is not None:
        rows = await by_ids(target, body.records)
        return rows[0] if body.single else shape.records(target, rows)
    if query.count_only:
        plan = Select(target.table, target.identity, target.where(), group=target.group())
        return await target.service.store.count(plan)
    return await by_filter(target)


async def by_filter(target: Target) -> dict[str, Any]:
    """Read what a filter matches; the count is asked only when what was read does not tell it (database-api 6)."""
    query, store, most = target.query, target.service.store, target.service.max_records
    asked = query.limit if query.limit is not None and query.limit <= most else None
    limit = asked or most
    # One row more than wanted tells whether there are more.
    probing = asked is None or query.include_count
    plan = target.filtered_read(limit + 1 if probing else limit)
    relations = await related.wanted(target) if related.is_due(target, plan) else []
    if relations:
        plan = related.linked(plan, relations)
    rows = await store.select(plan)
    meta: dict[str, Any] = {}
    if probing:
        cut = len(rows) > limit
        del rows[limit:]
        known = not cut and (rows or not query.offset)
        count = query.offset + len(rows) if known else await store.count(plan)
        if query.include_count or count > most:
            meta = shape.meta_of(count, query.offset, len(rows), limit)
    if query.include_schema:
        mask = target.call.caller.mask(target.service.record, f"_schema/{target.table.name.lower()}")
        meta["schema"] = shape.schema_of(target.table, mask)
    if relations:
        await related.attach(store, rows, relations)
    return shape.records(target, rows, meta)


async def by_ids(target: Target, asked: Sequence[Any]) -> list[Row]:
    """Read records in the order asked; raises BatchError when any is missing."""
    columns = target.columns()
    relations = await related.wanted(target)
    keys = [_key_or_error(target, one) for one in asked]
    wanted = [key for key in dict.fromkeys(keys) if isinstance(key, tuple)]
    rows = await by_keys(target, target.service.store, wanted, related.with_links(columns, relations))
    if relations:
        await related.attach(target.service.store, list(rows.values()), relations)

    def found(index: int) -> Row:
        key = keys[index]
        if isinstance(key, TrunklineError):
            raise key
        if key not in rows:
            raise not_found(_shown(asked[index], key))
        return rows[key]

    return batch.collect(range(len(keys)), found, target.query, "retrieved")


async def by_keys(
    target: Target, rows: Rows, keys: Sequence[tuple[Any, ...]], columns: Sequence[Column]
) -> dict[tuple[Any, ...], Row]:
    """Read the records with these keys, as far as the caller may see them."""
    identity = target.demand_identity()
    extra = [column for column in identity if column not in columns]
    found: dict[tuple[str, ...], Row] = {}
    step = max(1, target.service.store.most_keys // len(identity))
    for start in range(0, len(keys), step):
        where = target.narrowed(among(identity, list(keys[start : start + step])))
        for row in await rows.select(Select(target.table, (*columns, *extra), where, target.natural_order())):
            found.setdefault(_comparable(row[column.key] for column in identity), row)
    matched = {key: found.get(_comparable(key)) or found.get(_loosely(key)) for key in keys}
    for row in found.values():
        for column in extra:
            del row[column.key]
    return {key: row for key, row in matched.items() if row is not None}


def _key_or_error(target: Target, value: Any) -> tuple[Any, ...] | TrunklineError:
    target.demand_identity()
    try:
        return target.key(value)
    except TrunklineError as error:
        return error


def _shown(asked: Any, key: tuple[Any, ...]) -> str:
    """Show an identifier as the client wrote it, an object by its values."""
    if isinstance(asked, dict):
        return ", ".join(str(part) for part in key)
    return ", ".join(str(part) for part in asked) if isinstance(asked, tuple) else str(asked)


def _comparable(key: Any) -> tuple[str, ...]:
    """Make keys comparable that come from a client and from a driver: 1, 1.0 and Decimal("1.00") are one number."""
    return tuple(
        f"{part:.15g}"
        if isinstance(part, float)
        else str(part.normalize())
        if hasattr(part, "normalize")
        else str(part)
        for part in key
    )


def _loosely(key: tuple[Any, ...]) -> tuple[str, ...]:
    """Make a key comparable where the database pads texts or ignores their case."""
    return tuple(str(part).rstrip() for part in key)
