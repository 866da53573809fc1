"""DynamoDB's attribute values and Python's, there and back; what a column's type makes of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any

from trunkline import json
from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.model import Column

Attribute = dict[str, Any]
Item = dict[str, Attribute]
# A number of DynamoDB's has so many digits, and is nothing or between these.
_DIGITS = Context(prec=38, traps=[Inexact, InvalidOperation])
_LEAST, _MOST = Decimal("1E-130"), Decimal("9.9999999999999999999999999999999999999E+125")
_DEEPEST = 32


def attribute_type(kind: str) -> str:
    """Answer the type of the attributes of a simple type."""
    if kind in types.NUMBERS:
        return "N"
    return {"binary": "B", "boolean": "BOOL", "json": "M", "array": "L"}.get(kind, "S")


def written(column: Column, value: Any) -> Attribute:
    """Answer the attribute for a typed value; raises BadRequest that names the field."""
    try:
        return _plain(value) if column.is_open or value is None else _typed(column, value)
    except RecursionError:
        raise BadRequest(f"Field '{column.key}' is nested too deeply.") from None
    except (ValueError, TypeError, ArithmeticError):
        raise BadRequest(
            f"Field '{column.key}' must be a valid {column.type}.", context={"sqlstate": "22000", "field": column.key}
        ) from None


def _typed(column: Column, value: Any) -> Attribute:
    kind = column.type
    if kind in types.FLOATS:
        return _real(float(value))
    if kind in types.NUMBERS:
        return _number(Decimal(str(value)))
    if kind == "boolean":
        return {"BOOL": bool(value)}
    if kind == "binary":
        return {"B": bytes(value)}
    if kind in ("json", "array"):
        return _plain(json.loads(value) if isinstance(value, str) else value)
    if kind in types.DATETIMES or kind == "date" or kind in types.TIMES:
        return {"S": _moment(kind, value)}
    return {"S": str(value)}


def _real(value: float) -> Attribute:
    """Answer a number, or a text of one that DynamoDB has no room for: it is never compared there."""
    try:
        return _number(Decimal(repr(value)))
    except (ArithmeticError, ValueError):
        return {"S": repr(value)}


def _number(value: Decimal) -> Attribute:
    exact = _DIGITS.create_decimal(value)
    if exact and not _LEAST <= abs(exact) <= _MOST:
        raise ValueError("out of range")
    return {"N": format(exact, "f") if -40 < exact.adjusted() < 40 else str(exact)}


def _moment(kind: str, value: Any) -> str:
    """Write a moment so that texts come in the order of time: in UTC, without saying so."""
    if kind in types.TIMES:
        found = value if isinstance(value, dt.time) else dt.time.fromisoformat(str(value).strip())
        return found.replace(tzinfo=None).isoformat()
    moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value).strip())
    if kind == "date":
        return moment.date().isoformat()
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
    return moment.isoformat(" ")


def _plain(value: Any, depth: int = 0) -> Attribute:
    """Answer the attribute for a value of JSON."""
    if depth > _DEEPEST:
        raise RecursionError
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | Decimal):
        return _number(Decimal(value))
    if isinstance(value, float):
        return _number(Decimal(repr(value)))
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, Mapping):
        return {"M": {str(name): _plain(one, depth + 1) for name, one in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [_plain(one, depth + 1) for one in value]}
    if isinstance(value, str):
        return {"S": value}
    raise TypeError


def read(attribute: Attribute) -> Any:
    """Answer the value of an attribute."""
    ((kind, value),) = attribute.items()
    if kind == "N":
        return _numeral(value)
    if kind == "NULL":
        return None
    if kind == "M":
        return {name: read(one) for name, one in value.items()}
    if kind == "L":
        return [read(one) for one in value]
    if kind == "NS":
        return sorted(map(_numeral, value))
    if kind in ("SS", "BS"):
        return sorted(value)
    return value


def record_of(item: Item, columns: Mapping[str, Column]) -> dict[str, Any]:
    """Answer an item as it is judged and shown, the columns with the values of their types."""
    record = {name: read(one) for name, one in item.items()}
    for name, value in record.items():
        column = columns.get(name)
        if column is not None and column.type in types.FLOATS and isinstance(value, int | str | Decimal):
            record[name] = float(value)
    return record


def _numeral(text: str) -> int | Decimal:
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() and abs(number.adjusted()) < 40 else number
