"""Reading: a plan becomes statements whose pages are judged, ordered and cut here as far as Cassandra does not."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trunkline_cassandra import statements
from trunkline_cassandra.columns import CqlColumn
from trunkline_cassandra.connection import Connection
from trunkline_cassandra.kinds import Kind, bound, is_kept, kept, shown
from trunkline_cassandra.routes import Route, clustering_of, column_in, partition_of, route
from trunkline_cassandra.statements import quoted
from trunkline_database.documents.evaluate import Evaluator
from trunkline_database.filters import fields_of
from trunkline_database.model import Column, Table
from trunkline_database.plan import Order, Select, is_aggregate

Raw = tuple[Any, ...]
EVALUATOR = Evaluator(shown)
_UNBOUNDED = Evaluator(shown, most=sys.maxsize)
# Rows of one page of the driver, and statements of one read that are under way at once.
PAGE, AHEAD = 1000, 32


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read for a plan, and the plan for what is left to be done here."""

    columns: tuple[CqlColumn, ...]
    route: Route
    rest: Select
    order: str
    limit: int | None
    skipped: int

    @property
    def evaluator(self) -> Evaluator:
        """Who does the rest: within bounds, unless rows only pass through."""
        rest = self.rest
        passes = rest.where is None and not rest.order and is_plain(rest)
        return _UNBOUNDED if passes else EVALUATOR


class Reader:
    """Reads of one keyspace."""

    def __init__(self, connection: Connection, keyspace: str) -> None:
        """Read through a connection."""
        self._connection = connection
        self._keyspace = keyspace

    def source(self, table: Table) -> str:
        """Write the name of a table."""
        return f"{quoted(self._keyspace)}.{quoted(table.identity.name)}"

    def reading(self, plan: Select) -> Reading:
        """Work out what to read."""
        table = plan.table
        found = route(table, plan.where, _place(plan))
        wanted = dict.fromkeys(column for one in plan.fields for column in _columns_in(one))
        wanted |= dict.fromkeys(one.column for one in plan.order if not one.column.is_aggregate)
        wanted |= dict.fromkeys((*plan.group, *((plan.per,) if plan.per else ())))
        if found.rest is not None:
            wanted |= dict.fromkeys(column_in(table, name) for name in fields_of(found.rest))
        columns = tuple(one for one in wanted if isinstance(one, CqlColumn)) or tuple(partition_of(table))
        native = _native_order(plan, found)
        limit, skipped = None, 0
        if found.rest is None and is_plain(plan) and (native or not plan.order):
            skipped = plan.offset
            limit = None if plan.limit is None else plan.offset + plan.limit
        rest = replace(
            plan, where=found.rest, order=() if native else plan.order, offset=plan.offset - skipped, after=None
        )
        return Reading(columns, found, rest, native, limit, skipped)

    async def records(self, table: Table, reading: Reading) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Read the records that are left to be judged, by real column names."""
        columns = reading.columns
        names = [one.name for one in columns]
        changed = [(place, one.kind) for place, one in enumerate(columns) if not is_kept(one.kind)]
        async with contextlib.aclosing(self.raw(table, reading)) as parts:
            async for rows in parts:
                if changed:
                    rows = [_changed(row, changed) for row in rows]
                yield [dict(zip(names, row, strict=True)) for row in rows]

    async def raw(self, table: Table, reading: Reading) -> AsyncGenerator[list[Raw], None]:
        """Read rows as the driver has them."""
        skipped, left = reading.skipped, reading.limit
        size = PAGE if left is None else max(1, min(PAGE, left))
        async with contextlib.aclosing(self._each(reading, size)) as parts:
            async for rows in parts:
                if left is not None:
                    rows = rows[:left]
                    left -= len(rows)
                cut = min(skipped, len(rows))
                skipped -= cut
                if cut < len(rows):
                    yield rows[cut:]
                if left == 0:
                    return

    async def counted(self, table: Table, found: Route) -> int:
        """Count what the scans of a route bring."""
        if found.is_single:
            reading = Reading(tuple(partition_of(table)), found, Select(table, ()), "", None, 0)
            return sum([len(rows) async for rows in self.raw(table, reading)])
        number = 0
        for scan in found.scans:
            text, values = statements.count(self.source(table), scan, [one.name for one in partition_of(table)])
            ((count,),) = await self._connection.execute(text, values)
            number += count
        return number

    async def _each(self, reading: Reading, size: int) -> AsyncGenerator[list[Raw], None]:
        """Run the scans in their order; many small ones at once."""
        table, found = reading.rest.table, reading.route
        names, partition = [one.name for one in reading.columns], [one.name for one in partition_of(table)]
        source = self.source(table)
        written = [
            statements.select(source, names, scan, partition, reading.order, reading.limit) for scan in found.scans
        ]
        if found.is_single and len(written) > 1:
            under_way: deque[asyncio.Task[list[Raw]]] = deque()
            try:
                for text, values in written:
                    under_way.append(asyncio.create_task(self._connection.execute(text, values)))
                    if len(under_way) >= AHEAD:
                        yield await under_way.popleft()
                while under_way:
                    yield await under_way.popleft()
            finally:
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)
            return
        for text, values in written:
            async with contextlib.aclosing(self._connection.pages(text, values, size)) as parts:
                async for rows in parts:
                    if rows:
                        yield rows


def _changed(row: Raw, changed: Sequence[tuple[int, Kind]]) -> Raw:
    values = list(row)
    for place, kind in changed:
        values[place] = kept(kind, values[place])
    return tuple(values)


def is_plain(plan: Select) -> bool:
    """Say whether rows are records, each by itself."""
    return not plan.group and plan.per is None and not any(map(is_aggregate, plan.fields))


def _columns_in(field: Any) -> tuple[Column, ...]:
    if isinstance(field, Column):
        return (field,)
    return (field.column,) if field.column is not None else ()


def _place(plan: Select) -> tuple[Any, ...] | None:
    """Answer the key behind which to begin as the driver takes it."""
    if plan.after is None:
        return None
    pairs = zip(plan.table.primary_key, plan.after, strict=True)
    return tuple(bound(column_in(plan.table, one.name).kind, one, value) for one, value in pairs)


def _native_order(plan: Select, found: Route) -> str:
    """Write the order where Cassandra itself has it: by clustering columns within one partition, all one way."""
    table = plan.table
    if not plan.order or not found.is_together or not is_plain(plan):
        return ""
    fixed = {one.name for one in partition_of(table)}
    order = [one for one in plan.order if one.column.name not in fixed]
    clustering = clustering_of(table)
    if len(order) > len(clustering) or not order:
        return ""
    pairs = list(zip(order, clustering, strict=False))
    if any(asked.column is not own or own.kind.name == "uuid" for asked, own in pairs):
        return ""
    backwards = {asked.descending != own.is_descending for asked, own in pairs}
    if len(backwards) != 1:
        return ""
    return " ORDER BY " + ", ".join(f"{quoted(one.column.name)} {_direction(one)}" for one in order)


def _direction(one: Order) -> str:
    return "DESC" if one.descending else "ASC"
