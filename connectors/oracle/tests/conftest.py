"""A stand-in for the server: it has the methods of the driver's own classes, and answers what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import create_autospec

import oracledb
import pytest
from oracledb.errors import _Error


def failure(message: str, code: int = 0) -> oracledb.Error:
    """Make the exception that the driver raises for a message of the server, or of its own."""
    told = _Error(message, code=code)
    kind: type[oracledb.Error] = told.exc_type
    return kind(told)


class Script:
    """What was said to the server, in order, and what it answers to texts that have something in them."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.told: list[dict[str, Any]] = []
        self.values: list[Any] = []
        self.connections: list[Any] = []
        self.variables: list[Any] = []
        self._answers: list[tuple[str, Any, Sequence[str]]] = []
        self.returned: list[Any] = []
        self.implicit: list[Any] = []

    def answer(self, part: str, rows: Any, names: Sequence[str] = ("A",)) -> None:
        """Answer rows, or raise what is an exception, or call what can be called."""
        self._answers.append((part, rows, names))

    async def connect(self, **told: Any) -> Any:
        """Open a session."""
        self.told.append(told)
        connection = create_autospec(oracledb.AsyncConnection, instance=True)
        connection.is_healthy.return_value = True
        connection.transaction_in_progress = False
        connection.cursor.side_effect = self.cursor
        connection.execute.side_effect = self._said
        for name in ("commit", "rollback", "ping", "close"):
            getattr(connection, name).side_effect = self._noted(name)
        connection.cancel.side_effect = lambda: self.said.append("cancel")
        connection.terminate.side_effect = lambda: self.said.append("terminate")
        self.connections.append(connection)
        return connection

    def cursor(self, rows: Any = None, names: Sequence[str] = ("A",)) -> Any:
        """Open a cursor, or make one that has rows already."""
        cursor = create_autospec(oracledb.AsyncCursor, instance=True)
        cursor.__enter__.return_value = cursor
        cursor.__exit__.return_value = None
        cursor.arraysize, cursor.rowcount = 100, 1
        left = list(rows or ())
        cursor.description = [(name,) for name in names] if rows is not None else None

        async def execute(sql: str, values: Any = None) -> None:
            found = await self._said(sql, values)
            left[:] = found[0] if found else []
            cursor.description = [(name,) for name in found[1]] if found else None

        async def executemany(sql: str, many: Any, *, batcherrors: bool, arraydmlrowcounts: bool) -> None:
            assert (batcherrors, arraydmlrowcounts) == (False, True)
            await self._said(sql, many)
            cursor.getarraydmlrowcounts.return_value = [1] * len(many)

        async def fetchall() -> list[Any]:
            return left

        async def fetchmany(size: int) -> list[Any]:
            part, left[:] = left[:size], left[size:]
            return part

        cursor.execute.side_effect = execute
        cursor.executemany.side_effect = executemany
        cursor.fetchall.side_effect = fetchall
        cursor.fetchmany.side_effect = fetchmany
        cursor.getimplicitresults.side_effect = self._implicit
        cursor.var.side_effect = self._variable
        return cursor

    def _implicit(self) -> list[Any]:
        if not self.implicit:
            # As the driver does: it does not tell nothing from not having run.
            raise failure("DPY-1004: no statement executed")
        return self.implicit

    def _variable(self, kind: Any, size: int = 0, **more: Any) -> Any:
        variable = create_autospec(oracledb.Var, instance=True)
        variable.asked = (kind, size, more)
        number = len(self.variables)
        variable.values = self.returned[number] if number < len(self.returned) else [[]]
        variable.getvalue.side_effect = lambda pos=0: variable.values[pos]
        self.variables.append(variable)
        return variable

    async def _said(self, sql: str, values: Any = None) -> Any:
        text = " ".join(sql.split())
        self.said.append(text)
        self.values.append(values)
        for part, rows, names in self._answers:
            if part in text:
                if isinstance(rows, BaseException):
                    raise rows
                if callable(rows):
                    return await rows()
                return rows, names
        return None

    def _noted(self, name: str) -> Callable[[], Any]:
        async def note() -> None:
            self.said.append(name)

        return note


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """A stand-in that the driver's way to connect leads to."""
    made = Script()
    monkeypatch.setattr(oracledb, "connect_async", made.connect)
    return made


@pytest.fixture
def fail() -> Callable[..., oracledb.Error]:
    """What makes the driver's exceptions."""
    return failure
