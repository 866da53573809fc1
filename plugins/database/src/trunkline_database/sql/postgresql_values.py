"""Values on their way into and out of PostgreSQL's text forms."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

from trunkline import json
from trunkline.errors import BadRequest


def plain_text(value: Any) -> str:
    """Write a single value as PostgreSQL reads it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return repr(value) if isinstance(value, float) else str(value)


def shortest(value: float) -> float:
    """Answer the shortest number that is the same in single precision."""
    for digits in range(6, 9):
        if struct.pack("f", shorter := float(f"{value:.{digits}g}")) == struct.pack("f", value):
            return shorter
    return float(f"{value:.9g}")


def array_text(value: Any) -> str:
    """Write a list as PostgreSQL's text of an array; a text is taken for one already. Raises BadRequest."""
    try:
        return value if isinstance(value, str) else _array(value)
    except (TypeError, RecursionError):
        raise BadRequest("A list is nested too deeply.") from None


def _array(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "{" + ",".join(_array(one) for one in value) + "}"
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    text = json.dumps(value).decode() if isinstance(value, dict) else plain_text(value)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
