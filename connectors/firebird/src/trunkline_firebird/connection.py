"""A connection that commits each statement at once unless a transaction is open, as a driver in threads wants it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import Any

from firebird.driver import (  # type: ignore[import-untyped]  # brings no types
    TPB,
    CancelType,
    Error,
    Isolation,
    StatementType,
    TraAccessMode,
)

# Seconds that a statement waits for rows and tables that others hold.
LOCK_SECONDS = 10
_TOUCHING = frozenset({StatementType.INSERT, StatementType.UPDATE, StatementType.DELETE})
# Firebird 3 knows only the time of the server's clock, so each session is told how many minutes that is ahead of UTC.
_CLOCK = """
    SELECT RDB$SET_CONTEXT('USER_SESSION', 'AHEAD_OF_UTC',
      CAST(ROUND(DATEDIFF(SECOND FROM CAST(? AS TIMESTAMP) TO CURRENT_TIMESTAMP) / 900.0) AS INTEGER) * 15)
    FROM RDB$DATABASE
"""


class Connection:
    """Wraps a connection of the driver's; SQLAlchemy's pool and connections see a DBAPI connection in autocommit."""

    def __init__(self, wrapped: Any) -> None:
        """Take a connection of the driver's."""
        self._wrapped = wrapped
        self._open = False
        # Every statement sees what others have committed, and none waits for ever.
        wrapped.main_transaction.default_tpb = TPB(
            access_mode=TraAccessMode.WRITE,
            isolation=Isolation.READ_COMMITTED_RECORD_VERSION,
            lock_timeout=LOCK_SECONDS,
        ).get_buffer()

    def cursor(self) -> Cursor:
        """Make a cursor."""
        return Cursor(self)

    def stream(self) -> StreamingCursor:
        """Make a cursor that leaves rows with the server until they are fetched."""
        return StreamingCursor(self._wrapped)

    def run(self, sql: str, values: Sequence[Any]) -> Cursor:
        """Run a statement, or one of the words BEGIN, COMMIT and ROLLBACK."""
        cursor = Cursor(self)
        cursor.execute(sql, values)
        return cursor

    def set_clock(self, now: Any) -> None:
        """Tell the session what time it is in UTC."""
        self.run(_CLOCK, (now,))

    def commit(self) -> None:
        """Do nothing: statements alone begin and end transactions, never SQLAlchemy's good manners."""

    def rollback(self) -> None:
        """Undo what was left open, if anything was."""
        if self._open:
            self.end("ROLLBACK")

    def close(self) -> None:
        """Let go of the connection, which the server may have ended before."""
        with contextlib.suppress(Error):
            self._wrapped.close()

    def ping(self) -> None:
        """Ask the server for a sign of life; raises the driver's error."""
        self._wrapped.ping()

    def cancel(self) -> None:
        """Stop what is running, from another thread; when nothing is, that is good as well."""
        with contextlib.suppress(Error, AttributeError):
            # The driver has this call at the attachment alone.
            self._wrapped._att.cancel_operation(CancelType.RAISE)

    def begin(self) -> None:
        """Begin a transaction."""
        self._wrapped.begin()
        self._open = True

    def end(self, word: str) -> None:
        """Commit or roll back; what cannot be committed is rolled back."""
        self._open = False
        if word == "ROLLBACK":
            self._wrapped.rollback()
            return
        try:
            self._wrapped.commit()
        except Error:
            with contextlib.suppress(Error):
                self._wrapped.rollback()
            raise

    def perform(self, sql: str, values: Sequence[Any]) -> tuple[list[str], list[tuple[Any, ...]], int]:
        """Run a statement to its end and answer its columns, its rows and how many rows it touched.

        The statement is freed before the commit, which takes word of that to the server: a statement that is still
        known there would keep others from dropping its tables.
        """
        try:
            found = self._perform(sql, values)
        except BaseException:
            if not self._open and self._wrapped.is_active():
                with contextlib.suppress(Error):
                    self._wrapped.rollback()
            raise
        if not self._open:
            self.end("COMMIT")
        return found

    def _perform(self, sql: str, values: Sequence[Any]) -> tuple[list[str], list[tuple[Any, ...]], int]:
        cursor = self._wrapped.cursor()
        # Large values are wanted whole, as the cursor is about to be closed.
        cursor.stream_blob_threshold = sys.maxsize
        try:
            cursor.execute(sql, values)
            statement = cursor.statement
            rows = cursor.fetchall()
            count = cursor.affected_rows if statement.type in _TOUCHING else -1
            # Its ``description`` would ask the server for the precision of each decimal column.
            return list(statement._names), rows, count
        finally:
            _let_go(cursor)


class Cursor:
    """The last statement of a connection: all of its rows."""

    lastrowid = None

    def __init__(self, connection: Connection) -> None:
        """Make a cursor without rows."""
        self._connection = connection
        self._rows: list[tuple[Any, ...]] = []
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run a statement."""
        self.description, self._rows, self.rowcount = None, [], -1
        if sql == "BEGIN":
            self._connection.begin()
        elif sql in ("COMMIT", "ROLLBACK"):
            self._connection.end(sql)
        else:
            names, self._rows, self.rowcount = self._connection.perform(sql, values)
            self.description = [(name, None, None, None, None, None, None) for name in names] or None

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Answer the rows that are left."""
        rows, self._rows = self._rows, []
        return rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """Answer the next row."""
        return self._rows.pop(0) if self._rows else None

    def close(self) -> None:
        """Forget the rows."""
        self._rows = []


class StreamingCursor:
    """A reading statement in a transaction of its own, which ends when it is closed."""

    def __init__(self, wrapped: Any) -> None:
        """Take a connection of the driver's that nobody else uses meanwhile."""
        self._wrapped = wrapped
        self._cursor = wrapped.cursor()
        self._cursor.stream_blob_threshold = sys.maxsize

    def execute(self, sql: str, values: Sequence[Any]) -> None:
        """Run the statement."""
        self._cursor.execute(sql, values)

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        """Answer the next rows, none at the end."""
        rows: list[tuple[Any, ...]] = self._cursor.fetchmany(size)
        return rows

    def close(self) -> None:
        """Free the statement and end its transaction, also when the server went away."""
        _let_go(self._cursor)
        if self._wrapped.is_active():
            with contextlib.suppress(Error):
                self._wrapped.commit()


def _let_go(cursor: Any) -> None:
    """Close a cursor of the driver's, also when the server went away.

    What it cannot give back then it would keep, and warn of again and again.
    """
    try:
        cursor.close()
    except Error:
        statement = cursor._stmt
        cursor._result = cursor._stmt = None
        if statement is not None:
            with contextlib.suppress(Error):
                statement.free()
            statement._istmt = None
