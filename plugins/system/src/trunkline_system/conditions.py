"""Filter trees as conditions on the columns of a system table."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from trunkline.errors import BadRequest
from trunkline_database.filters import And, BadFilter, Comparison, Function, Literal, Node, Not, Param, Scalar
from trunkline_system.fields import incoming

_SYMBOLS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[[], Any]] = {
    "CURRENT_TIMESTAMP": sa.func.current_timestamp,
    "UTC_TIMESTAMP": sa.func.current_timestamp,
    "CURRENT_DATE": sa.func.current_date,
    "CURRENT_TIME": sa.func.current_time,
}


def condition(node: Node, columns: Mapping[str, sa.Column[Any]]) -> sa.ColumnElement[bool]:
    """Translate a filter; every value is bound. Raises BadFilter for a field that is not among ``columns`` (D9)."""
    if isinstance(node, Not):
        return sa.not_(condition(node.item, columns))
    if isinstance(node, Comparison):
        return _comparison(node, columns)
    joined = sa.and_ if isinstance(node, And) else sa.or_
    return joined(*(condition(item, columns) for item in node.items))


def _comparison(node: Comparison, columns: Mapping[str, sa.Column[Any]]) -> sa.ColumnElement[bool]:
    column = columns.get(node.field.lower())
    if column is None:
        raise BadFilter.at_field(node.field)
    negated = node.op.startswith("not ")
    found = _test(node.op.removeprefix("not "), column, node.value)
    return sa.not_(found) if negated else found


def _test(op: str, column: sa.Column[Any], value: Any) -> sa.ColumnElement[bool]:
    if op in ("is null", "is not null"):
        return column.is_(None) if op == "is null" else column.is_not(None)
    if op in _SYMBOLS:
        return _SYMBOLS[op](column, _value(column, value))  # type: ignore[no-any-return]  # an operator on a column
    if op == "in":
        return column.in_([_value(column, one) for one in value])
    if op == "between":
        return column.between(_value(column, value[0]), _value(column, value[1]))
    text = sa.cast(column, sa.String) if not isinstance(column.type, sa.String) else column
    if op == "like":
        return text.like(_text(value))
    tests: dict[str, Callable[..., sa.ColumnElement[bool]]] = {
        "contains": text.contains, "starts with": text.startswith, "ends with": text.endswith,
    }  # fmt: skip
    return tests[op](_text(value), autoescape=True)


def _text(value: Scalar) -> str:
    return str(value.value) if isinstance(value, Literal) else f":{value.name}"


def _value(column: sa.Column[Any], scalar: Scalar) -> Any:
    """Type a value as the column is."""
    if isinstance(scalar, Function):
        made = _FUNCTIONS.get(scalar.name)
        if made is None:
            raise BadFilter(f"Function {scalar.name} cannot be used here.")
        return made()
    given = f":{scalar.name}" if isinstance(scalar, Param) else scalar.value
    if isinstance(column.type, sa.DateTime) and isinstance(given, str):
        try:
            return datetime.fromisoformat(given.replace("Z", "+00:00")).replace(tzinfo=None)
        except ValueError:
            raise BadFilter(f"Field '{column.name}' must be a valid date.") from None
    try:
        return incoming(column, given)
    except BadRequest as error:
        kind = "integer" if isinstance(column.type, sa.Integer) else "value"
        raise BadFilter(f"Field '{column.name}' must be a valid {kind}.") from error
