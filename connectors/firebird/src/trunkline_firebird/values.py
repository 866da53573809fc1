"""Values on their way into and out of Firebird."""

from __future__ import annotations

import base64
import datetime as dt
import struct
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any

from trunkline.errors import BadRequest
from trunkline_database.sql.statement import Converter

_WIDE = Context(prec=3000)
_MOST = 2**63 - 1


def finer(scale: int, name: str) -> Converter:
    """Make what fits a number into a decimal of 18 digits with this scale.

    It has one digit more than the stored ones, which says of longer fractions that they are more, so that comparing is
    exact. What is beyond all stored numbers becomes the last one.
    """

    def fit(value: Any) -> Decimal:
        number = value if isinstance(value, Decimal) else Decimal(repr(value) if isinstance(value, float) else value)
        least = Decimal(1).scaleb(-scale)
        cut = number.quantize(least, rounding=ROUND_DOWN, context=_WIDE)
        if cut != number and not cut.as_tuple().digits[-1]:
            cut += least.copy_sign(number)
        most = Decimal(_MOST).scaleb(-scale)
        return max(-most, min(most, cut))

    return fit


def single(name: str) -> Converter:
    """Make what refuses numbers that single precision does not reach: the server would store infinity."""

    def check(value: Any) -> Any:
        try:
            struct.pack("<f", value)
        except OverflowError:
            raise BadRequest(f"Field '{name}' is out of range.", context={"sqlstate": "22003", "field": name}) from None
        return value

    return check


def fitting(length: int) -> Converter:
    """Make what cuts a text to one character more than a column holds, without making it equal to one that fits."""

    def fit(value: Any) -> Any:
        if not isinstance(value, str) or len(value) <= length:
            return value
        # Blanks at the end do not count in comparisons.
        return value[:length] + value[length:].lstrip(" ")[:1]

    return fit


def moment(name: str) -> Converter:
    """Make what reads a date and time; one with a zone becomes UTC, as there are no zones.

    It goes on as text: the driver cannot send what is before the year 1858 in another form.
    """

    def read(value: Any) -> str:
        found = _parsed(dt.datetime.fromisoformat, value, name, "date and time")
        found = found if found.tzinfo is None else found.astimezone(dt.UTC).replace(tzinfo=None)
        # The server takes four digits of a second.
        return str(found.isoformat(" ", "microseconds")[:-2])

    return read


def day(name: str) -> Converter:
    """Make what reads a date; a time behind it is let go."""
    return lambda value: _parsed(dt.datetime.fromisoformat, value, name, "date").date()


def hour(name: str) -> Converter:
    """Make what reads a time of day; a zone is let go."""
    return lambda value: _parsed(dt.time.fromisoformat, value, name, "time").replace(tzinfo=None)


def shown(value: Any) -> Any:
    """Write a date, a time, or both."""
    if isinstance(value, dt.datetime):
        value = value.isoformat(" ")
    elif isinstance(value, dt.date | dt.time):
        value = value.isoformat()
    else:
        return value
    # The server keeps four digits of a second; those that say nothing are left out.
    return value.rstrip("0") if "." in value else value


def base64_text(value: Any) -> Any:
    """Write bytes (D30)."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _parsed(parse: Any, value: Any, name: str, what: str) -> Any:
    if isinstance(value, dt.date | dt.time):
        return value
    try:
        return parse(str(value).strip())
    except ValueError:
        # Numbers come this far, for engines that keep times as numbers.
        raise BadRequest(f"Field '{name}' must be a valid {what}.") from None
