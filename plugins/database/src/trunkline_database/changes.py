"""Changing records in every form of request (database-api 9.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trunkline.errors import BadRequest, TrunklineError
from trunkline_database import batch, shape, upsert
from trunkline_database.nested import Nest
from trunkline_database.params import NO_RECORDS, read_body
from trunkline_database.plan import Select, Target
from trunkline_database.reads import not_found
from trunkline_database.record import Prepared, prepare
from trunkline_database.replies import SUCCESS, Reply, demand_records, keys_of, parts, refuse_blank
from trunkline_database.resolve import among
from trunkline_database.store import Row, Rows, Transaction
from trunkline_database.writer import Writer

NOTHING_TO_CHANGE = "The request contains no valid record fields."


@dataclass(slots=True)
class Change:
    """A record to be changed: by which key, shown how, and to what; or why that cannot be."""

    shown: Any
    key: tuple[Any, ...] = ()
    record: Any = None
    prepared: Prepared | None = None
    problem: TrunklineError | None = None


async def change_one(target: Target, text: str) -> Row:
    """Change one record by the identifier in the path."""
    key = target.key(text)
    reply = await Reply.of(target)
    body = read_body(target.call)
    if not body.records:
        raise BadRequest(NOTHING_TO_CHANGE if isinstance(target.call.body, dict) else NO_RECORDS)
    if len(body.records) > 1:
        raise BadRequest("One record can be changed by its identifier at a time.")
    (record,) = body.records
    if record == {}:
        raise BadRequest(NOTHING_TO_CHANGE)
    await _change_now(target, Change(text, key, record, _to_change(target, record)))
    rows = await reply.rows([key])
    return rows[0] if rows else shape.only(target.identity, dict(zip(keys_of(target.identity), key, strict=True)))


async def change_several(target: Target) -> Any:
    """Change records by ids, by a filter, each by its own key, or all of them (database-api 9.3)."""
    query = target.query
    batch.check(query)
    refuse_blank(target)
    body = read_body(target.call)
    records = demand_records(body)
    reply = await Reply.of(target)
    if query.ids is not None:
        changes = [_change_to(target, one, records[0], one) for one in query.ids]
        return shape.records(target, await reply.rows(await _change_list(target, changes)))
    if query.filter is not None:
        return shape.records(target, await _change_matching(target, reply, records[0]))
    if query.force and not any(_has_key(target, record) for record in records):
        await _change_matching(target, reply, records[0])
        return SUCCESS
    changes = [_change_to(target, record, record, index) for index, record in enumerate(records)]
    if body.single:
        (one,) = changes
        if one.problem is not None:
            raise one.problem
        await _change_now(target, one)
        return (await reply.rows([one.key]) or [{}])[0]
    return shape.records(target, await reply.rows(await _change_list(target, changes)))


async def _change_list(target: Target, changes: list[Change]) -> list[tuple[Any, ...]]:
    """Change several records by their keys and answer the keys."""

    async def step(rows: Transaction, one: Change) -> Row:
        if one.problem is not None:
            raise one.problem
        await _change_in(target, rows, one)
        return dict(zip(keys_of(target.identity), one.key, strict=True))

    async def together(rows: Transaction, several: Sequence[Change]) -> list[Row]:
        return [await step(rows, one) for one in several]

    await batch.write(target.service.store, changes, step, target.query, "updated", together)
    return [one.key for one in changes]


async def _change_now(target: Target, one: Change) -> None:
    """Change one record: in one statement where that does it, else in a transaction."""
    prepared = one.prepared or Prepared()
    writer = Writer(target, target.service.store)
    looks_again = (prepared.is_whole and target.rows is not None) or writer.touches_filter(prepared.values)
    looks_again = looks_again and not writer.checks
    if prepared.nested or looks_again or upsert.allowed(target):
        async with target.service.store.transaction() as transaction:
            await _change_in(target, transaction, one)
    else:
        await _change_in(target, target.service.store, one)


async def _change_in(target: Target, rows: Rows, one: Change) -> None:
    prepared = one.prepared or Prepared()
    if await Nest(rows).change(target, one.key, prepared):
        return
    if not upsert.allowed(target):
        raise not_found(one.shown)
    await upsert.create(target, rows, one.key, one.record)


async def _change_matching(target: Target, reply: Reply, record: Any) -> list[Row]:
    """Change exactly the rows that match now, and answer them all (D28)."""
    prepared = _to_change(target, record)
    if prepared.nested:
        raise BadRequest("Related records can not be written by filter.")
    for column in target.identity:
        if column.is_primary_key:
            prepared.values.pop(column.name, None)
    identity = target.identity or target.table.stored
    async with target.service.store.transaction() as transaction:
        plan = Select(target.table, identity, target.where(), target.key_order(), lock=True)
        found = await transaction.select(plan)
        keys = [tuple(row[column.key] for column in identity) for row in found]
        writer = Writer(target, transaction)
        for part in parts(target, keys):
            change = writer.replace if prepared.is_whole else writer.change
            await change(among(identity, part), prepared.values)
    if target.identity:
        return await reply.rows(keys)
    names = {target.table.by_real_name[name].key: value for name, value in prepared.values.items()}
    return [row | names for row in found]


def _change_to(target: Target, identifier: Any, record: Any, shown: Any) -> Change:
    try:
        if isinstance(record, dict) and identifier is record and not _has_key(target, record):
            names = ", ".join(keys_of(target.demand_identity()))
            raise BadRequest(f"Required id field(s) not found in record {shown}: {names}")
        key = target.key(identifier)
        shown = ", ".join(str(part) for part in key) if identifier is record else identifier
        return Change(shown, key, record, _to_change(target, record))
    except TrunklineError as error:
        return Change(shown, problem=error)


def _to_change(target: Target, record: Any) -> Prepared:
    """Check a record for a change: what identifies it is not changed (database-api 9.3)."""
    if target.verb == "PUT" and target.table.is_open:
        return _whole(target, record)
    prepared = prepare(target, record, creating=False)
    for column in target.identity:
        prepared.values.pop(column.name, None)
    return prepared


def _whole(target: Target, record: Any) -> Prepared:
    """Check a record that is to stand in the place of the one that is there (database-api 20)."""
    prepared = prepare(target, record, creating=True, keyless=True)
    for column in {*target.identity, *target.table.primary_key}:
        prepared.values.pop(column.name, None)
    prepared.is_whole = True
    return prepared


def _has_key(target: Target, record: Any) -> bool:
    if not isinstance(record, dict):
        return False
    names = {str(name).lower() for name in record}
    return bool(target.identity) and all(column.key.lower() in names for column in target.identity)
