"""A filter's tree against the schema: columns by their real names, values in the columns' types (D9)."""

from __future__ import annotations

from dataclasses import replace

from trunkline_database import types
from trunkline_database.filters import And, BadFilter, Comparison, Function, Literal, Node, Not, Or, Scalar
from trunkline_database.model import Column, Table

# Their values are patterns, whatever the column holds.
_TEXT_OPERATORS = frozenset(
    prefix + word for prefix in ("", "not ") for word in ("like", "contains", "starts with", "ends with")
)


def resolved(table: Table, node: Node, *, real: bool = False) -> Node:
    """Answer the same tree with real column names and typed values; raises BadRequest that names a bad field.

    With ``real`` a column may also be called by its own name: a role's filters outlive the aliases of fields.
    """
    if isinstance(node, Comparison):
        return _comparison(table, node, real)
    if isinstance(node, Not):
        return Not(resolved(table, node.item, real=real))
    return type(node)(tuple(resolved(table, item, real=real) for item in node.items))


def equals(column: Column, value: object) -> Comparison:
    """Build a test of a column for a typed value; None is found, too."""
    if value is None:
        return Comparison(column.name, "is null")
    return Comparison(column.name, "=", Literal(value, quoted=True))


def among(columns: tuple[Column, ...], keys: list[tuple[object, ...]]) -> Node:
    """Build a test of columns for any of several typed keys, of which there is at least one."""
    if len(columns) == 1 and all(key[0] is not None for key in keys):
        return Comparison(columns[0].name, "in", tuple(Literal(key[0], quoted=True) for key in keys))
    nodes = tuple(every(columns, key) for key in keys)
    return Or(nodes) if len(nodes) > 1 else nodes[0]


def every(columns: tuple[Column, ...], key: tuple[object, ...]) -> Node:
    """Build a test of columns for one typed key."""
    nodes = tuple(equals(column, value) for column, value in zip(columns, key, strict=True))
    return And(nodes) if len(nodes) > 1 else nodes[0]


def _comparison(table: Table, node: Comparison, real: bool) -> Comparison:
    column = table.column(node.field) or (table.real_column(node.field) if real else None)
    if column is None or not column.is_filterable:
        raise BadFilter.at_field(node.field)
    value = node.value
    if node.op == "matches":
        return replace(node, field=column.name)
    if value is None:
        return node if node.field == column.name else replace(node, field=column.name)
    as_text = node.op in _TEXT_OPERATORS
    if isinstance(value, tuple):
        return Comparison(column.name, node.op, tuple(_scalar(column, one, as_text) for one in value))
    return Comparison(column.name, node.op, _scalar(column, value, as_text))


def _scalar(column: Column, scalar: Scalar, as_text: bool) -> Scalar:
    if isinstance(scalar, Function):
        return scalar
    # A parameter that nobody filled is the text that it looks like, as recorded.
    value = scalar.value if isinstance(scalar, Literal) else f":{scalar.name}"
    if value is None:
        return Literal(None)
    if column.is_open and not as_text:
        # Whether it was quoted tells what it may be, as no type does.
        return scalar if isinstance(scalar, Literal) else Literal(value)
    if as_text:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return Literal(text, quoted=True)
    return Literal(types.incoming(column, value), quoted=True)
