"""One connection through python-tds: values go beside the text, as parameters of ``sp_executesql``."""

from __future__ import annotations

import contextlib
import socket
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trunkline_sqlsrv import tls

# What a session is told before anything else: the standard's ways, and counts of rows.
SESSION = (
    "SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, QUOTED_IDENTIFIER ON",
    "SET NOCOUNT, XACT_ABORT OFF",
)
# Longer texts and bytes are of types that no index goes with.
_SHORT_TEXT, _SHORT_BINARY = 4000, 8000


@dataclass(frozen=True, slots=True)
class Settings:
    """How to connect; ``encrypt`` is for everything, else only the login is encrypted where the server can."""

    host: str
    port: int
    database: str
    user: str
    password: str
    encrypt: bool = False
    trusting: bool = True
    authorities: str = ""
    readonly: bool = False
    appname: str = "trunkline"
    connect_timeout: float = 10.0
    statements: Sequence[str] = field(default=SESSION)


def connect(settings: Settings) -> Connection:
    """Open a connection and tell the session what it has to know."""
    import pytds

    tls.teach()
    # A socket of our own, as closing it is what stops a statement.
    own = socket.create_connection((settings.host, settings.port), settings.connect_timeout)
    try:
        raw = pytds.connect(
            dsn=settings.host,
            port=settings.port,
            database=settings.database,
            user=settings.user,
            password=settings.password,
            login_timeout=settings.connect_timeout,
            autocommit=True,
            readonly=settings.readonly,
            appname=settings.appname,
            cafile=tls.Wish.of(settings.host, settings.trusting or not settings.encrypt, settings.authorities),
            validate_host=False,
            enc_login_only=not settings.encrypt,
            disable_connect_retry=True,
            bytes_to_unicode=True,
            sock=own,
        )
    except BaseException:
        own.close()
        raise
    own.settimeout(None)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made = Connection(raw, own)
    try:
        for statement in settings.statements:
            made.say(statement)
    except BaseException:
        made.close()
        raise
    return made


class Connection:
    """A connection as SQLAlchemy's pool and the threads take it; each statement commits unless BEGIN was said."""

    def __init__(self, raw: Any, own: socket.socket) -> None:
        """Wrap a connection of python-tds and the socket below it."""
        self.raw = raw
        self._socket = own
        # A thread may give a connection back to a pool that was closed meanwhile, and nobody would close it then.
        weakref.finalize(self, own.close)

    def cursor(self) -> Cursor:
        """Open a cursor."""
        return Cursor(self.raw.cursor())

    def say(self, statement: str) -> None:
        """Run a statement that has no values and no answer."""
        with contextlib.closing(self.cursor()) as cursor:
            cursor.execute(statement.replace("%", "%%"), ())
            cursor.finish()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Sequence[Any]]:
        """Run a reading statement and answer its rows."""
        with contextlib.closing(self.cursor()) as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()

    def ping(self, patience: float) -> bool:
        """Say whether the other end still answers, within some seconds."""
        import pytds

        self._socket.settimeout(patience)
        try:
            self.rows("SELECT 1")
            self._socket.settimeout(None)
        except (pytds.Error, OSError):
            return False
        return True

    def stop(self) -> None:
        """Cut the connection, from any thread: the server ends what it was doing and rolls back."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def commit(self) -> None:
        """Do nothing: what is not in a transaction was committed."""

    def rollback(self) -> None:
        """Do nothing: transactions are ended by whoever began them."""

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(Exception):
            self.raw.close()
        self._socket.close()


class Cursor:
    """Runs one statement and stands on its first result that has columns, if there is one."""

    def __init__(self, raw: Any) -> None:
        """Wrap a cursor of python-tds."""
        self.raw = raw
        self.rowcount = -1
        self.lastrowid = None

    @property
    def description(self) -> Any:
        """What the columns are, None where there are none."""
        return self.raw.description

    def execute(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> None:
        """Run a statement with ``%s`` for each value."""
        self.raw.execute(sql, tuple(parameter(value) for value in values))
        self.rowcount = self.raw.rowcount
        while self.raw.description is None and self.raw.nextset():
            # Triggers tell counts of their own; that of the statement comes last.
            self.rowcount = self.raw.rowcount if self.raw.rowcount >= 0 else self.rowcount

    def call(self, name: str, values: Mapping[str, Any]) -> None:
        """Call a procedure by its quoted name."""
        self.raw.callproc(name, dict(values))

    def fetchall(self) -> list[Sequence[Any]]:
        """Fetch the rows that are left, and hear what else the server has to say: an error may come behind them."""
        rows: list[Sequence[Any]] = self.raw.fetchall()
        self.finish()
        return rows

    def fetchmany(self, size: int) -> list[Sequence[Any]]:
        """Fetch some rows."""
        rows: list[Sequence[Any]] = self.raw.fetchmany(size)
        return rows

    def finish(self) -> None:
        """Read to the end of all results."""
        while self.raw.nextset():
            pass

    def close(self) -> None:
        """Close the cursor; what was not read is cancelled."""
        self.raw.close()


def parameter(value: Any) -> Any:
    """Give a value the narrowest type that it has for the server, so that indexes go with it."""
    import pytds
    from pytds import tds_base, tds_types

    if isinstance(value, str) and _units(value) <= _SHORT_TEXT:
        return tds_base.Param(type=tds_types.NVarCharType(size=_SHORT_TEXT), value=value)
    if isinstance(value, bytes):
        if len(value) <= _SHORT_BINARY:
            return tds_base.Param(type=tds_types.VarBinaryType(size=_SHORT_BINARY), value=value)
        return pytds.Binary(value)
    return value


def _units(text: str) -> int:
    """Count the UTF-16 units of a text."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
