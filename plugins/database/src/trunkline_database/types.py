"""Values on their way in: from JSON or text to what a column takes, or a refusal that names it (database-api 12.2)."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import math
import re
import unicodedata
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from trunkline import json
from trunkline.errors import BadRequest
from trunkline_database.filters import Function
from trunkline_database.model import Column

INTEGERS = frozenset(
    {"id", "pk", "reference", "integer", "bigint", "smallint", "mediumint", "tinyint", "bigid", "smallid", "mediumid"}
    | {"year", "user_id", "user_id_on_create", "user_id_on_update"}
)
DECIMALS = frozenset({"decimal", "money"})
FLOATS = frozenset({"float", "double"})
DATETIMES = frozenset(
    {"datetime", "timestamp", "datetimetz", "timestamptz", "timestamp_on_create", "timestamp_on_update"}
)
TIMES = frozenset({"time", "timetz"})
NUMBERS = INTEGERS | DECIMALS | FLOATS
# Where an empty text means "no value", as there is no empty one (database-api 12.2); texts stay as sent (D24).
BLANK_IS_NULL = NUMBERS | DATETIMES | TIMES | {"date", "boolean"}

_WHOLE = re.compile(r"[+-]?[0-9]{1,30}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_MONEY = re.compile(r"-?[$\u00a3\u00a5\u20ac]?-?((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,18})(?:\.[0-9]{0,4})?)")
_LEAST, _MOST, _MOST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1
# Wide enough for every number that passes the pattern above.
_WIDE = Context(prec=3000, rounding=ROUND_HALF_UP)
_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True),
    **dict.fromkeys(("false", "0", "no", "off", "f", "n"), False),
}

Reader = Callable[[Column, Any], Any]


def incoming(column: Column, value: Any) -> Any:
    """Convert a value to a column's type; raises BadRequest. None and functions pass."""
    if value is None or column.is_open or type(value) is Function:
        return value
    read: Reader = READERS.get(column.type, _text)
    return read(column, value)


def stored(column: Column, value: Any) -> Any:
    """Convert a value that is to be written; raises BadRequest also for NULL and for a text that is too long."""
    if column.is_open:
        return value
    if value == "" and column.type in BLANK_IS_NULL:
        value = None
    if value is None:
        if not column.allow_null:
            raise BadRequest(f"Field '{column.key}' can not be NULL.", context=_state("23502", column))
        return None
    value = incoming(column, value)
    if isinstance(value, Decimal):
        return _fitted(column, value)
    if column.length and isinstance(value, str) and column.type == "string" and len(value) > column.length:
        raise BadRequest(
            f"Field '{column.key}' can not be longer than {column.length} characters.", context=_state("22001", column)
        )
    return value


def folded(value: Any) -> str:
    """Answer one text for all that loose collations take for equal: whatever the case, accents, blanks at the end."""
    letters = unicodedata.normalize("NFKD", str(value).rstrip().casefold())
    return "".join(one for one in letters if not unicodedata.combining(one))


def _state(sqlstate: str, column: Column) -> dict[str, str]:
    return {"sqlstate": sqlstate, "field": column.key}


def _invalid(column: Column, what: str) -> BadRequest:
    return BadRequest(f"Field '{column.key}' must be a valid {what}.")


def _integer(column: Column, value: Any) -> int:
    if type(value) is str:
        text = value.strip()
        if _WHOLE.fullmatch(text):
            number = int(text)
        elif _NUMBER.fullmatch(text):
            number = math.trunc(Decimal(text))  # as recorded: "5.7" is 5
        else:
            raise _invalid(column, "integer")
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        number = int(value)
        if number == _LEAST and isinstance(value, float):
            # A parser made the least number of something still less.
            raise _invalid(column, "integer")
    else:
        raise _invalid(column, "integer")
    most = _MOST_UNSIGNED if "unsigned" in column.db_type.lower() else _MOST
    if not _LEAST <= number <= most:
        raise _invalid(column, "integer")
    return number


def _decimal(column: Column, value: Any) -> Decimal:
    if isinstance(value, str):
        text = value.strip()
        if column.type == "money" and (found := _MONEY.fullmatch(text)):
            # As PostgreSQL writes it, so that what was read can be written again.
            text = f"{'-' if '-' in text else ''}{found[1].replace(',', '')}"
        if _NUMBER.fullmatch(text):
            value = Decimal(text)
    elif isinstance(value, float):
        value = Decimal(repr(value))
    elif isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise _invalid(column, "number")
    return value


def _fitted(column: Column, value: Decimal) -> Decimal:
    """Round a decimal to the column's scale as SQL does; refuse too many digits before the point on every engine."""
    if column.precision is None or column.scale is None:
        return value
    rounded = value.quantize(Decimal(1).scaleb(-column.scale), context=_WIDE)
    if rounded and rounded.adjusted() >= column.precision - column.scale:
        raise _out_of_range(column)
    return rounded


def _out_of_range(column: Column) -> BadRequest:
    return BadRequest(f"Field '{column.key}' is out of range.", context=_state("22003", column))


def _float(column: Column, value: Any) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _invalid(column, "number")
    try:
        number = float(value)
    except OverflowError:
        raise _out_of_range(column) from None
    if not math.isfinite(number):
        raise _invalid(column, "number")
    return number


def _boolean(column: Column, value: Any) -> bool:
    """Read a boolean; D20: what is not like one is refused, not taken for false."""
    if isinstance(value, bool):
        return value
    known = _BOOLEANS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
    if known is None:
        raise _invalid(column, "boolean")
    return known


def _temporal(what: str, *parsers: Callable[[str], Any]) -> Reader:
    """Make a reader of texts that one of the parsers takes; the text itself goes on, so engines keep their forms.

    Numbers pass too: engines without such types may hold epochs, and the others refuse them themselves.
    """

    def read(column: Column, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        if isinstance(value, dt.date | dt.time):
            return value.isoformat(" ") if isinstance(value, dt.datetime) else value.isoformat()
        if not isinstance(value, str):
            raise _invalid(column, what)
        text = value.strip()
        for parse in parsers:
            try:
                parse(text)
            except ValueError:
                continue
            return text
        if _NUMBER.fullmatch(text):
            return text
        raise _invalid(column, what)

    return read


def _binary(column: Column, value: Any) -> bytes:
    """Read base64 (D30); a value that looks like a URL is just not base64, nothing is fetched."""
    if isinstance(value, bytes):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise BadRequest(f"Field '{column.key}' must be base64 text.") from None


def _json(column: Column, value: Any) -> str:
    try:
        return value if isinstance(value, str) else json.dumps(value).decode()
    except (TypeError, RecursionError):
        raise BadRequest(f"Field '{column.key}' is nested too deeply.") from None


def _array(column: Column, value: Any) -> Any:
    """Read a list of values, or the engine's own text of one."""
    if isinstance(value, list | str):
        return value
    raise _invalid(column, "list")


def _text(column: Column, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return str(value)
    raise BadRequest(f"Field '{column.key}' must be a single value.")


_date_time = _temporal("date and time", dt.datetime.fromisoformat)

READERS: dict[str, Reader] = {
    **dict.fromkeys(INTEGERS, _integer),
    **dict.fromkeys(DECIMALS, _decimal),
    **dict.fromkeys(FLOATS, _float),
    "boolean": _boolean,
    **dict.fromkeys(DATETIMES, _date_time),
    "date": _temporal("date", dt.date.fromisoformat, dt.datetime.fromisoformat),
    **dict.fromkeys(TIMES, _temporal("time", dt.time.fromisoformat)),
    "binary": _binary,
    "json": _json,
    "array": _array,
}
