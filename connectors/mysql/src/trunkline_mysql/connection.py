"""One connection through asyncmy, whose statements are all prepared on the server.

asyncmy's cursors put values into the text of a statement when the server will not prepare it. So they are not used:
here values travel beside the text or not at all, whatever the character set and the SQL modes are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from trunkline_database.sql.driver import RawRow

# A server keeps 16382 statements for all its clients unless told otherwise.
_STATEMENTS_REMEMBERED = 128
_SLOWEST_SECONDS = 3600
_FOUND_ROWS, _MULTI_STATEMENTS, _IN_TRANSACTION = 1 << 1, 1 << 16, 1
# Dates and times come as the server's own text, which holds what Python's types cannot: 0000-00-00, 24:00 and more.
_TEMPORAL = (7, 10, 11, 12)


class NotConnected(ConnectionError):
    """No connection could be made, whatever the reason."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to connect and what to say first; ``session`` are statements with their values."""

    connect: dict[str, Any]
    session: Sequence[tuple[str, Sequence[Any]]]
    statements: Sequence[str]
    connect_timeout: float


@dataclass(frozen=True, slots=True)
class Server:
    """What the other end says of itself."""

    version: str
    database: str | None

    @property
    def is_mariadb(self) -> bool:
        """Say whether it is MariaDB."""
        return "mariadb" in self.version.lower()

    @property
    def number(self) -> tuple[int, ...]:
        """The version's numbers; replicas of MariaDB may put ``5.5.5-`` before theirs."""
        text = self.version.removeprefix("5.5.5-").partition("-")[0]
        return tuple(int(part) for part in text.split(".") if part.isdigit())


@dataclass(slots=True)
class ResultSet:
    """One of several results of a statement; each column has its name, type and length."""

    columns: list[tuple[str, int, int | None]]
    rows: list[RawRow] = field(default_factory=list)


class Connection:
    """A session on the server. Only one task may use it at a time."""

    def __init__(self, raw: Any, server: Server) -> None:
        """Take a connection of asyncmy's that was set up."""
        self._raw = raw
        self._statements: dict[str, Any] = {}
        self._running = self._lost = False
        self.server = server
        self.used_at = asyncio.get_running_loop().time()

    @property
    def is_fit(self) -> bool:
        """Say whether others may use it: nothing is under way, unread or uncommitted, and the other end is there."""
        raw = self._raw
        broken = self._running or self._lost or raw._stream_broken
        return not (broken or raw.server_status & _IN_TRANSACTION)

    @property
    def is_running(self) -> bool:
        """Say whether the server may still be busy with a statement that was left."""
        return self._running and not self._lost

    @property
    def thread(self) -> int:
        """The number by which the server can be told to end the session."""
        return int(self._raw.thread_id())

    async def execute(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
        """Run a statement with ``?`` for values; answers what asyncmy calls a result."""
        self._running = True
        try:
            statement = self._statements.pop(sql, None)
            if statement is None:
                statement = await self._prepared(sql)
            self._statements[sql] = statement
            result = await statement.execute(values)
        except Exception as error:
            self._learn(error)
            raise
        self._running = False
        return result

    async def rows(self, sql: str, values: Sequence[Any] = ()) -> list[RawRow]:
        """Run a reading statement."""
        return list((await self.execute(sql, tuple(values))).rows or ())

    async def say(self, sql: str) -> None:
        """Run a statement without values, such as those that the server does not prepare."""
        await self.sets(sql)

    async def sets(self, sql: str) -> list[ResultSet]:
        """Run a statement without values and answer all its result sets."""
        raw = self._raw
        self._running = True
        found: list[ResultSet] = []
        with self._learning():
            await raw.query(sql)
            while True:
                result = raw._result
                if result.description is not None:
                    columns = [(one[0], one[1], one[3]) for one in result.description]
                    found.append(ResultSet(columns, list(result.rows)))
                if not result.has_next:
                    break
                await raw.next_result()
        self._running = False
        return found

    async def start_stream(self, sql: str, values: tuple[Any, ...]) -> Any:
        """Start a reading statement and answer what ``next_rows`` takes; nobody else may use the session afterwards.

        The driver reads row by row what came as text only, and what it prepares it reads as a whole. So the statement
        is prepared in the words of SQL, with values that were sent as such beforehand.
        """
        from asyncmy.cursors import SSCursor

        names = [f"@trunkline_{place}" for place in range(len(values))]
        await self.execute(f"SET {', '.join(f'{name} = ?' for name in ['@trunkline_sql', *names])}", (sql, *values))
        await self.say("PREPARE trunkline_stream FROM @trunkline_sql")
        # Whoever takes the rows may be slow: the server shall wait for us as long as we wait for them.
        await self.say(f"SET SESSION net_write_timeout = {_SLOWEST_SECONDS}")
        cursor = self._raw.cursor(SSCursor)
        self._running = True
        with self._learning():
            await cursor.execute(f"EXECUTE trunkline_stream{' USING ' if names else ''}{', '.join(names)}")
        return cursor

    async def next_rows(self, cursor: Any, size: int) -> list[RawRow]:
        """Read the next rows of a stream; none when it has ended. Meanwhile nothing more is taken from the network."""
        transport = self._raw._transport
        with self._learning():
            if transport is not None:
                transport.resume_reading()
            rows: list[RawRow] = await cursor.fetchmany(size)
            if rows and not transport.is_closing():
                transport.pause_reading()
        self._running = bool(rows)
        return rows

    async def ping(self) -> None:
        """Ask whether the server is there; raises when it is not."""
        await self._raw.ping(reconnect=False)

    def close(self) -> None:
        """Hang up at once: the server rolls back what was not committed."""
        self._lost = True
        self._raw.close()

    async def leave(self) -> None:
        """Say goodbye and hang up."""
        try:
            await self._raw.ensure_closed()
        except OSError:
            self._raw.close()

    async def _prepared(self, sql: str) -> Any:
        while len(self._statements) >= _STATEMENTS_REMEMBERED:
            await self._statements.pop(next(iter(self._statements))).close()
        return await self._raw.prepare(sql)

    @contextlib.contextmanager
    def _learning(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._learn(error)
            raise

    def _learn(self, error: Exception) -> None:
        """Learn from an error what has become of the connection.

        Only the server's own words have an SQLSTATE, and they end its reply; texts are encoded before anything is
        sent. After all else nobody knows what is still to be read.
        """
        if getattr(error, "sqlstate", None) is not None or isinstance(error, UnicodeEncodeError):
            self._running = False
        else:
            self._lost = True


async def connect(settings: Settings) -> Connection:
    """Open a session; raises NotConnected, or the server's own error when it refuses."""
    import asyncmy.connection
    from asyncmy.converters import conversions
    from asyncmy.errors import MySQLError

    raw: Any = None
    make: Any = asyncmy.connection.Connection
    try:
        raw = make(
            **settings.connect,
            connect_timeout=settings.connect_timeout,
            client_flag=_FOUND_ROWS,
            autocommit=True,
            conv={key: convert for key, convert in conversions.items() if key not in _TEMPORAL},
        )
        # Never two statements in one text: nothing here says so, and nobody else shall be able to.
        raw._client_flag &= ~_MULTI_STATEMENTS
        async with asyncio.timeout(settings.connect_timeout):
            await raw.connect()
            return await _set_up(raw, settings)
    except BaseException as error:
        if raw is not None:
            raw.close()
        if isinstance(error, MySQLError) and isinstance(error.args[0], int):
            raise
        if isinstance(error, Exception):
            raise NotConnected("no connection could be made") from error
        raise


async def _set_up(raw: Any, settings: Settings) -> Connection:
    connection = Connection(raw, Server("", None))
    for sql, values in settings.session:
        await connection.execute(sql, tuple(values))
    for sql in settings.statements:
        await connection.say(sql)
    ((version, database),) = await connection.rows("SELECT version(), database()")
    connection.server = Server(version, database)
    return connection
