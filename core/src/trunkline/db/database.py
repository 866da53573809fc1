"""The system database as the kernel uses it: one engine, work in worker threads, changes that bump a revision."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig

from trunkline.db import engines, tables
from trunkline.errors import Unavailable
from trunkline.revisions import CONFIG, SESSIONS, Revisions
from trunkline.settings import BadSettings, Settings
from trunkline.threads import in_thread

T = TypeVar("T")
# Any number that no other program uses for its advisory lock.
_LOCK_ID = 7_239_411
# Seconds to wait for a connection: a new one, one of the pool, or one that is to be given back at the end.
_PATIENCE = 5


class Database:
    """Runs functions on a connection to the system database, in transactions."""

    def __init__(self, settings: Settings) -> None:
        """Make the engine; nothing connects yet."""
        self.settings = settings
        url = engines.url_of(settings)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            settings.storage.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            # Parameters stay out of error texts: they are hashes and ciphertexts, and the log is no place for them.
            self.engine = sa.create_engine(
                url,
                pool_pre_ping=not self.is_sqlite,
                pool_size=8,
                max_overflow=8,
                pool_timeout=_PATIENCE,
                hide_parameters=True,
                connect_args={} if self.is_sqlite else {"connect_timeout": _PATIENCE},
            )
        except ModuleNotFoundError as error:
            extra = engines.EXTRAS[settings.db_connection]
            raise BadSettings(f"DB_CONNECTION needs a driver. Try: pip install 'trunkline[{extra}]'") from error
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_immediate)
        self.revisions = Revisions(settings.storage)

    def read(self, function: Callable[[sa.Connection], T]) -> T:
        """Run ``function`` on a connection; blocks. Raises Unavailable when the database is not there."""
        with _translated(), self.engine.connect().execution_options(readonly=True) as connection:
            return function(connection)

    def change(self, function: Callable[[sa.Connection], T], *, which: int | None = CONFIG) -> T:
        """Run ``function`` in a transaction and tell all workers that what they hold is stale; blocks.

        ``which`` is the revision to raise, None for changes that nobody caches.
        """
        with _translated():
            with self.engine.begin() as connection:
                result = function(connection)
                if which is not None:
                    self.revisions.bump(connection, which)
            if which is not None:
                self.poll()
        return result

    def poll(self) -> None:
        """Learn the revisions that other nodes have written; blocks."""
        self.read(self.revisions.publish)

    async def aread(self, function: Callable[[sa.Connection], T]) -> T:
        """Do as read does, in a worker thread."""
        return await in_thread(self.read, function)

    async def achange(self, function: Callable[[sa.Connection], T]) -> T:
        """Do as change does for configuration, in a worker thread."""
        return await in_thread(self.change, function)

    def revoke_sessions(self) -> None:
        """Tell all workers that a session token was revoked; blocks."""
        self.change(lambda _connection: None, which=SESSIONS)

    def migrate(self) -> None:
        """Bring the tables up to date, one process at a time."""
        config = AlembicConfig()
        config.set_main_option("script_location", "trunkline.db:migrations")
        config.set_main_option("path_separator", "os")
        with _translated(), self.exclusive():
            with self.engine.begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
            # Tables of plugins have no migrations of their own yet: they are created when missing.
            tables.metadata.create_all(self.engine)
        self.poll()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold a lock across processes of this machine (SQLite) or nodes (servers): migrations, the first set-up."""
        if self.is_sqlite:
            descriptor = os.open(self.settings.storage / "migrate.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)
            return
        take, release = {
            "postgresql": (f"select pg_advisory_lock({_LOCK_ID})", f"select pg_advisory_unlock({_LOCK_ID})"),
            "mysql": ("select get_lock('trunkline', 60)", "select release_lock('trunkline')"),
        }[self.engine.dialect.name]
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if connection.scalar(sa.text(take)) == 0:
                raise Unavailable("Another node has been migrating the system database for a minute.")
            try:
                yield
            finally:
                connection.execute(sa.text(release))

    def close(self) -> None:
        """Close all connections, when threads whose callers do not wait any more have given theirs back."""
        pool, deadline = self.engine.pool, time.monotonic() + _PATIENCE
        while isinstance(pool, sa.QueuePool) and pool.checkedout() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.engine.dispose()
        self.revisions.close()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=wal", "foreign_keys=on", "busy_timeout=30000", "synchronous=normal"):
        connection.execute(f"pragma {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    """Take the write lock at the start: a reader that turns writer would fail at once instead of waiting."""
    readonly = connection.get_execution_options().get("readonly")
    connection.exec_driver_sql("begin" if readonly else "begin immediate")


# Conditions that pass by themselves: serialization failures, no resources, shutting down, lock not available.
_PASSING_STATES = ("40", "53", "57", "55P03")
_PASSING_SQLITE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN)
# MySQL: lock wait timeout, deadlock.
_PASSING_NUMBERS = (1205, 1213)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn a system database that cannot serve just now into a 503; anything else stays what it is."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise _unavailable() from error
    except sa.exc.DBAPIError as error:
        if _is_passing(error):
            raise _unavailable() from error
        raise


def _unavailable() -> Unavailable:
    return Unavailable("The system database is not available.", headers={"Retry-After": "5"})


def _is_passing(error: sa.exc.DBAPIError) -> bool:
    """Say whether the connection is the trouble, or something that passes, rather than the statement."""
    if error.connection_invalidated or error.statement is None:
        return True
    original: Any = error.orig
    if isinstance(original, sqlite3.OperationalError):
        return (original.sqlite_errorcode & 0xFF) in _PASSING_SQLITE
    if (state := getattr(original, "sqlstate", None)) is not None:
        return str(state).startswith(_PASSING_STATES)
    return bool(original.args) and original.args[0] in _PASSING_NUMBERS
