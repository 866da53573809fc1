"""Talking to PostgreSQL through asyncpg: statements prepared once, reads without BEGIN, rows without wrappers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline_database.sql.driver import Bound, Driver, Ran, RawRow, Values
from trunkline_database.sql.turns import Turns

if TYPE_CHECKING:
    import asyncpg

# Types that PostgreSQL itself writes and reads as text: its forms are the ones clients know (database-api 12.1), and
# they hold what Python's types cannot: 24:00, infinity, years before Christ.
_AS_TEXT = ("date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid", "inet", "cidr")
# The server ends a statement that takes too long; when the server itself is silent, this much later we do.
_GRACE_SECONDS = 2.0
_STATEMENTS_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """How to connect and for how long to wait; ``session`` are settings of PostgreSQL's for every connection."""

    connect: dict[str, Any]
    session: dict[str, str]
    statements: Sequence[str]
    pool_size: int
    pool_timeout: float
    connect_timeout: float
    statement_timeout: float


class NotConnected(ConnectionError):
    """No connection could be made, whatever the reason."""


class _Asyncpg:
    """One connection, borrowed: what a session does with it."""

    def __init__(self, connection: Any, patience: float) -> None:
        self.connection = connection
        self._patience = patience

    async def fetch(self, sql: str, values: Any) -> list[RawRow]:
        rows: list[RawRow] = await self.connection.fetch(sql, *values, timeout=self._patience)
        return rows

    async def run(self, sql: str, values: Any) -> Ran:
        # Only inserts ask for rows back; asyncpg tells either the rows or how many there were.
        if sql.startswith("INSERT"):
            rows = await self.fetch(sql, values)
            return Ran(rows, len(rows))
        done: str = await self.connection.execute(sql, *values, timeout=self._patience)
        count = done.rpartition(" ")[2]
        return Ran([], int(count) if count.isdigit() else 0)

    async def run_each(self, sql: str, many: Sequence[Values]) -> list[Ran]:
        """Run in one round trip; PostgreSQL makes it one transaction."""
        if " RETURNING " in sql:
            rows = await self.connection.fetchmany(sql, many, timeout=self._patience)
            return [Ran([row], 1) for row in rows]
        await self.connection.executemany(sql, many, timeout=self._patience)
        return [Ran([], 1) for _ in many]


class _AsyncpgBound(Bound):
    """A connection in a transaction."""

    def __init__(self, connection: Any, patience: float) -> None:
        self._one = _Asyncpg(connection, patience)

    async def fetch(self, sql: str, values: Values, *, small: bool = False) -> list[RawRow]:
        return await self._one.fetch(sql, values)

    async def run(self, sql: str, values: Values) -> Ran:
        return await self._one.run(sql, values)

    async def run_each(self, sql: str, many: Sequence[Values]) -> list[Ran]:
        return await self._one.run_each(sql, many)

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        async with self._one.connection.transaction():
            yield


class AsyncpgDriver(Driver):
    """A pool of connections that is made on first use and mends itself: a connection that was lost is replaced.

    Whoever is cancelled cancels the statement on the server as well; asyncpg sees to that.
    """

    def __init__(self, dialect: sa.Dialect, settings: Settings) -> None:
        """Take the dialect that statements are compiled for, and how to connect."""
        self.dialect = dialect
        self._settings = settings
        self._patience = settings.statement_timeout + _GRACE_SECONDS
        self._opening = asyncio.Lock()
        self._pool: asyncpg.Pool[Any] | None = None
        # The pool itself lets late-comers overtake.
        self._turns = Turns(settings.pool_size, settings.pool_timeout)

    async def fetch(self, sql: str, values: Values, *, small: bool = False) -> list[RawRow]:
        """Run a reading statement."""
        pool, connection = await self._borrow()
        try:
            rows: list[RawRow] = await connection.fetch(sql, *values, timeout=self._patience)
            return rows
        finally:
            await self._give_back(pool, connection)

    async def stream(self, sql: str, values: Values, size: int) -> AsyncGenerator[Sequence[RawRow], None]:
        """Read through a portal, which lives in a transaction; each part of the rows has the statement's time."""
        async with self.connected() as connection, connection.transaction(readonly=True):
            cursor = await connection.cursor(sql, *values, timeout=self._patience)
            while rows := await cursor.fetch(size, timeout=self._patience):
                yield rows

    async def run(self, sql: str, values: Values) -> Ran:
        """Run a changing statement, which commits at once."""
        async with self.connected() as connection:
            return await _Asyncpg(connection, self._patience).run(sql, values)

    async def run_each(self, sql: str, many: Sequence[Values]) -> list[Ran]:
        """Run a changing statement for each of many values: all or none."""
        async with self.connected() as connection:
            return await _Asyncpg(connection, self._patience).run_each(sql, many)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Bound]:
        """Open a transaction: committed at the end, rolled back when it raises."""
        async with self.connected() as connection, connection.transaction():
            yield _AsyncpgBound(connection, self._patience)

    async def define(self, statements: Sequence[str]) -> None:
        """Run statements that change the structure in one transaction."""
        async with self.connected() as connection, connection.transaction():
            for statement in statements:
                await connection.execute(statement, timeout=self._patience)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[Any]:
        """Borrow a connection for the length of the block."""
        pool, connection = await self._borrow()
        try:
            yield connection
        finally:
            await self._give_back(pool, connection)

    async def _borrow(self) -> tuple[Any, Any]:
        """Take a connection; raises SQLAlchemy's TimeoutError when all are busy for too long, else NotConnected."""
        await self._turns.take()
        try:
            pool = self._pool or await self._open()
            return pool, await pool.acquire(timeout=None if pool.get_idle_size() else self._settings.pool_timeout)
        except BaseException as error:
            self._turns.give()
            if isinstance(error, TimeoutError):
                raise NotConnected("the database did not answer in time") from error
            if isinstance(error, self._connect_errors()):
                raise NotConnected("no connection could be made") from error
            raise

    async def _give_back(self, pool: Any, connection: Any) -> None:
        """Put a connection back; when its statement was cancelled, once the server has let go of it."""
        try:
            await pool.release(connection, timeout=self._settings.connect_timeout)
        finally:
            self._turns.give()

    async def close(self) -> None:
        """Close the connections as soon as what runs on them has ended; a few seconds are enough for that."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.wait_for(pool.close(), _GRACE_SECONDS)
        except TimeoutError:
            pool.terminate()

    @staticmethod
    def _connect_errors() -> tuple[type[Exception], ...]:
        import asyncpg

        return (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)

    async def _open(self) -> asyncpg.Pool[Any]:
        import asyncpg

        async with self._opening:
            if self._pool is None:
                settings = self._settings
                self._pool = await asyncpg.create_pool(
                    **settings.connect,
                    min_size=0,
                    max_size=settings.pool_size,
                    max_queries=0x7FFFFFFF,
                    timeout=settings.connect_timeout,
                    statement_cache_size=_STATEMENTS_REMEMBERED,
                    max_cached_statement_lifetime=0,
                    server_settings=settings.session,
                    init=self._prepare,
                    # No statement of ours leaves anything behind in a session, so nothing has to be reset.
                    reset=_leave,
                )
            return self._pool

    async def _prepare(self, connection: Any) -> None:
        for name in _AS_TEXT:
            await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=_same, format="text")
        for statement in self._settings.statements:
            await connection.execute(statement)


async def _leave(_connection: Any) -> None:
    """Leave a connection as it is."""


def _same(text: str) -> str:
    return text
