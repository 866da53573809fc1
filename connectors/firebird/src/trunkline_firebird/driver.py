"""Talking to Firebird: its own synchronous driver in threads, on a pool of connections that mends itself."""

from __future__ import annotations

import datetime as dt
import socket
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from trunkline_database.sql.threaded import DEFAULT_READ_TIMEOUT, ThreadedDriver
from trunkline_firebird.connection import Connection
from trunkline_firebird.rendering import FirebirdRendering

_CONNECT_SECONDS = 10
# A session's distance to UTC is that of its beginning, so none gets old.
_RECYCLE_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is, and who logs in."""

    host: str
    port: int
    database: str
    username: str
    password: str = field(repr=False)
    charset: str = "UTF8"


class FirebirdDriver(ThreadedDriver):
    """Runs statements in threads; one that nobody waits for any more is stopped on the server."""

    def __init__(self, address: Address, read_timeout: float = DEFAULT_READ_TIMEOUT) -> None:
        """Take the address; nothing connects yet."""
        self._address = address
        dialect = FirebirdRendering()
        pool = QueuePool(self._connect, 8, 24, 10, recycle=_RECYCLE_SECONDS, pre_ping=True, dialect=dialect)
        super().__init__(sa.Engine(pool, dialect, sa.URL.create("firebird")), read_timeout)

    def interrupt(self, connection: Any) -> None:
        """Stop the statement that a connection is running."""
        connection.cancel()

    def open_cursor(self, connection: Any) -> Any:
        """Open a cursor that leaves rows with the server."""
        return connection.stream()

    def _connect(self) -> Any:
        from firebird.driver import connect  # type: ignore[import-untyped]  # brings no types

        one = self._address
        # The client library knows no time limit for this, and would hold its thread for minutes.
        socket.create_connection((one.host, one.port), timeout=_CONNECT_SECONDS).close()
        host = f"[{one.host}]" if ":" in one.host else one.host
        connection = Connection(
            connect(f"{host}/{one.port}:{one.database}", user=one.username, password=one.password, charset=one.charset)
        )
        connection.set_clock(dt.datetime.now(dt.UTC).replace(tzinfo=None))
        return connection
