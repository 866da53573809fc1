"""Numbers for new rows, which Cassandra does not give out: kept in a table, moved on by lightweight transactions."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from trunkline.errors import Unavailable
from trunkline_cassandra import statements
from trunkline_cassandra.catalogue import SEQUENCE
from trunkline_cassandra.connection import Connection

_ATTEMPTS = 100


class Sequence:
    """The numbers of one keyspace's tables. None is given out twice; some may never be."""

    def __init__(self, connection: Connection, keyspace: str) -> None:
        """Know nothing yet."""
        self._connection = connection
        self._table = f"{statements.quoted(keyspace)}.{SEQUENCE}"
        self._begin = statements.insert(self._table, ("name", "last"))
        self._move_on = statements.update(self._table, ("last",), ("name",), ("last",))
        self._forget = statements.delete(self._table, ("name",), ())
        self._last: dict[str, int] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def prepare(self) -> None:
        """Make the table, unless it is there."""
        await self._connection.define(f"CREATE TABLE IF NOT EXISTS {self._table} (name text PRIMARY KEY, last bigint)")

    async def take(self, table: str, number: int) -> int:
        """Take so many numbers and answer the first."""
        async with self._turns[table]:
            last = await self._move(table, lambda last: last + number)
            return last - number + 1

    async def pass_by(self, table: str, number: int) -> None:
        """Give out no number up to this one, which somebody has chosen."""
        if number > self._last.get(table, 0):
            async with self._turns[table]:
                await self._move(table, lambda last: max(last, number))

    async def forget(self, table: str) -> None:
        """Begin anew: the table was dropped."""
        self._last.pop(table, None)
        await self._connection.execute(self._forget, (table,))

    async def _move(self, table: str, move: Callable[[int], int]) -> int:
        """Move on from where the last number is, wherever others have moved it; answers the new place."""
        for attempt in range(_ATTEMPTS):
            last = self._last.get(table)
            if last is None:
                values: tuple[Any, ...] = (table, wanted := move(0))
                ((applied, *there),) = await self._connection.execute(self._begin, values)
            else:
                values = (wanted := move(last), table, last)
                ((applied, *there),) = await self._connection.execute(self._move_on, values)
            if applied:
                self._last[table] = wanted
                return wanted
            if there and there[-1] is not None:
                self._last[table] = there[-1]
            else:
                self._last.pop(table, None)
            await asyncio.sleep(0.002 * attempt)
        raise Unavailable("The database is busy. Try again.", headers={"Retry-After": "1"})
