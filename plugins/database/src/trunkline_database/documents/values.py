"""Values of stored records in a form in which they compare, each with what its column or its own type makes of it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.filters import Function, Literal, Scalar
from trunkline_database.model import Column

_TRUE_OR_FALSE = {"true": True, "false": False}
_NUMBER = int | float | Decimal


def comparable(column: Column, value: Any) -> Any:
    """Answer a value so that it compares with others of its column; None where it is none or cannot be one."""
    if value is None or column.is_open:
        return _plain(value)
    kind = column.type
    try:
        if kind in types.NUMBERS:
            return value if isinstance(value, _NUMBER) else Decimal(str(value))
        if kind in types.DATETIMES or kind == "date":
            return _moment(value, only_day=kind == "date")
        if kind in types.TIMES:
            return value if isinstance(value, dt.time) else dt.time.fromisoformat(str(value))
    except (ValueError, InvalidOperation):
        return None
    if kind == "boolean":
        return bool(value)
    if kind == "binary" or isinstance(value, list | dict):
        return value
    return str(value)


def read_as(value: Any, scalar: Literal) -> Any:
    """Read a literal as the type of the value of an open column that it is compared with; None where it is no such one.

    What was not quoted may be a number or a boolean; what comes as JSON's own number or boolean is nothing else.
    """
    asked = scalar.value
    if not isinstance(asked, str):
        return _plain(asked) if _alike(value, asked) else None
    if isinstance(value, str):
        return asked
    if isinstance(value, dt.datetime | dt.date):
        try:
            return _moment(asked)
        except ValueError:
            return None
    if scalar.quoted:
        return None
    if isinstance(value, bool):
        return _TRUE_OR_FALSE.get(asked.strip().lower())
    return number_in(asked) if isinstance(value, _NUMBER) else None


def number_in(text: str) -> int | float | None:
    """Read a text as a number, or answer None."""
    try:
        return int(text) if text.strip().lstrip("+-").isdigit() and text.isascii() else _finite(float(text))
    except ValueError:
        return None


def rank(value: Any) -> tuple[int, Any]:
    """Answer the place of a value among all values, those of other types apart, so that any two can be ordered."""
    if value is None:
        return (0, 0)
    if isinstance(value, bool):
        return (5, value)
    if isinstance(value, _NUMBER):
        return (1, value)
    if isinstance(value, str):
        return (2, value)
    if isinstance(value, bytes):
        return (4, value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return (6, value.isoformat())
    return (3, repr(value))


def at(row: Mapping[str, Any], column: Column) -> Any:
    """Answer the value of a column in a stored record; an open one may be a path with dots."""
    if column.name in row:
        return row[column.name]
    if not column.is_open or "." not in column.name:
        return None
    found: Any = row
    for part in column.name.split("."):
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found


def now(column: Column, function: Function) -> Any:
    """Answer the value that a function has at this moment, as a comparable one of the column."""
    moment = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    if function.name == "UUID":
        return str(uuid.uuid4())
    if function.name == "CURRENT_TIME":
        return moment.time()
    if function.name == "CURRENT_DATE":
        moment = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return comparable(column, moment)


def value_of(column: Column, scalar: Scalar) -> Any:
    """Answer a typed scalar of a filter as a comparable value; raises BadRequest for a parameter, which has none."""
    if isinstance(scalar, Function):
        return now(column, scalar)
    if isinstance(scalar, Literal):
        return comparable(column, scalar.value)
    raise BadRequest(f"The parameter '{scalar.name}' has no value.")


def _alike(value: Any, other: Any) -> bool:
    if isinstance(value, bool) or isinstance(other, bool):
        return isinstance(value, bool) and isinstance(other, bool)
    if isinstance(value, _NUMBER):
        return isinstance(other, _NUMBER)
    return type(value) is type(other) or (isinstance(value, dt.date) and isinstance(other, dt.date))


def _plain(value: Any) -> Any:
    return _moment(value) if isinstance(value, dt.date) else value


def _moment(value: Any, *, only_day: bool = False) -> dt.datetime:
    """Answer a moment in UTC without saying so; a day is its beginning."""
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value.strip())
    elif isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    elif not isinstance(value, dt.datetime):
        raise ValueError("no moment")
    if value.tzinfo is not None:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    found: dt.datetime = value
    return found.replace(hour=0, minute=0, second=0, microsecond=0) if only_day else found


def _finite(number: float) -> float | None:
    return number if number - number == 0 else None
