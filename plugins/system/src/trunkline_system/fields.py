"""Values of stored records: from JSON to columns and back, with errors that name the field (D17)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from trunkline import json
from trunkline.call import truth
from trunkline.errors import BadRequest

_FALSE_WORDS = frozenset({"false", "0", "no", "off", ""})


def invalid(field: str, message: str) -> BadRequest:
    """Make the error of a field that does not validate (system-api 4.3)."""
    return BadRequest(f"Invalid data supplied. {message}", context={field: [message]})


def words(name: str) -> str:
    """Put a field name in words, as validation messages do."""
    return name.replace("_", " ")


def incoming(column: sa.Column[Any], value: Any) -> Any:
    """Convert a JSON value to what the column stores; raises BadRequest that names the field."""
    if value is None:
        return None
    if isinstance(column.type, sa.Boolean):
        return _boolean(column.name, value)
    if isinstance(column.type, sa.Integer):
        return _integer(column.name, value)
    if isinstance(value, bool | int | float):
        value = str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, str):
        raise invalid(column.name, f"The {words(column.name)} field must be a string.")
    length = getattr(column.type, "length", None)
    if length and len(value) > length:
        raise invalid(column.name, f"The {words(column.name)} field must not be greater than {length} characters.")
    return value


def _boolean(name: str, value: Any) -> bool:
    """Accept only what looks like a boolean (D20)."""
    if isinstance(value, bool):
        return value
    if truth(value):
        return True
    if isinstance(value, int | str) and str(value).strip().lower() in _FALSE_WORDS:
        return False
    raise invalid(name, f"The {words(name)} field must be true or false.")


def _integer(name: str, value: Any) -> int | None:
    if isinstance(value, str) and not value.strip():
        return None
    try:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError
        number = int(value)
    except (TypeError, ValueError):
        raise invalid(name, f"The {words(name)} field must be an integer.") from None
    if abs(number) >= 2**31:
        raise invalid(name, f"The {words(name)} field is out of range.")
    return number


def outgoing(value: Any) -> Any:
    """Convert a column value to JSON: dates as ``2023-09-21T17:51:20.000000Z`` (system-api 5.3)."""
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value


def as_json(value: Any) -> str | None:
    """Store a list or object as JSON text; None for nothing."""
    return json.dumps(value).decode() if value else None


def json_text(value: Any) -> str | None:
    """Store any JSON value as text, also an empty one; None for null."""
    return None if value is None else json.dumps(value).decode()


def from_json(text: str | None, default: Any) -> Any:
    """Read JSON text that we stored."""
    return json.loads(text) if text else default
