"""Writing: rows one by one, each by a lightweight transaction, so that nothing is overwritten or made by accident.

CQL's own INSERT and UPDATE would do both. What a condition looks at beside the key is looked at again by the write
itself: it happens only if the values that were read are still there.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from abc import ABC
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trunkline.errors import BadRequest, Conflict, Forbidden, Unavailable
from trunkline_cassandra import statements
from trunkline_cassandra.columns import CqlColumn
from trunkline_cassandra.connection import Connection
from trunkline_cassandra.errors import duplicate
from trunkline_cassandra.held import Held, at_once, computed, counts, given, own, raised
from trunkline_cassandra.reading import EVALUATOR, Reader, Reading
from trunkline_cassandra.routes import Restriction, Route, Scan, column_in, route
from trunkline_cassandra.sequence import Sequence as Numbers
from trunkline_database.access import DENIED
from trunkline_database.documents.compensating import CompensatingStore
from trunkline_database.documents.evaluate import MOST_EXAMINED
from trunkline_database.filters import Function, Node, fields_of
from trunkline_database.model import Column, Table
from trunkline_database.plan import Select
from trunkline_database.store import Arithmetic, Row

# How often a row is looked at again that changes all the while.
_ATTEMPTS = 100
Key = Mapping[str, Any]


class Writing(CompensatingStore, ABC):
    """The half of a store that writes."""

    checks = True

    def __init__(self, connection: Connection, reader: Reader, numbers: Numbers) -> None:
        """Write through a connection."""
        self._connection = connection
        self.reader = reader
        self.numbers = numbers

    # Inserting.

    async def insert(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        returning: Sequence[Column],
        check: Node | None = None,
    ) -> list[Row]:
        """Insert rows, all or none: those before one that fails are taken out again."""
        if counts(table):
            raise BadRequest("Records with counters are made by changing them: Cassandra has no other way.")
        records = await self._completed(table, rows)
        if check is not None and not all(EVALUATOR.matches(table, check, one) for one in records):
            raise Forbidden(DENIED)
        ready = [given(table, one) for one in records]
        done = await at_once(ready, lambda one: self._insert(table, one))
        problem = next((one for one in done if isinstance(one, BaseException)), None)
        if problem is not None:
            made = [one for one, result in zip(ready, done, strict=True) if result is None]
            await at_once(made, lambda one: self._delete(table, one, {}))
            raise problem
        reading = self._at(table, ready, own(returning))
        if set(returning) <= set(table.primary_key) and all(one.kind.is_told for one in own(returning)):
            return [EVALUATOR.row(returning, {name: _told(value) for name, value in one.items()}) for one in ready]
        async with contextlib.aclosing(self.reader.records(table, reading)) as parts:
            return [EVALUATOR.row(returning, one) async for part in parts for one in part]

    async def _completed(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Fill in defaults, functions and numbers."""
        records = [dict(one) for one in rows]
        for column in own(table.stored):
            for record in records:
                if column.name not in record and column.default is not None:
                    record[column.name] = column.default
                if isinstance(value := record.get(column.name), Function):
                    record[column.name] = computed(column, value)
            if column.auto_increment:
                await self._number(table, column, records)
        for column in own(table.primary_key):
            if any(one.get(column.name) is None for one in records):
                raise BadRequest(f"Required field '{column.key}' can not be NULL.", context={"sqlstate": "23502"})
        return records

    async def _number(self, table: Table, column: Column, records: list[dict[str, Any]]) -> None:
        name = table.identity.name
        chosen = [one[column.name] for one in records if one.get(column.name) is not None]
        if chosen:
            await self.numbers.pass_by(name, max(map(int, chosen)))
        free = [one for one in records if one.get(column.name) is None]
        if free:
            first = await self.numbers.take(name, len(free))
            for number, one in enumerate(free, first):
                one[column.name] = number

    async def _insert(self, table: Table, values: Mapping[str, Any]) -> None:
        """Insert one row; raises Conflict where its key is there already."""
        present = {name: value for name, value in values.items() if value is not None}
        text = statements.insert(self.reader.source(table), tuple(present))
        ((applied, *_),) = await self._connection.execute(text, list(present.values()))
        if not applied:
            raise duplicate()

    # Changing and deleting.

    async def update(
        self, table: Table, where: Node | None, values: Mapping[str, Any], check: Node | None = None
    ) -> int:
        """Change the rows that match; raises Forbidden before any is changed that would not pass the check."""
        for name in values:
            if (column := column_in(table, name)).is_primary_key:
                raise BadRequest(f"Field '{column.key}' is part of the key and can not be changed.")
        if counts(table):
            return await self._count_on(table, where, values)
        sources = [one.column.name for one in values.values() if isinstance(one, Arithmetic)]
        if all(column_in(table, name).role == "static" for name in values):
            # These belong to the partition, of which only they themselves can be a condition.
            sources += values
        if not sources and check is None and (keys := _keys(table, where)) is not None:
            ready = given(table, Held({}).new(table, values))
            return sum(raised(await at_once(keys, lambda key: self._update(table, key, ready, {}))))
        looked_at = [*(fields_of(check) if check is not None else ()), *sources]
        held = await self._held(table, where, looked_at)
        if check is not None:
            holds = EVALUATOR.judge(table, check)
            if not all(holds(one.record(table) | one.new(table, values)) is True for one in held):
                raise Forbidden(DENIED)

        async def step(one: Held) -> bool:
            return await self._update(table, one.raw, given(table, one.new(table, values)), one.guards(table))

        return await self._each(table, where, looked_at, held, step)

    async def delete(self, table: Table, where: Node | None) -> int:
        """Delete the rows that match. Of every row the number is not known: they go without being looked at."""
        if where is None:
            await self._connection.define(f"TRUNCATE {self.reader.source(table)}")
            return 0
        if (keys := _keys(table, where)) is not None:
            return sum(raised(await at_once(keys, lambda key: self._delete(table, key, {}))))
        held = await self._held(table, where, ())
        return await self._each(table, where, (), held, lambda one: self._delete(table, one.raw, one.guards(table)))

    async def _each(
        self, table: Table, where: Node | None, looked_at: Iterable[str], held: list[Held],
        step: Callable[[Held], Awaitable[bool]],
    ) -> int:  # fmt: skip
        """Write rows that were read; those that have changed meanwhile are looked at again, by their keys."""
        number = 0
        for _ in range(_ATTEMPTS):
            if not held:
                return number
            done = raised(await at_once(held, step))
            number += sum(done)
            missed = [one.raw for one, is_done in zip(held, done, strict=True) if not is_done]
            reading = self._at(table, missed, _looked_at(table, where, looked_at))
            reading = replace(reading, rest=replace(reading.rest, where=where))
            held = [one async for one in self._rows(table, reading)]
            await asyncio.sleep(0.01 * random.random())  # noqa: S311 - so that others get their turn
        raise Unavailable("The database is busy. Try again.", headers={"Retry-After": "1"})

    async def _held(self, table: Table, where: Node | None, more: Iterable[str]) -> list[Held]:
        """Read the rows that match: their keys, and what the condition and others look at."""
        plan = Select(table, _looked_at(table, where, more), where)
        return [one async for one in self._rows(table, self.reader.reading(plan))]

    async def _rows(self, table: Table, reading: Reading) -> AsyncGenerator[Held, None]:
        """Read rows that match as the driver has them; raises BadRequest for more than are examined."""
        number, names = 0, [one.name for one in reading.columns]
        rest = reading.rest.where
        holds = EVALUATOR.judge(table, rest)
        async with contextlib.aclosing(self.reader.raw(table, reading)) as parts:
            async for rows in parts:
                number += len(rows)
                if number > MOST_EXAMINED:
                    raise BadRequest(
                        f"More than {MOST_EXAMINED} records would have to be examined or changed. Narrow the filter."
                    )
                for row in rows:
                    held = Held(dict(zip(names, row, strict=True)))
                    if rest is None or holds(held.record(table)) is True:
                        yield held

    def _at(self, table: Table, keys: Sequence[Key], columns: Sequence[CqlColumn]) -> Reading:
        """Plan the read of rows by their keys, as the driver takes them."""
        whole = own(table.primary_key)
        scans = [Scan(tuple(Restriction(one, "=", key[one.name]) for one in whole)) for key in keys]
        return Reading(tuple(columns), Route(tuple(scans), is_single=True), Select(table, tuple(columns)), "", None, 0)

    async def _update(self, table: Table, key: Key, values: Mapping[str, Any], guards: Mapping[str, Any]) -> bool:
        """Change one row if it is still as it was read, or at least there; says whether it was."""
        of_partition = all(column_in(table, name).role == "static" for name in values)
        names = [one.name for one in own(table.primary_key) if not of_partition or one.role == "partition_key"]
        text = statements.update(self.reader.source(table), values, names, tuple(guards))
        bound = [*values.values(), *(key[name] for name in names), *guards.values()]
        ((applied, *_),) = await self._connection.execute(text, bound)
        return bool(applied)

    async def _count_on(self, table: Table, where: Node | None, values: Mapping[str, Any]) -> int:
        """Move counters, which have no transactions but need none."""
        moves: dict[str, Arithmetic] = {}
        for name, one in values.items():
            if not isinstance(one, Arithmetic) or one.column.name != name or one.operator not in "+-":
                raise BadRequest(f'The counter \'{name}\' can only be moved: {{"expression": "field + 1"}}.')
            moves[name] = one
        keys = _keys(table, where) or [one.raw for one in await self._held(table, where, ())]
        names = [one.name for one in table.primary_key]
        operators = [(name, one.operator) for name, one in moves.items()]
        text = statements.move(self.reader.source(table), operators, names)
        by = [int(one.number) for one in moves.values()]
        raised(await at_once(keys, lambda key: self._connection.execute(text, [*by, *(key[name] for name in names)])))
        return len(keys)

    async def _delete(self, table: Table, key: Key, guards: Mapping[str, Any]) -> bool:
        names = [one.name for one in table.primary_key]
        # Counters have no conditions.
        conditions = None if counts(table) else tuple(guards)
        text = statements.delete(self.reader.source(table), names, conditions)
        found = await self._connection.execute(text, [*(key[name] for name in names), *guards.values()])
        return bool(found[0][0]) if found else True

    # Undoing.

    async def keep(self, table: Table, where: Node | None) -> list[Any]:
        """Read the rows that match, whole."""
        plan = Select(table, table.stored, where)
        return [one async for one in self._rows(table, self.reader.reading(plan))]

    async def put_back(self, table: Table, kept: Sequence[Any]) -> None:
        """Store rows as they were kept, whatever has become of them; counters stay where they are."""

        async def step(one: Held) -> None:
            try:
                await self._insert(table, one.raw)
            except Conflict:
                keys = {column.name for column in table.primary_key}
                others = {name: value for name, value in one.raw.items() if name not in keys}
                await self._update(table, one.raw, others, {})

        if not counts(table):
            raised(await at_once(kept, step))

    async def take_out(self, table: Table, rows: Sequence[Row]) -> None:
        """Delete rows that were inserted."""
        keys = [given(table, {one.name: row[one.key] for one in table.primary_key}) for row in rows]
        raised(await at_once(keys, lambda key: self._delete(table, key, {})))


def _looked_at(table: Table, where: Node | None, more: Iterable[str]) -> tuple[CqlColumn, ...]:
    names = [*(fields_of(where) if where is not None else ()), *more]
    return tuple(dict.fromkeys((*own(table.primary_key), *(column_in(table, name) for name in names))))


def _keys(table: Table, where: Node | None) -> list[Key] | None:
    """List the keys of rows where a condition is nothing but these."""
    if where is None or not fields_of(where) <= {one.name for one in table.primary_key}:
        return None
    found = route(table, where)
    if not found.is_single or found.rest is not None:
        return None
    return [{one.column.name: one.value for one in scan.restrictions} for scan in found.scans]


def _told(value: Any) -> Any:
    """Answer a value of a key that was just written as a read would."""
    return str(value) if hasattr(value, "urn") else value
