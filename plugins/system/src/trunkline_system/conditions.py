"""Filter trees as conditions on the columns of a system table."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from trunkline.errors import BadRequest
from trunkline_database.filters import And, BadFilter, Comparison, Function, Literal, Node, Not, Param, Scalar
from trunkline_system.fields import incoming

_SYMBOLS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip


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
    # The same on every database: PostgreSQL alone would tell upper from lower case here.
    return text.ilike(sa.literal(_pattern(op, value), sa.String()))


def _pattern(op: str, value: Scalar) -> str | None:
    """Put the wildcards round a value; those inside it keep their meaning, as recorded (database-api 8.2)."""
    text = value.value if isinstance(value, Literal) else f":{value.name}"
    if text is None:
        return None
    return f"{'%' * (op in ('contains', 'ends with'))}{text}{'%' * (op in ('contains', 'starts with'))}"


def _value(column: sa.Column[Any], scalar: Scalar) -> Any:
    """Type a value as the column is, and bind it: a null is bound too, so that no row matches it (D26)."""
    if isinstance(scalar, Function):
        return sa.literal(_moment(column, scalar.name), column.type)
    given = f":{scalar.name}" if isinstance(scalar, Param) else scalar.value
    if isinstance(column.type, sa.DateTime) and isinstance(given, str):
        try:
            moment = datetime.fromisoformat(given.replace("Z", "+00:00"))
        except ValueError:
            raise BadFilter(f"Field '{column.name}' must be a valid date.") from None
        return sa.literal(moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment, column.type)
    try:
        return sa.literal(incoming(column, given), column.type)
    except BadRequest as error:
        kind = "integer" if isinstance(column.type, sa.Integer) else "value"
        raise BadFilter(f"Field '{column.name}' must be a valid {kind}.") from error


def _moment(column: sa.Column[Any], function: str) -> datetime:
    """Answer the present in UTC, as dates are stored; the clock and the zone of the database do not matter."""
    now = datetime.now(UTC).replace(tzinfo=None)
    if isinstance(column.type, sa.DateTime) and function in ("CURRENT_TIMESTAMP", "UTC_TIMESTAMP", "CURRENT_DATE"):
        return now.replace(hour=0, minute=0, second=0, microsecond=0) if function == "CURRENT_DATE" else now
    raise BadFilter(f"Function {function} cannot be used with field '{column.name}'.")
