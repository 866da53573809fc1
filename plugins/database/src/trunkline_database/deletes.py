"""Deleting records in every form of request (database-api 9.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.errors import BadRequest, NotFound
from trunkline_database import batch, shape
from trunkline_database.model import Column
from trunkline_database.params import read_body
from trunkline_database.plan import Select, Target
from trunkline_database.reads import by_keys, not_found
from trunkline_database.replies import SUCCESS, keys_of, parts, refuse_blank
from trunkline_database.resolve import among, every
from trunkline_database.store import Row, Rows, Transaction
from trunkline_database.writer import Writer


async def delete_one(target: Target, text: str) -> Row:
    """Delete one record by the identifier in the path."""
    key = target.key(text)
    columns = target.columns("key")
    identity = target.demand_identity()
    if set(columns) <= set(identity):
        if not await Writer(target, target.service.store).remove(every(identity, key)):
            raise not_found(text)
        return _shown(target, columns, dict(zip(keys_of(identity), key, strict=True)))
    async with target.service.store.transaction() as transaction:
        return await _delete_key(target, transaction, columns, key, text)


async def delete_several(target: Target) -> Any:
    """Delete records by ids, by records, by a filter, or all of them (database-api 9.4)."""
    query = target.query
    batch.check(query)
    refuse_blank(target)
    columns = target.columns("key")
    body = read_body(target.call)
    asked: Sequence[Any] | None = query.ids if query.ids is not None else body.records
    if asked is not None:
        if not asked:
            raise BadRequest("No filter or records given for delete request.")
        if body.single and query.ids is None:
            return await _delete_alone(target, columns, asked[0])
        return shape.records(target, await _delete_list(target, columns, asked))
    if query.filter is not None:
        return shape.records(target, await _delete_matching(target, columns))
    if query.force:
        # Under a row filter "all" means all that the caller may see.
        await target.service.store.delete(target.table, target.rows)
        return SUCCESS
    raise BadRequest("No filter or records given for delete request.")


async def _delete_alone(target: Target, columns: tuple[Column, ...], record: Any) -> Row:
    key = target.key(record)
    async with target.service.store.transaction() as transaction:
        return await _delete_key(target, transaction, columns, key, ", ".join(str(part) for part in key))


async def _delete_list(target: Target, columns: tuple[Column, ...], asked: Sequence[Any]) -> list[Row]:
    async def step(rows: Transaction, one: Any) -> Row:
        key = target.key(one)
        shown = ", ".join(str(part) for part in key) if isinstance(one, dict | tuple) else one
        return await _delete_key(target, rows, columns, key, shown)

    async def together(rows: Transaction, several: Sequence[Any]) -> list[Row]:
        keys = [target.key(one) for one in several]
        found = await by_keys(target, rows, list(dict.fromkeys(keys)), columns)
        if len(found) < len(set(keys)):
            raise NotFound("Some are missing; which ones, the single steps will tell.")
        await _remove_all(target, rows, keys)
        shown = {key: _shown(target, columns, row) for key, row in found.items()}
        return [shown[key] for key in keys]

    return await batch.write(target.service.store, asked, step, target.query, "deleted", together)


async def _delete_key(target: Target, rows: Rows, columns: tuple[Column, ...], key: tuple[Any, ...], shown: Any) -> Row:
    found = await by_keys(target, rows, [key], columns)
    if key not in found:
        raise not_found(shown)
    await Writer(target, rows).remove(every(target.identity, key))
    return _shown(target, columns, found[key])


async def _delete_matching(target: Target, columns: tuple[Column, ...]) -> list[Row]:
    """Delete exactly the rows that match now, and answer them all, whatever ``max_records`` is (D28)."""
    identity = target.table.primary_key or target.table.stored
    everything = tuple(dict.fromkeys((*columns, *identity)))
    async with target.service.store.transaction() as transaction:
        plan = Select(target.table, everything, target.where(), target.key_order(), lock=True)
        found = await transaction.select(plan)
        if not target.table.primary_key and found:
            # Rows of a table without a key cannot be told apart, so what matches goes, within the same transaction.
            await transaction.delete(target.table, target.where())
        elif found:
            keys = [tuple(row[column.key] for column in identity) for row in found]
            for part in parts(target, keys):
                await transaction.delete(target.table, target.narrowed(among(identity, part)))
    return [_shown(target, columns, row) for row in found]


def _shown(target: Target, columns: tuple[Column, ...], row: Row) -> Row:
    shown = shape.only(columns, row)
    target.seen([shown])
    return shown


async def _remove_all(target: Target, rows: Rows, keys: list[tuple[Any, ...]]) -> None:
    for part in parts(target, keys):
        await Writer(target, rows).remove(among(target.identity, part))
