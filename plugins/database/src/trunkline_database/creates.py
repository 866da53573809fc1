"""Creating records (database-api 9.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trunkline.errors import TrunklineError
from trunkline_database import batch, shape
from trunkline_database.nested import Nest
from trunkline_database.params import read_body
from trunkline_database.plan import Target
from trunkline_database.record import Prepared, prepare
from trunkline_database.replies import Reply, demand_records
from trunkline_database.store import Row, Rows
from trunkline_database.writer import Writer


async def create(target: Target) -> Any:
    """Create the records of the body."""
    batch.check(target.query)
    body = read_body(target.call)
    records = demand_records(body)
    reply = await Reply.of(target)
    prepared = [_prepared_or_problem(target, record) for record in records]
    if body.single:
        (one,) = prepared
        made = [await _create_alone(target, one)]
    else:
        made = await _create_list(target, prepared)
    rows = await _created(reply, made)
    return rows[0] if body.single else shape.records(target, rows)


def _is_one_statement(target: Target, one: Prepared) -> bool:
    return not one.nested and (target.rows is None or Writer(target, target.service.store).checks)


async def _created(reply: Reply, made: list[Row]) -> list[Row]:
    if not reply.target.identity or reply.is_key:
        rows = [shape.only(reply.columns, row) for row in made]
        reply.target.seen(rows)
        return rows
    return await reply.rows([reply.key_of(row) for row in made])


async def _create_list(target: Target, prepared: Sequence[Prepared | TrunklineError]) -> list[Row]:
    """Create the records of a list: where one statement can do it, that is tried first and needs no transaction."""
    store, query = target.service.store, target.query
    plain = [one for one in prepared if isinstance(one, Prepared) and _is_one_statement(target, one)]
    at_once = len(plain) == len(prepared)
    if at_once:
        try:
            return await Writer(target, store).insert(plain)
        except TrunklineError as error:
            if len(plain) == 1 or error.status >= batch.SERVER_FAULT:
                batch.fail_first(error, query, "created")
    return await batch.write(
        store,
        prepared,
        lambda rows, one: _create_one(target, rows, one),
        query,
        "created",
        together=None if at_once else lambda rows, several: _create_together(target, rows, several),
    )


async def _create_alone(target: Target, one: Prepared | TrunklineError) -> Row:
    """Create a bare record: its failure is that of the request (D27)."""
    if isinstance(one, TrunklineError):
        raise one
    if _is_one_statement(target, one):
        (row,) = await Writer(target, target.service.store).insert([one])
        return row
    async with target.service.store.transaction() as transaction:
        return await Nest(transaction).create(target, one)


async def _create_one(target: Target, rows: Rows, one: Prepared | TrunklineError) -> Row:
    if isinstance(one, TrunklineError):
        raise one
    return await Nest(rows).create(target, one)


async def _create_together(target: Target, rows: Rows, several: Sequence[Prepared | TrunklineError]) -> list[Row]:
    """Create many records at once; raises what is wrong with any of them."""
    ready: list[Prepared] = []
    for one in several:
        if isinstance(one, TrunklineError):
            raise one
        ready.append(one)
    if any(one.nested for one in ready):
        return [await Nest(rows).create(target, one) for one in ready]
    return await Writer(target, rows).insert(ready)


def _prepared_or_problem(target: Target, record: Any) -> Prepared | TrunklineError:
    try:
        return prepare(target, record, creating=True)
    except TrunklineError as error:
        return error
