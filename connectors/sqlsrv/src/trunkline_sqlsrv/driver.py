"""SQL Server through python-tds, in threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.mssql.base import MSDialect, MSIdentifierPreparer
from sqlalchemy.pool import NullPool, PoolProxiedConnection, QueuePool

from trunkline.threads import in_thread
from trunkline_database.sql.threaded import DEFAULT_READ_TIMEOUT, ThreadedDriver
from trunkline_sqlsrv.connection import Connection, Settings, connect

T = TypeVar("T")
_NAME = "mssql.trunkline"
# What ends a session, besides all errors of this severity and above.
_FATAL_SEVERITY = 20
_PING_SECONDS = 5.0


class _Preparer(MSIdentifierPreparer):
    """Quotes names; SQLAlchemy's own forgets the signs of percent in them."""

    def _escape_identifier(self, value: str) -> str:
        escaped = str(super()._escape_identifier(value))  # type: ignore[no-untyped-call]  # SQLAlchemy's
        return escaped.replace("%", "%%") if self._double_percents else escaped


class PytdsDialect(MSDialect):
    """SQLAlchemy's dialect for statements with ``%s``; what a server is need not be asked."""

    driver = "trunkline"
    supports_statement_cache = True
    preparer = _Preparer
    server_version_info = (15,)  # type: ignore[assignment]  # declared as empty there

    def __init__(self, values: bool = True, **options: Any) -> None:
        """Render for python-tds, which wants signs of percent doubled; without values none shall be."""
        super().__init__(**{**options, "paramstyle": "format" if values else "qmark"})  # type: ignore[no-untyped-call]  # SQLAlchemy's own
        self._setup_version_attributes()  # type: ignore[no-untyped-call]

    @classmethod
    def import_dbapi(cls) -> Any:
        """Answer the driver's module."""
        import pytds

        return pytds

    def initialize(self, connection: Any) -> None:
        """Ask nothing."""

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Say whether a connection that was kept can be used."""
        return bool(dbapi_connection.ping(_PING_SECONDS))

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        """Say whether an error means that the other end is gone."""
        import pytds

        lost = isinstance(e, OSError | pytds.ClosedConnectionError | pytds.InterfaceError)
        return lost or getattr(e, "severity", 0) >= _FATAL_SEVERITY


registry.register(_NAME, __name__, PytdsDialect.__name__)


class SqlsrvDriver(ThreadedDriver):
    """A pool of connections; a statement whose time is up, or whose client left, is ended by cutting its connection."""

    begin = "BEGIN TRANSACTION"
    parts = ("SAVE TRANSACTION {}", "ROLLBACK TRANSACTION {}", "")

    def __init__(
        self, settings: Settings, size: int, patience: float, read_timeout: float = DEFAULT_READ_TIMEOUT
    ) -> None:
        """Take how to connect, how many connections to keep (0 keeps none), and seconds to wait for one."""
        options: dict[str, Any] = (
            {"poolclass": QueuePool, "pool_size": size, "max_overflow": 0, "pool_timeout": patience}
            if size
            else {"poolclass": NullPool}
        )
        engine = sa.create_engine(
            f"{_NAME.replace('.', '+')}://",
            creator=lambda: connect(settings),
            pool_reset_on_return=None,
            pool_pre_ping=True,
            **options,
        )
        super().__init__(engine, read_timeout)

    def interrupt(self, connection: Connection) -> None:
        """Stop what a connection is doing."""
        connection.stop()

    def drop_if_lost(self, lent: PoolProxiedConnection, error: Exception) -> None:
        """Throw a connection away when its error says that the other end is gone."""
        if self.engine.dialect.is_disconnect(error, lent, None):  # type: ignore[arg-type]  # any error may be asked for
            lent.invalidate(error)

    async def define(self, statements: Sequence[str]) -> None:
        """Run statements that change the structure in one transaction."""

        def work(connection: Connection) -> None:
            connection.say(self.begin)
            try:
                for statement in statements:
                    connection.say(statement)
            except BaseException:
                connection.say("IF @@TRANCOUNT > 0 ROLLBACK")
                raise
            connection.say("COMMIT")

        await self.on_connection(work)

    async def on_connection(self, function: Callable[[Connection], T]) -> T:
        """Run a function on a connection, in a thread."""

        def work() -> T:
            with self.connected() as connection:
                return function(connection)

        return await in_thread(work)
