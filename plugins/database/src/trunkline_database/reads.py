"""Reading records: by id, by ids, by records, by filter (database-api 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from trunkline import json, render
from trunkline.errors import BadRequest, NotFound, TrunklineError
from trunkline_database import batch, related, shape, streaming, types
from trunkline_database.model import Column, has
from trunkline_database.paging import Keyset
from trunkline_database.params import read_body
from trunkline_database.plan import Select, Target
from trunkline_database.resolve import among
from trunkline_database.store import Row, Rows

# Fewer rows are read as quickly as rows.
_WORTH_JSON = 100


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
    target.seen(rows)
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


async def by_filter(target: Target) -> Any:
    """Read what a filter matches; the count is asked only when what was read does not tell it (database-api 6)."""
    query, most = target.query, target.service.max_records
    asked = query.limit if query.limit is not None and query.limit <= most else None
    limit = asked or most
    plan = target.filtered_read(limit)
    relations = await related.wanted(target) if related.is_due(target, plan) else []
    if relations:
        plan = related.linked(plan, relations)
    if query.keyset:
        return await _by_keyset(target, plan, relations)
    if streaming.is_due(target):
        return await streaming.records(target, plan, relations)
    # Whether there are more rows need not be known for a page of which the client said how long it shall be.
    probing = asked is None or query.include_count
    rows, shown, more = await _page(target, plan, probing, plain=not relations)
    meta: dict[str, Any] = {}
    if probing:
        known = not more and (shown or not query.offset)
        count = query.offset + shown if known else await target.service.store.count(plan)
        if query.include_count or count > most:
            meta = shape.meta_of(count, query.offset, shown, limit)
    if relations:
        await related.attach(target.service.store, rows, relations)
    if isinstance(rows, list):
        target.seen(rows)
    return shape.records(target, rows, meta | shape.schema_asked(target))


async def _page(target: Target, plan: Select, probing: bool, plain: bool) -> tuple[Any, int, bool]:
    """Answer the records of a page, how many they are, and whether there may be more."""
    store, limit = target.service.store, plan.limit or 0
    if plain and limit >= _WORTH_JSON and _passes_json(target):
        found = await store.select_json(plan)
        if found is not None:
            number, text = found
            return json.Finished(b"[%b]" % text), number, number == limit
    # One row more than wanted tells whether there are more.
    rows = await store.select(replace(plan, limit=limit + 1) if probing else plan)
    more = len(rows) > limit
    del rows[limit:]
    return rows, len(rows), more


def _passes_json(target: Target) -> bool:
    service = target.service
    # Results that are kept must be what they are, and only values can be masked.
    as_rows = target.query.as_list or service.config.cache_enabled or (target.veil is not None and target.veil.masks)
    return not as_rows and render.passes_json(service.app, target.call)


async def _by_keyset(target: Target, plan: Select, relations: Sequence[related.Wanted]) -> dict[str, Any]:
    """Read the page behind a cursor, or the first one."""
    if related.is_grouped(plan):
        raise BadRequest("With 'paging' as keyset nothing can be grouped.")
    store, limit, keyset = target.service.store, plan.limit or 0, Keyset.of(target)
    page, extra = keyset.applied(plan, target.query.page)
    rows = await store.select(replace(page, limit=limit + 1))
    meta: dict[str, Any] = {"count": await store.count(plan)} if target.query.include_count else {}
    if len(rows) > limit:
        del rows[limit:]
        meta["next_page"] = keyset.cursor(rows[-1])
    for column in extra:
        for row in rows:
            del row[column.key]
    if relations:
        await related.attach(store, rows, relations)
    target.seen(rows)
    return shape.records(target, rows, meta | shape.schema_asked(target))


async def by_ids(target: Target, asked: Sequence[Any]) -> list[Row]:
    """Read records in the order asked; raises BatchError when any is missing."""
    columns = target.columns()
    relations = await related.wanted(target)
    keys = [_key_or_error(target, one) for one in asked]
    wanted = [key for key in dict.fromkeys(keys) if isinstance(key, tuple)]
    rows = await by_keys(target, target.service.store, wanted, related.with_links(columns, relations))
    found_rows = list({id(row): row for row in rows.values()}.values())
    if relations:
        await related.attach(target.service.store, found_rows, relations)
    target.seen(found_rows)

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
    extra = [column for column in identity if not has(columns, column)]
    found: dict[tuple[str, ...], Row] = {}
    step = max(1, target.service.store.most_keys // len(identity))
    for start in range(0, len(keys), step):
        where = target.narrowed(among(identity, list(keys[start : start + step])))
        for row in await rows.select(Select(target.table, (*columns, *extra), where, target.natural_order())):
            found.setdefault(_comparable(identity, [row[column.key] for column in identity]), row)
    matched = {key: found.get(_comparable(identity, key)) for key in keys}
    if len(found) > sum(row is not None for row in matched.values()):
        # The database took some keys for equal that are not the same text: it pads them, or has a form of its own.
        taken = {id(row) for row in matched.values()}
        loose = {tuple(map(types.folded, key)): row for key, row in found.items() if id(row) not in taken}
        matched |= {key: loose.get(tuple(map(types.folded, key))) for key, row in matched.items() if row is None}
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


def _comparable(columns: Sequence[Column], key: Sequence[Any]) -> tuple[str, ...]:
    """Make keys comparable that come from a client and from a driver: 1, 1.0 and Decimal("1.00") are one number."""
    return tuple(_as_text(column, part) for column, part in zip(columns, key, strict=True))


def _as_text(column: Column, part: Any) -> str:
    if isinstance(part, float):
        return f"{part:.15g}"
    if hasattr(part, "normalize"):
        return str(part.normalize())
    return types.folded(part) if column.is_loose else str(part)
