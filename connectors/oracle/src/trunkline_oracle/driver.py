"""Talking to Oracle through python-oracledb's thin mode: asyncio all the way, no threads and no client libraries.

What stands here was tried on the driver's own classes and on sockets, and no server has seen it (docs/testing.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from trunkline_database.sql.driver import Bound, Driver, Ran, RawRow, Values
from trunkline_oracle import values as forms
from trunkline_oracle.errors import is_dead
from trunkline_oracle.kinds import CARRIED, Out
from trunkline_oracle.pool import Pool

# Rows of one round trip.
_ROWS = 500
# Of a text that is compared as CHAR or NCHAR, in characters.
_LONGEST_SENT = 2000
# Texts and numbers that PL/SQL or a connection's own statements convert by themselves look as everywhere.
_FORMS = (
    "ALTER SESSION SET NLS_DATE_FORMAT = 'YYYY-MM-DD HH24:MI:SS' NLS_TIMESTAMP_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF' "
    "NLS_TIMESTAMP_TZ_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF TZH:TZM' NLS_NUMERIC_CHARACTERS = '. '"
)


class NotConnected(ConnectionError):
    """No connection could be made in time."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to connect and how long to wait; ``connect`` are parameters of the driver's, times are seconds."""

    connect: Mapping[str, Any]
    statements: Sequence[str]
    pool_size: int
    pool_timeout: float
    connect_timeout: float
    statement_timeout: float


class OracleDriver(Driver):
    """A pool of sessions; whatever was left in the middle of a statement is told to stop and thrown away."""

    def __init__(self, dialect: sa.Dialect, settings: Settings) -> None:
        """Take the dialect that statements are compiled for; nothing connects yet."""
        self.dialect = dialect
        self._settings = settings
        self._pool = Pool(self._connect, settings.pool_size, settings.pool_timeout)

    async def fetch(self, sql: str, values: Values, *, small: bool = False) -> list[RawRow]:
        """Run a reading statement."""
        async with self.connected() as connection:
            return await fetch(connection, sql, values)

    async def run(self, sql: str, values: Values) -> Ran:
        """Run a changing statement, which commits with the same round trip."""
        async with self.connected() as connection:
            connection.autocommit = True
            return await _run(connection, sql, values)

    async def run_each(self, sql: str, many: Sequence[Values]) -> list[Ran]:
        """Run a changing statement for each of many values in one transaction."""
        async with self.transaction() as bound:
            return await bound.run_each(sql, many)

    async def stream(self, sql: str, values: Values, size: int) -> AsyncGenerator[Sequence[RawRow], None]:
        """Read a few rows at a time, each time in a round trip of its own."""
        async with self.connected() as connection:
            with connection.cursor() as cursor:
                cursor.arraysize = cursor.prefetchrows = size
                await cursor.execute(sql, dict(values))
                while rows := await cursor.fetchmany(size):
                    yield rows

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Bound]:
        """Open a transaction: committed at the end, rolled back when it raises."""
        async with self.begun() as connection:
            yield _OracleBound(connection)

    @contextlib.asynccontextmanager
    async def begun(self) -> AsyncIterator[Any]:
        """Borrow a connection for one transaction, which its first change begins."""
        async with self.connected() as connection:
            connection.autocommit = False
            try:
                yield connection
            except Exception as error:
                if not is_dead(error):
                    await connection.rollback()
                raise
            await connection.commit()

    async def define(self, statements: Sequence[str]) -> None:
        """Run statements that change the structure; each of them commits by itself, there is no other way here."""
        async with self.connected() as connection:
            for statement in statements:
                await connection.execute(statement)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[Any]:
        """Borrow a connection for the length of the block."""
        async with self._pool.lent() as connection:
            yield connection

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()

    async def _connect(self) -> Any:
        """Open a session; raises the driver's errors, and NotConnected when it takes too long."""
        import oracledb

        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                connection = await oracledb.connect_async(**self._settings.connect)
        except TimeoutError as error:
            raise NotConnected("the database did not answer in time") from error
        try:
            await self._prepare(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _prepare(self, connection: Any) -> None:
        """Set up a session: how long it may take, as what it reads and sends values, the forms of texts."""
        connection.call_timeout = max(1, int(self._settings.statement_timeout * 1000))
        connection.outputtypehandler = reads
        connection.inputtypehandler = writes
        for statement in (_FORMS, *self._settings.statements):
            await connection.execute(statement)


class _OracleBound(Bound):
    """A connection in a transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    async def fetch(self, sql: str, values: Values, *, small: bool = False) -> list[RawRow]:
        return await fetch(self._connection, sql, values)

    async def run(self, sql: str, values: Values) -> Ran:
        return await _run(self._connection, sql, values)

    async def run_each(self, sql: str, many: Sequence[Values]) -> list[Ran]:
        return await _run_each(self._connection, sql, many)

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        name = f"part_{next(self._numbers)}"
        await self._connection.execute(f"SAVEPOINT {name}")
        try:
            yield
        except Exception as error:
            if not is_dead(error):
                await self._connection.execute(f"ROLLBACK TO SAVEPOINT {name}")
            raise


async def fetch(connection: Any, sql: str, values: Values | None = None) -> list[RawRow]:
    """Run a reading statement and answer its rows as tuples."""
    with connection.cursor() as cursor:
        cursor.arraysize = cursor.prefetchrows = _ROWS
        await cursor.execute(sql, dict(values or {}))
        rows: list[RawRow] = await cursor.fetchall()
        return rows


async def _run(connection: Any, sql: str, values: Values) -> Ran:
    with connection.cursor() as cursor:
        given, variables = _with_variables(cursor, dict(values), 1)
        await cursor.execute(sql, given)
        rows = await _answered(variables, 0) if variables else []
        return Ran(rows, cursor.rowcount)


async def _run_each(connection: Any, sql: str, many: Sequence[Values]) -> list[Ran]:
    """Send all rows at once: the server stops at the first that fails, and what came before it is rolled back."""
    if not many:
        return []
    with connection.cursor() as cursor:
        first, variables = _with_variables(cursor, dict(many[0]), len(many))
        rows = [first, *({**dict(one), **{name: first[name] for name in variables}} for one in many[1:])]
        await cursor.executemany(sql, rows, batcherrors=False, arraydmlrowcounts=True)
        counts = cursor.getarraydmlrowcounts()
        return [Ran(await _answered(variables, place), count) for place, count in enumerate(counts)]


def _with_variables(cursor: Any, given: dict[str, Any], times: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Put variables where the statement answers; answers also these alone, by name and in order."""
    variables = {name: variable(cursor, one, times) for name, one in given.items() if isinstance(one, Out)}
    return {**given, **variables}, variables


def variable(cursor: Any, out: Out, times: int = 1, size: int = 0) -> Any:
    """Make a variable in which the server answers; texts have 4000 characters unless ``size`` says more."""
    import oracledb

    if out.carrier == "NUMBER":
        return cursor.var(Decimal, arraysize=times, outconverter=forms.whole)
    return cursor.var(getattr(oracledb, f"DB_TYPE_{out.carrier}"), size, arraysize=times)


async def _answered(variables: Mapping[str, Any], place: int) -> list[RawRow]:
    """Read the rows that one execution answered: each variable has a list of values for it."""
    columns = [one.values[place] or [] for one in variables.values()]
    rows = zip(*columns, strict=True)
    return [tuple([await read(value) for value in row]) for row in rows]


async def read(value: Any) -> Any:
    """Read what a locator leads to; all else is a value already."""
    import oracledb

    return await value.read() if isinstance(value, oracledb.AsyncLOB) else value


# The driver asks these for columns that it is about to read, and for values that it is about to send.


def reads(cursor: Any, column: Any) -> Any:
    """Answer the variable for a column: numbers with all digits, long values at once, all else as the driver does."""
    import oracledb

    kind = column.type_code
    if kind is oracledb.DB_TYPE_NUMBER and not (column.scale == 0 and column.precision):
        return cursor.var(Decimal, arraysize=cursor.arraysize, outconverter=forms.whole)
    if kind is oracledb.DB_TYPE_CLOB or kind is oracledb.DB_TYPE_NCLOB:
        long = oracledb.DB_TYPE_LONG if kind is oracledb.DB_TYPE_CLOB else oracledb.DB_TYPE_LONG_NVARCHAR
        return cursor.var(long, arraysize=cursor.arraysize)
    if kind is oracledb.DB_TYPE_BLOB:
        return cursor.var(oracledb.DB_TYPE_LONG_RAW, arraysize=cursor.arraysize)
    return None


def writes(cursor: Any, value: Any, times: int) -> Any:
    """Answer the variable for a value that says how it travels."""
    import oracledb

    carrier = CARRIED.get(type(value))
    if carrier is None:
        return None
    if carrier in ("BINARY_FLOAT", "BINARY_DOUBLE"):
        return cursor.var(getattr(oracledb, f"DB_TYPE_{carrier}"), arraysize=times, inconverter=float)
    if len(value) > _LONGEST_SENT:
        # Beyond that only long values go, which have no padding and no character set of their own.
        return None
    return cursor.var(getattr(oracledb, f"DB_TYPE_{carrier}"), _LONGEST_SENT, arraysize=times, inconverter=str)
