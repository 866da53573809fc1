"""From plans to SQL: built once for each shape, after that only values are collected (architecture: hot path)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from cachetools import LRUCache

from trunkline_database.filters import Comparison, Function, Literal, Node, Not, Scalar
from trunkline_database.model import Column, Table
from trunkline_database.plan import Select
from trunkline_database.sql.build import Builder, padded
from trunkline_database.sql.dialect import Dialect
from trunkline_database.sql.statement import Statement
from trunkline_database.store import Arithmetic

# Enough for every shape that a few applications send; the rest is compiled anew.
_REMEMBERED = 2048


class Compiler:
    """Compiles for one dialect and remembers by shape. Call it from one thread only."""

    def __init__(self, dialect: Dialect) -> None:
        """Remember nothing yet."""
        self.dialect = dialect
        self._known: LRUCache[Hashable, Any] = LRUCache(_REMEMBERED)

    def select(self, plan: Select) -> tuple[Statement, list[Any]]:
        """Compile a read."""
        shape, values = _read_shape(plan)
        return self._compiled(shape, lambda: Builder(self.dialect).select(plan)), values

    def select_json(self, plan: Select) -> tuple[Statement | None, list[Any]]:
        """Compile a read that answers JSON; None where the engine would not write it as we do."""
        if not self.dialect.writes_json or not all(isinstance(one, Column) for one in plan.fields):
            return None, []
        shape, values = _read_shape(plan)
        shape = ("json", shape)
        if shape not in self._known:
            self._known[shape] = Builder(self.dialect).select_json(plan)
        return self._known[shape], values

    def count(self, plan: Select) -> tuple[Statement, list[Any]]:
        """Compile the count of what a plan reads without limit."""
        values: list[Any] = []
        shape = ("count", plan.table, shape_of(plan.where, values), plan.group, plan.fields if plan.group else ())
        return self._compiled(shape, lambda: Builder(self.dialect).count(plan)), values

    def insert(
        self, table: Table, row: Mapping[str, Any], returning: Sequence[Column], check: Node | None = None
    ) -> tuple[Statement, Callable[[Mapping[str, Any]], list[Any]], list[Any]]:
        """Compile an insert for rows with the same columns.

        Answers also what collects the values of such a row, and the values that follow them for the check.
        """
        more: list[Any] = []
        given = tuple((name, value.name if isinstance(value, Function) else None) for name, value in row.items())
        bound = [name for name, function in given if function is None]
        statement = self._compiled(
            ("insert", table, given, tuple(returning), shape_of(check, more)),
            lambda: Builder(self.dialect).insert(table, given, returning, check),
        )
        return statement, lambda one: [one[name] for name in bound], more

    def insert_many(
        self, table: Table, rows: Sequence[Mapping[str, Any]], returning: Sequence[Column], check: Node | None
    ) -> tuple[Statement, list[Any]]:
        """Compile one insert for any number of rows with the same columns and no functions."""
        names = tuple(rows[0])
        values: list[Any] = [[row[name] for row in rows] for name in names]
        shape = ("insert_many", table, names, tuple(returning), shape_of(check, values))
        return self._compiled(shape, lambda: Builder(self.dialect).insert_many(table, names, returning, check)), values

    def update(
        self, table: Table, where: Node | None, changes: Mapping[str, Any], check: Node | None = None
    ) -> tuple[Statement, list[Any]]:
        """Compile an update."""
        values: list[Any] = []
        given = tuple((name, _change_shape(value, values)) for name, value in changes.items())
        shape = ("update", table, given, shape_of(where, values), shape_of(check, values))
        return self._compiled(shape, lambda: Builder(self.dialect).update(table, where, changes, check)), values

    def delete(self, table: Table, where: Node | None) -> tuple[Statement, list[Any]]:
        """Compile a delete."""
        values: list[Any] = []
        shape = ("delete", table, shape_of(where, values))
        return self._compiled(shape, lambda: Builder(self.dialect).delete(table, where)), values

    def texts(self) -> list[str]:
        """List the texts that are remembered."""
        return [one.text for one in self._known.values() if one is not None]

    def _compiled(self, shape: Hashable, build: Callable[[], Statement]) -> Statement:
        statement: Statement | None = self._known.get(shape)
        if statement is None:
            statement = self._known[shape] = build()
        return statement


# Shapes: what a statement is without its values, which are collected in the order of the text that will be built.


def _read_shape(plan: Select) -> tuple[Hashable, list[Any]]:
    values: list[Any] = []
    shape = (
        plan.table, plan.fields, shape_of(plan.where, values), plan.order, plan.group,
        plan.limit is None, not plan.offset, plan.per, plan.lock, _via_shape(plan, values),
    )  # fmt: skip
    if plan.limit is not None:
        values.append(plan.limit if plan.per is None and plan.via is None else plan.offset + plan.limit)
    if plan.offset:
        values.append(plan.offset)
    return shape, values


def shape_of(node: Node | None, values: list[Any]) -> Hashable:
    """Answer the shape of a tree and append its values."""
    if node is None:
        return None
    if isinstance(node, Comparison):
        value = node.value
        if type(value) is Literal:
            values.append(_pattern(node.op, value.value))
            return (node.field, node.op)
        if value is None:
            return (node.field, node.op)
        if not isinstance(value, tuple):
            return (node.field, node.op, value)
        return (node.field, node.op, tuple(_item_shape(one, values) for one in padded(value)))
    if isinstance(node, Not):
        return (Not, shape_of(node.item, values))
    return (type(node), tuple(shape_of(item, values) for item in node.items))


def _item_shape(item: Scalar, values: list[Any]) -> Hashable:
    if isinstance(item, Literal):
        values.append(item.value)
        return None
    return item


def _pattern(op: str, value: Any) -> Any:
    """Put the wildcards round a value; those inside it keep their meaning, as recorded (database-api 8.2)."""
    if value is None:
        return None
    if op.endswith("contains"):
        return f"%{value}%"
    if op.endswith("starts with"):
        return f"{value}%"
    return f"%{value}" if op.endswith("ends with") else value


def _change_shape(value: Any, values: list[Any]) -> Hashable:
    if isinstance(value, Function):
        return value
    if isinstance(value, Arithmetic):
        values.append(value.number)
        return (value.column, value.operator)
    values.append(value)
    return None


def _via_shape(plan: Select, values: list[Any]) -> Hashable:
    via = plan.via
    if via is None:
        return None
    keys = padded(tuple(Literal(key) for key in via.keys))
    values.extend(key.value for key in keys if isinstance(key, Literal))
    return (via.table, via.parent, via.ref, via.joined, len(keys), shape_of(via.where, values))
