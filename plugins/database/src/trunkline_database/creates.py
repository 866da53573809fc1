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
    elif len(prepared) == 1 and isinstance(prepared[0], Prepared) and not prepared[0].nested and target.rows is None:
        made = await _create_only(target, prepared[0])
    else:
        made = await batch.write(
            target.service.store,
            prepared,
            lambda rows, one: _create_one(target, rows, one),
            target.query,
            "created",
            together=lambda rows, several: _create_together(target, rows, several),
        )
    rows = await _created(reply, made)
    return rows[0] if body.single else shape.records(target, rows)


async def _created(reply: Reply, made: list[Row]) -> list[Row]:
    if not reply.target.identity:
        return [shape.only(reply.columns, row) for row in made]
    if reply.is_key:
        return [shape.only(reply.columns, row) for row in made]
    return await reply.rows([reply.key_of(row) for row in made])


async def _create_only(target: Target, prepared: Prepared) -> list[Row]:
    """Create the one record of a list in one statement, which needs no transaction."""
    try:
        return await Writer(target, target.service.store).insert([prepared])
    except TrunklineError as error:
        raised = error

    def failed(_: int) -> Row:
        raise raised

    return batch.collect([0], failed, target.query, "created")


async def _create_alone(target: Target, one: Prepared | TrunklineError) -> Row:
    """Create a bare record: its failure is that of the request (D27)."""
    if isinstance(one, TrunklineError):
        raise one
    if not one.nested and target.rows is None:
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
