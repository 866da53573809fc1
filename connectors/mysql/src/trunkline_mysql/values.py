"""Values on their way out of the server and into it."""

from __future__ import annotations

import base64
import datetime as dt
import struct
from decimal import Decimal
from typing import Any

from trunkline import json
from trunkline_database.sql.json_text import exact_json

# Field types of the protocol, for columns of which nothing but the result is known.
_TINY, _FLOAT, _BIT, _JSON = 1, 4, 16, 245
_WITH_FRACTIONS = (7, 11, 12)


def without_zone(value: Any) -> Any:
    """Turn a moment with a zone into UTC: MariaDB takes no zones."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).replace(tzinfo=None)
    return value


def json_text(value: Any) -> Any:
    """Write a JSON value as its text; a text is taken for that already."""
    return value if isinstance(value, str) else json.dumps(value).decode()


def from_json(value: Any) -> Any:
    """Parse JSON, which some servers hand over as what it is already."""
    return exact_json(value) if isinstance(value, str | bytes) else value


def boolean(value: Any) -> Any:
    """Read ``tinyint(1)`` and ``bit(1)``; other numbers in them stay numbers."""
    if isinstance(value, bytes):
        value = int.from_bytes(value, "big")
    return bool(value) if value in (0, 1) else value


def as_base64(value: Any) -> Any:
    """Write bytes as base64 (D30)."""
    return base64.b64encode(value).decode() if isinstance(value, bytes | bytearray) else value


def shortest(value: Any) -> Any:
    """Answer the shortest number that is the same single precision one: 1.1 and not 1.100000023841858."""
    if not isinstance(value, float):
        return value
    for digits in (6, 7, 8):
        short = float(f"{value:.{digits}g}")
        try:
            if struct.unpack("f", struct.pack("f", short))[0] == value:
                return short
        except OverflowError:
            # Rounded up beyond the greatest one.
            continue
    return value


def without_zeros(value: Any) -> Any:
    """Leave out a fraction of a second that is nothing."""
    if not isinstance(value, str):
        return value
    rest, _, fraction = value.partition(".")
    return value if fraction.strip("0") else rest


def whole(value: Any) -> Any:
    """Make a whole sum a whole number: MySQL sums integers as decimals."""
    return int(value) if isinstance(value, Decimal) else value


def of_result(value: Any, kind: int, length: int | None) -> Any:
    """Turn a value of a result set into one for JSON, by the type and length that the server says."""
    if value is None:
        return None
    if kind == _JSON:
        return from_json(value)
    if kind == _BIT or (kind == _TINY and length == 1):
        return boolean(value)
    if kind in _WITH_FRACTIONS:
        return without_zeros(value)
    return shortest(value) if kind == _FLOAT else as_base64(value)
