"""Rows held for a write, and what expressions make of them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from trunkline.errors import BadRequest
from trunkline_cassandra.columns import CqlColumn
from trunkline_cassandra.kinds import bound, kept, now
from trunkline_cassandra.routes import column_in
from trunkline_database import types
from trunkline_database.documents import values as documents
from trunkline_database.filters import Function
from trunkline_database.model import Column, Table
from trunkline_database.store import Arithmetic

T = TypeVar("T")
R = TypeVar("R")
# Rows written at the same time.
AT_ONCE = 64
# What has no equality in CQL, or one that no value keeps.
_UNGUARDED = frozenset({"array", "json", "float", "double"})


@dataclass(frozen=True, slots=True)
class Held:
    """A row as it was read, by real names: as the driver has it."""

    raw: Mapping[str, Any]

    def record(self, table: Table) -> dict[str, Any]:
        """Answer the row as it is judged."""
        return {name: kept(column_in(table, name).kind, value) for name, value in self.raw.items()}

    def guards(self, table: Table) -> dict[str, Any]:
        """Answer the values that must still be there when the row is written."""
        columns = {name: column_in(table, name) for name in self.raw}
        return {
            name: self.raw[name]
            for name, one in columns.items()
            if not one.is_primary_key and one.type not in _UNGUARDED and one.kind.name != "counter"
        }

    def new(self, table: Table, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Answer new values, those of expressions calculated from what is stored."""
        return {name: self._new(table, column_in(table, name), value) for name, value in changes.items()}

    def _new(self, table: Table, column: CqlColumn, value: Any) -> Any:
        if isinstance(value, Function):
            return computed(column, value)
        if not isinstance(value, Arithmetic):
            return value
        name = value.column.name
        return _calculated(column, value, kept(column_in(table, name).kind, self.raw[name]))


def own(columns: Iterable[Column]) -> list[CqlColumn]:
    """List columns as what they are here."""
    return [one for one in columns if isinstance(one, CqlColumn)]


def counts(table: Table) -> bool:
    """Say whether a table has counters, and so nothing else beside its key."""
    return any(one.kind.name == "counter" for one in own(table.stored))


def given(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Answer typed values as the driver takes them."""
    columns = {name: column_in(table, name) for name in values}
    return {name: bound(columns[name].kind, columns[name], value) for name, value in values.items()}


def computed(column: CqlColumn, function: Function) -> Any:
    """Answer the value of a function."""
    return now() if column.kind.name == "timeuuid" else documents.now(column, function)


async def at_once(items: Sequence[T], step: Callable[[T], Awaitable[R]]) -> list[R | BaseException]:
    """Take a step for each of many, some at the same time; answers results and what was raised, in order."""
    done: list[R | BaseException] = []
    for start in range(0, len(items), AT_ONCE):
        done += await asyncio.gather(*map(step, items[start : start + AT_ONCE]), return_exceptions=True)
    return done


def raised(done: list[R | BaseException]) -> list[R]:
    """Answer the results, or raise the first of what was raised."""
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return done  # type: ignore[return-value]  # as was just seen


def _calculated(column: CqlColumn, value: Arithmetic, stored: Any) -> Any:
    """Calculate as SQL does: nothing stays nothing, and whole numbers stay whole."""
    if stored is None:
        return None
    number: Any = value.number
    if isinstance(stored, Decimal) or (isinstance(number, float) and not isinstance(stored, float)):
        stored, number = Decimal(str(stored)), Decimal(str(number))
    try:
        result: Any = {
            "+": lambda: stored + number, "-": lambda: stored - number, "*": lambda: stored * number,
            "/": lambda: stored / number,
        }[value.operator]()  # fmt: skip
    except ArithmeticError:
        raise BadRequest("A number can not be divided by zero.", context={"sqlstate": "22012"}) from None
    return types.stored(column, math.trunc(result) if column.type in types.INTEGERS else result)
