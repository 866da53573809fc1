"""Values on their way into and out of Oracle."""

from __future__ import annotations

import base64
import datetime as dt
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from trunkline import json
from trunkline.errors import BadRequest
from trunkline_database.sql.json_text import exact_json
from trunkline_database.sql.statement import Converter
from trunkline_oracle.kinds import Double, FixedText, NationalText, Single

_MIDNIGHT = " 00:00:00"
_FRACTION = re.compile(r"\.(\d+)")


# Into the database.


def moment(name: str) -> Converter:
    """Make what writes a moment without a zone; one with a zone is put into UTC."""
    return _temporal(name, "date and time", lambda found, fraction: f"{_utc(found):%Y-%m-%d %H:%M:%S}.{fraction}")


def zoned(name: str) -> Converter:
    """Make what writes a moment with its zone; without one it is that of UTC."""

    def write(found: dt.datetime, fraction: str) -> str:
        found = found if found.tzinfo else found.replace(tzinfo=dt.UTC)
        zone = found.strftime("%z")
        return f"{found:%Y-%m-%d %H:%M:%S}.{fraction} {zone[:3]}:{zone[3:5]}"

    return _temporal(name, "date and time", write)


def day(name: str) -> Converter:
    """Make what writes a DATE, which holds whole seconds."""
    return _temporal(name, "date", lambda found, _: f"{_utc(found):%Y-%m-%d %H:%M:%S}")


def hour(name: str) -> Converter:
    """Make what writes a time of day as the span since midnight."""

    def convert(value: Any) -> str:
        try:
            found = dt.time.fromisoformat(value.strip())
        except (ValueError, AttributeError):
            raise _invalid(name, "time") from None
        if found.tzinfo is not None:
            # Nothing here keeps a zone without a date.
            raise _invalid(name, "time")
        return f"0 {found:%H:%M:%S}.{found.microsecond:06}"

    return convert


def _temporal(name: str, what: str, write: Callable[[dt.datetime, str], str]) -> Converter:
    def convert(value: Any) -> str:
        if isinstance(value, str):
            text = value.strip()
            try:
                found = dt.datetime.fromisoformat(text)
            except ValueError:
                raise _invalid(name, what) from None
            digits = _FRACTION.search(text)
            # Python keeps six digits, Oracle nine.
            fraction = digits[1][:9] if digits else "0"
            return _four_digits(write(found, fraction))
        raise _invalid(name, what)

    return convert


def _four_digits(text: str) -> str:
    """Write all digits of an early year, which some systems leave out."""
    return text.rjust(len(text) + 4 - text.index("-"), "0")


def _utc(found: dt.datetime) -> dt.datetime:
    return found.astimezone(dt.UTC).replace(tzinfo=None) if found.tzinfo else found


def _invalid(name: str, what: str) -> BadRequest:
    return BadRequest(f"Field '{name}' must be a valid {what}.")


def single(name: str) -> Converter:
    """Make what refuses numbers that single precision does not reach."""

    def convert(value: Any) -> Single:
        try:
            struct.pack("<f", value)
        except OverflowError:
            raise BadRequest(f"Field '{name}' is out of range.", context={"sqlstate": "22003", "field": name}) from None
        return Single(value)

    return convert


def double(value: Any) -> Any:
    """Mark a number as one in double precision."""
    return Double(value)


def fixed(value: Any) -> Any:
    """Mark a text for comparing as CHAR."""
    return FixedText(value) if isinstance(value, str) else value


def national(value: Any) -> Any:
    """Mark a text as one in the national character set."""
    return NationalText(value) if isinstance(value, str) else value


def json_text(value: Any) -> Any:
    """Write a JSON value as its text; a text is taken for that already."""
    return value if isinstance(value, str) else json.dumps(value).decode()


def number(value: Any) -> Any:
    """Write a boolean as the number that stands for it."""
    return int(value) if isinstance(value, bool) else value


# Out of it.


def whole(value: Decimal) -> int | Decimal:
    """Make a whole number of a decimal that is one; all digits stay."""
    return int(value) if value == value.to_integral_value() else value


def boolean(value: Any) -> Any:
    """Read NUMBER(1); other digits in it stay numbers."""
    return bool(value) if value in (0, 1) else value


def as_float(value: Any) -> Any:
    """Answer a FLOAT as a number in double precision."""
    return float(value)


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


def shown_day(value: str) -> str:
    """Show a DATE; its time of day only where it has one."""
    return value.removesuffix(_MIDNIGHT)


def shown_moment(value: str) -> str:
    """Show a moment or time without a fraction that is nothing, and the zone right behind it."""
    rest, _, fraction = value.partition(".")
    digits, _, zone = fraction.partition(" ")
    return f"{rest}{f'.{digits}' if digits.strip('0') else ''}{zone}"


def from_json(value: Any) -> Any:
    """Parse JSON with all its digits; what is none stays as it is."""
    return exact_json(value) if isinstance(value, str) else value


def as_base64(value: Any) -> Any:
    """Write bytes as base64 (D30)."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def plain(value: Any) -> Any:
    """Write what the driver reads, when nothing is known but the value: objects, collections, results of cursors."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Decimal):
        return whole(value)
    if isinstance(value, bytes):
        return as_base64(value)
    if isinstance(value, dt.datetime):
        zone = f" {value:%z}" if value.tzinfo else ""
        return shown_moment(f"{value.replace(tzinfo=None).isoformat(' ', 'microseconds')}{zone}").removesuffix(
            "" if zone or value.microsecond else _MIDNIGHT
        )
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    kind: Any = getattr(value, "type", None)
    if getattr(kind, "iscollection", False):
        return [plain(one) for one in value.aslist()]
    if hasattr(kind, "attributes"):
        return {one.name: plain(getattr(value, one.name)) for one in kind.attributes}
    return list(value) if hasattr(value, "typecode") else str(value)
