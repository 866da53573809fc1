"""Synchronous DBAPI drivers in worker threads: one hop per statement, connections from SQLAlchemy's pool."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import PoolProxiedConnection

from trunkline.threads import in_thread
from trunkline_database.sql.driver import Bound, Driver, Ran, RawRow, Values

T = TypeVar("T")
DEFAULT_READ_TIMEOUT = 60.0


class ThreadedDriver(Driver):
    """Runs statements on an engine whose connections are in autocommit mode."""

    begin = "BEGIN"
    # How a part of a transaction is opened, undone, and closed; where the last is empty, nothing closes it.
    parts = ("SAVEPOINT {}", "ROLLBACK TO SAVEPOINT {}", "RELEASE SAVEPOINT {}")

    def __init__(self, engine: sa.Engine, read_timeout: float = DEFAULT_READ_TIMEOUT) -> None:
        """Take the engine, which connects on first use; reads are stopped after ``read_timeout`` seconds."""
        self.read_timeout = read_timeout
        self.engine = engine
        self.dialect = engine.dialect
        self._closed = False

    async def fetch(self, sql: str, values: Values, *, small: bool = False) -> list[RawRow]:
        """Run a reading statement; when time is up or the client leaves, the statement is interrupted."""
        async with asyncio.timeout(self.read_timeout):
            return (await self._single(sql, values)).rows

    async def stream(self, sql: str, values: Values, size: int) -> AsyncGenerator[Sequence[RawRow], None]:
        """Run a reading statement on a connection of its own; ``read_timeout`` is for each part of its rows."""
        lent = await in_thread(self.engine.raw_connection)
        try:
            cursor = await in_thread(self.open_cursor, lent.dbapi_connection)
            try:
                stop = functools.partial(self.interrupt, lent.dbapi_connection)
                async with asyncio.timeout(self.read_timeout):
                    await _to_the_end(cursor.execute, sql, values, stop=stop)
                while True:
                    async with asyncio.timeout(self.read_timeout):
                        rows = await _to_the_end(cursor.fetchmany, size, stop=stop)
                    if not rows:
                        return
                    yield rows
            finally:
                await _to_the_end(cursor.close)
        except Exception as error:
            self.drop_if_lost(lent, error)
            raise
        finally:
            await _to_the_end(self.give_back, lent)

    def open_cursor(self, connection: Any) -> Any:
        """Open a cursor that leaves rows with the server until they are fetched."""
        return connection.cursor()

    async def run(self, sql: str, values: Values) -> Ran:
        """Run a changing statement in autocommit."""
        return await self._single(sql, values)

    async def run_each(self, sql: str, many: Sequence[Values]) -> list[Ran]:
        """Run a statement for each of many values in one transaction."""
        async with self.transaction() as bound:
            return await bound.run_each(sql, many)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Bound]:
        """Open a transaction; the first statement begins it."""
        bound = _ThreadedBound(self)
        try:
            yield bound
        except BaseException:
            await bound.end("ROLLBACK")
            raise
        await bound.end("COMMIT")

    async def inspect(self, function: Callable[[sa.Connection], T]) -> T:
        """Run a function on a connection, in a thread."""

        def work() -> T:
            with self.engine.connect() as connection:
                return function(connection)

        return await in_thread(work)

    async def alter(self, function: Callable[[sa.Connection], T]) -> T:
        """Run a function on a connection between BEGIN and COMMIT, in a thread."""

        def work() -> T:
            with self.engine.connect() as connection:
                connection.exec_driver_sql(self.begin)
                try:
                    result = function(connection)
                except BaseException:
                    connection.exec_driver_sql("ROLLBACK")
                    raise
                connection.exec_driver_sql("COMMIT")
                return result

        return await in_thread(work)

    async def close(self) -> None:
        """Close what is idle now, and the rest when it comes back."""
        self._closed = True
        await in_thread(self.engine.dispose)

    def give_back(self, lent: PoolProxiedConnection) -> None:
        """Give a connection back; a pool that was closed would keep it open."""
        if self._closed:
            lent.invalidate()
        lent.close()

    def interrupt(self, connection: Any) -> None:
        """Stop what a connection is doing, where the driver can."""

    async def _single(self, sql: str, values: Values) -> Ran:
        work = _Interruptible(self, sql, values)
        try:
            return await in_thread(work)
        except asyncio.CancelledError:
            work.stop()
            raise

    @contextlib.contextmanager
    def connected(self) -> Iterator[Any]:
        """Lend a DBAPI connection from the pool; one that was lost is thrown away."""
        lent = self.engine.raw_connection()
        try:
            yield lent.dbapi_connection
        except Exception as error:
            self.drop_if_lost(lent, error)
            raise
        finally:
            self.give_back(lent)

    def drop_if_lost(self, lent: PoolProxiedConnection, error: Exception) -> None:
        """Throw a connection away when its error says that the other end is gone."""
        dialect = self.engine.dialect
        if isinstance(error, dialect.loaded_dbapi.Error) and dialect.is_disconnect(error, lent, None):
            lent.invalidate(error)


class _Interruptible:
    """One statement on a borrowed connection, which another thread may stop."""

    def __init__(self, driver: ThreadedDriver, sql: str, values: Values) -> None:
        self._driver, self._sql, self._values = driver, sql, values
        self._lock = threading.Lock()
        self._connection: Any = None

    def __call__(self) -> Ran:
        with self._driver.connected() as connection:
            self._connection = connection
            try:
                return execute(connection, self._sql, self._values)
            finally:
                # Once it is forgotten here it may serve others, and must not be interrupted for this one.
                with self._lock:
                    self._connection = None

    def stop(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._driver.interrupt(self._connection)


class _ThreadedBound(Bound):
    """A connection in a transaction. Whoever is cancelled waits for the thread, so that no two use the connection."""

    def __init__(self, driver: ThreadedDriver) -> None:
        self._driver = driver
        self._lent: PoolProxiedConnection | None = None
        self._numbers = itertools.count(1)

    async def fetch(self, sql: str, values: Values, *, small: bool = False) -> list[RawRow]:
        return (await self._work(lambda connection: execute(connection, sql, values))).rows

    async def run(self, sql: str, values: Values) -> Ran:
        return await self._work(lambda connection: execute(connection, sql, values))

    async def run_each(self, sql: str, many: Sequence[Values]) -> list[Ran]:
        return await self._work(lambda connection: [execute(connection, sql, values) for values in many])

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        name = f"part_{next(self._numbers)}"
        opening, undoing, closing = self._driver.parts
        await self.run(opening.format(name), ())
        try:
            yield
        except BaseException:
            await self.run(undoing.format(name), ())
            raise
        if closing:
            await self.run(closing.format(name), ())

    async def end(self, word: str) -> None:
        """Commit or roll back, and give the connection back whatever happens."""
        lent = self._lent
        if lent is None:
            return

        def finish() -> None:
            try:
                execute(lent.dbapi_connection, word, ())
            except BaseException:
                lent.invalidate()
                raise
            finally:
                self._driver.give_back(lent)

        await _to_the_end(finish)

    async def _work(self, function: Callable[[Any], T]) -> T:
        return await _to_the_end(self._begun, function)

    def _begun(self, function: Callable[[Any], T]) -> T:
        if self._lent is None:
            lent = self._driver.engine.raw_connection()
            try:
                execute(lent.dbapi_connection, self._driver.begin, ())
            except BaseException:
                lent.close()
                raise
            self._lent = lent
        return function(self._lent.dbapi_connection)


def execute(connection: Any, sql: str, values: Values) -> Ran:
    """Run one statement on a DBAPI connection."""
    cursor = connection.cursor()
    try:
        cursor.execute(sql, values)
        rows = cursor.fetchall() if cursor.description else []
        return Ran(rows, cursor.rowcount, cursor.lastrowid if not rows else None)
    finally:
        cursor.close()


async def _to_the_end(function: Callable[..., T], *arguments: Any, stop: Callable[[], None] | None = None) -> T:
    """Run in a thread; a cancellation is passed on only after the thread has let go, which ``stop`` may hasten."""
    work = asyncio.ensure_future(in_thread(function, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        if stop is not None:
            stop()
        await asyncio.wait({work})
        raise
