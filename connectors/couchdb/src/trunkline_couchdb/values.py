"""Values as JSON has them, and back (database-api 20.2, 12).

Declared columns keep what JSON cannot hold exactly as text: decimals, large numbers, moments, bytes.
"""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from trunkline import json
from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.documents.values import comparable
from trunkline_database.filters import Function
from trunkline_database.model import Column

ID, REV = "_id", "_rev"
# Numbers beyond this are not the same for everybody who reads JSON.
_MOST_EXACT = 2**53
_MOST_DEPTH = 90
STORED_AS: dict[str, str] = {
    **dict.fromkeys(types.INTEGERS, "number"), **dict.fromkeys(types.FLOATS, "number"),
    **dict.fromkeys(types.DECIMALS, "decimal text"), **dict.fromkeys(types.DATETIMES, "moment text"),
    **dict.fromkeys(types.TIMES, "time text"), "date": "day text", "boolean": "boolean", "binary": "base64 text",
    "string": "string", "text": "string", "uuid": "string", "json": "value", "array": "array",
}  # fmt: skip
SAMPLED: dict[type, tuple[str, str]] = {
    str: ("string", "string"), bool: ("boolean", "boolean"), int: ("integer", "number"), float: ("double", "number"),
    dict: ("json", "object"), list: ("array", "array"),
}  # fmt: skip


def stored(column: Column, value: Any) -> Any:
    """Answer a typed value as it is kept; raises BadRequest for what cannot be."""
    if value is None:
        return None
    if isinstance(value, Function):
        return _now(column, value)
    if column.is_open:
        return incoming(value)
    kind = column.type
    try:
        if kind in types.DECIMALS:
            return format(value if isinstance(value, Decimal) else Decimal(str(value)), "f")
        if kind in types.DATETIMES or kind == "date":
            return _moment(column, value)
        if kind in types.TIMES:
            return (value if isinstance(value, dt.time) else dt.time.fromisoformat(str(value).strip())).isoformat()
    except (ValueError, InvalidOperation, ArithmeticError):
        raise BadRequest(f"Field '{column.key}' must be a valid {kind}.") from None
    if kind in types.INTEGERS:
        return value if abs(value) <= _MOST_EXACT else str(value)
    if kind == "binary":
        return base64.b64encode(value).decode()
    if kind in ("json", "array"):
        return incoming(_parsed(value))
    return value


def incoming(value: Any, depth: int = 0) -> Any:
    """Answer a value from a client's JSON as it is kept; raises BadRequest for one that is nested too deeply."""
    if depth > _MOST_DEPTH:
        raise BadRequest("The document is nested too deeply.")
    if isinstance(value, Mapping):
        return {str(name): incoming(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [incoming(one, depth + 1) for one in value]
    return float(value) if isinstance(value, Decimal) else value


def shown(column: Column, value: Any) -> Any:
    """Answer a kept value as clients see it; what is not of its column's type goes out as it is."""
    if value is None or column.is_open:
        return value
    kind = column.type
    try:
        if isinstance(value, str):
            if kind in types.DECIMALS:
                return Decimal(value)
            if kind in types.INTEGERS:
                return int(value)
            if kind in ("datetimetz", "timestamptz"):
                return f"{value}+00:00"
        if kind == "binary" and isinstance(value, bytes):
            return base64.b64encode(value).decode()
    except (ValueError, InvalidOperation):
        return value
    return value


def judged(column: Column, value: Any) -> Any:
    """Answer a kept value as conditions see it."""
    if column.type == "binary" and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except ValueError:
            return value
    if column.type in types.DECIMALS and isinstance(value, float):
        return Decimal(str(value))
    return value


def _moment(column: Column, value: Any) -> str:
    found = comparable(column, value)
    if found is None:
        raise ValueError("no moment")
    return str(found.date().isoformat() if column.type == "date" else found.isoformat(" "))


def _now(column: Column, function: Function) -> Any:
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    if function.name == "UUID":
        return str(uuid.uuid4())
    if function.name == "CURRENT_TIME":
        return now.time().isoformat()
    return now.date().isoformat() if function.name == "CURRENT_DATE" or column.type == "date" else now.isoformat(" ")


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except BadRequest:
        return value
