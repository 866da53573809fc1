"""Talking to SQLite: one writer at a time, small reads that wait for nobody."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool, StaticPool

from trunkline.threads import in_thread
from trunkline_database.sql.driver import Bound, Ran, RawRow, TooSlow, Values
from trunkline_database.sql.threaded import DEFAULT_READ_TIMEOUT, ThreadedDriver

T = TypeVar("T")

_BUSY_MILLISECONDS = 10_000
# A statement that takes longer on the event loop is stopped there and run in a thread instead.
_INLINE_SECONDS = 0.0005
# Each step may have to fetch a page from the disk.
_STEPS_BETWEEN_LOOKS = 100


class _Connection(sqlite3.Connection):
    """A connection whose transactions are begun and ended by statements alone, never by SQLAlchemy's good manners."""

    def commit(self) -> None:
        """Do nothing."""

    def rollback(self) -> None:
        """Do nothing."""


class SqliteDriver(ThreadedDriver):
    """One file. Writers wait for each other on the event loop, so no thread is spent on waiting for a lock.

    In WAL mode a reader waits for nobody, and finding a few rows takes less time than handing work to a thread costs
    (6 against 60-100 µs). So small reads run on the loop, on a connection of their own, with a stop-watch: what does
    not end soon is stopped and run in a thread.
    """

    begin = "BEGIN IMMEDIATE"

    def __init__(self, path: str, statements: Sequence[str] = (), read_timeout: float = DEFAULT_READ_TIMEOUT) -> None:
        """Take a file's path, or ``:memory:`` for one database that lives as long as this driver."""
        self._path = path
        self._statements = statements
        self._in_memory = path == ":memory:"
        pool: dict[str, Any] = {"poolclass": StaticPool}
        if not self._in_memory:
            pool = {"poolclass": QueuePool, "pool_size": 8, "max_overflow": 24, "pool_timeout": 10}
        engine = sa.create_engine(
            "sqlite://", creator=self._connect, isolation_level="AUTOCOMMIT", pool_reset_on_return=None, **pool
        )
        super().__init__(engine, read_timeout)
        self._writer = asyncio.Lock()
        # One connection in memory serves everybody, one after the other.
        self._everyone: contextlib.AbstractAsyncContextManager[Any] = (
            self._writer if self._in_memory else contextlib.nullcontext()
        )
        self._reader: sqlite3.Connection | None = None
        self._deadline = 0.0

    async def fetch(self, sql: str, values: Values, *, small: bool = False) -> list[RawRow]:
        """Run a reading statement, at once if it may be small; raises TooSlow once when it was not."""
        if small and self._reader is not None:
            return self._at_once(self._reader, sql, values)
        async with self._everyone:
            return await super().fetch(sql, values)

    async def run(self, sql: str, values: Values) -> Ran:
        """Run a changing statement when no other writer is at work."""
        async with self._writer:
            return await super().run(sql, values)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Bound]:
        """Open a transaction when no other writer is at work."""
        async with self._writer, super().transaction() as bound:
            yield bound

    async def inspect(self, function: Callable[[sa.Connection], T]) -> T:
        """Read the structure, and get ready for small reads."""
        result = await super().inspect(function)
        if self._reader is None and not self._in_memory:
            self._reader = await in_thread(self._open_reader)
        return result

    async def alter(self, function: Callable[[sa.Connection], T]) -> T:
        """Change the structure when no other writer is at work."""
        async with self._writer:
            return await super().alter(function)

    async def close(self) -> None:
        """Close all connections."""
        await super().close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def interrupt(self, connection: Any) -> None:
        """Stop a statement; SQLite allows that from any thread."""
        connection.interrupt()

    def _at_once(self, reader: sqlite3.Connection, sql: str, values: Values) -> list[RawRow]:
        self._deadline = time.perf_counter() + _INLINE_SECONDS
        try:
            return reader.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname.startswith(("SQLITE_INTERRUPT", "SQLITE_BUSY", "SQLITE_LOCKED")):
                raise TooSlow from error
            raise

    def _open_reader(self) -> sqlite3.Connection:
        reader = self._connect()
        reader.execute("PRAGMA busy_timeout=0")
        reader.execute("PRAGMA query_only=1")
        reader.set_progress_handler(lambda: time.perf_counter() > self._deadline, _STEPS_BETWEEN_LOOKS)
        return reader

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=512, factory=_Connection
        )
        connection.execute("PRAGMA foreign_keys=1")
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
        with contextlib.suppress(sqlite3.OperationalError):
            # A file that cannot be written to keeps the mode it has.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
        for statement in self._statements:
            connection.execute(statement)
        return connection
