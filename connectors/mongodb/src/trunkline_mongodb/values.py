"""Values on their way to MongoDB and back (database-api 20.1, 12).

Declared columns take and answer what such columns do in any database. All else comes as JSON, with objects such as
``{"$date": …}`` for what JSON does not have; no other name with a ``$`` gets in.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime as dt
import re
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from bson import Binary, Decimal128, Int64, ObjectId, Regex, Timestamp
from bson.binary import UUID_SUBTYPE
from bson.datetime_ms import DatetimeMS
from bson.errors import InvalidId

from trunkline import json
from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.filters import Function
from trunkline_database.model import Column

_OID = re.compile(r"[0-9a-fA-F]{24}")
_LOOKS_LIKE_A_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].{1,40})?", re.ASCII)
_MOST_DEPTH = 90
_UUID_BYTES = 16
_LEAST, _MOST = -(2**63), 2**63 - 1
_EPOCH = dt.datetime(1970, 1, 1)


# In.


def bson_of(column: Column, value: Any) -> Any:
    """Answer a typed value of a column as MongoDB stores it; raises BadRequest for what it cannot hold."""
    if value is None:
        return None
    if isinstance(value, Function):
        return _now(column, value)
    if column.is_open:
        return incoming(value)
    kind = column.type
    try:
        if kind in types.DECIMALS and column.db_type == "double":
            return float(value)
        if kind in types.DECIMALS:
            return Decimal128(value if isinstance(value, Decimal) else Decimal(str(value)))
        if kind in types.DATETIMES or kind == "date":
            return moment(value, only_day=kind == "date")
        if kind in types.TIMES:
            return _time(value)
    except (ValueError, InvalidOperation, ArithmeticError):
        raise BadRequest(f"Field '{column.key}' must be a valid {kind}.") from None
    if kind in types.INTEGERS:
        return _whole(column.key, value)
    if kind in ("json", "array"):
        return incoming(_parsed(value))
    return value


def incoming(value: Any, depth: int = 0) -> Any:
    """Answer a value from JSON as MongoDB stores it; raises BadRequest for operators and what cannot be stored."""
    kind = type(value)
    if kind is str or value is None or kind is bool or kind is float:
        return value
    if kind is int:
        return _whole("", value)
    if depth > _MOST_DEPTH:
        raise BadRequest("The document is nested too deeply.")
    if isinstance(value, Mapping):
        if len(value) == 1 and (found := special(value)) is not None:
            return found
        return {_name(name): incoming(one, depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [incoming(one, depth + 1) for one in value]
    if isinstance(value, Decimal):
        return Decimal128(value)
    return value


def special(given: Mapping[str, Any]) -> Any:
    """Read one of the objects that stand for a value, such as ``{"$oid": …}``; None where it is none of them."""
    ((name, value),) = given.items()
    read = _SPECIAL.get(name)
    if read is None:
        return None
    try:
        return read(value)
    except (ValueError, TypeError, ArithmeticError, InvalidId, OverflowError):
        raise BadRequest(f"The value of '{name}' can not be understood.") from None


def as_id(value: Any) -> Any:
    """Answer what an identifier is: 24 hexadecimal digits are one that MongoDB made."""
    return ObjectId(value) if isinstance(value, str) and _OID.fullmatch(value) else value


def moment(value: Any, *, only_day: bool = False) -> dt.datetime:
    """Read a moment; one without a zone is in UTC. Raises ValueError."""
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


def candidates(name: str, text: Any, quoted: bool) -> list[Any]:
    """List what the value of a filter may be in an open column: a text may be an id or a moment, too.

    What stood without quotes may also be a number or a boolean; what JSON or a look-up says is nothing else.
    """
    if not isinstance(text, str):
        return [incoming(text)]
    found: list[Any] = [text]
    if _OID.fullmatch(text):
        if name == "_id":
            return [ObjectId(text)]
        found.append(ObjectId(text))
    if _LOOKS_LIKE_A_DAY.fullmatch(text.strip()):
        with contextlib.suppress(ValueError):
            found.append(moment(text))
    if not quoted:
        lowered = text.strip().lower()
        if lowered in ("true", "false"):
            found.append(lowered == "true")
        elif (number := _number(lowered)) is not None:
            found.append(number)
    return found


def _number(text: str) -> int | float | None:
    if not re.fullmatch(
        r"[+-]?(?:\d{1,18}|\d{0,18}\.\d{1,18}(?:e[+-]?\d{1,3})?|\d{1,18}e[+-]?\d{1,2})", text, re.ASCII
    ):
        return None
    number = float(text)
    return int(text) if text.lstrip("+-").isdigit() else number if number - number == 0 else None


def _name(name: Any) -> str:
    text = str(name)
    if text.startswith("$"):
        raise BadRequest(f"A field can not be called '{text[:32]}'.")
    if "\0" in text:
        raise BadRequest("A field's name has a character that it can not have.")
    return text


def _whole(key: str, value: Any) -> Any:
    if not isinstance(value, int) or _LEAST <= value <= _MOST:
        return value
    raise BadRequest(f"Field '{key}' is out of range." if key else "A number is out of range.")


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except BadRequest:
        return value


def _time(value: Any) -> str:
    if isinstance(value, str):
        value = dt.time.fromisoformat(value.strip())
    if not isinstance(value, dt.time):
        raise ValueError("no time")
    return value.isoformat()


def _now(column: Column, function: Function) -> Any:
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    if function.name == "UUID":
        return str(uuid.uuid4())
    if function.name == "CURRENT_TIME":
        return now.time().isoformat()
    only_day = function.name == "CURRENT_DATE" or column.type == "date"
    return moment(now, only_day=only_day) if column.type not in ("string", "text") or column.is_open else str(now)


def _date(value: Any) -> dt.datetime:
    """Read the inside of ``$date``: ISO 8601, nothing for now, or Unix seconds (database-api 20.1)."""
    if value in (None, ""):
        return dt.datetime.now(dt.UTC).replace(tzinfo=None)
    if isinstance(value, Mapping):
        return _EPOCH + dt.timedelta(milliseconds=int(value["$numberLong"]))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _EPOCH + dt.timedelta(seconds=value)
    return moment(str(value))


def _binary(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Binary(_bytes(value["base64"]), int(str(value.get("subType", "00")), 16))
    return _bytes(value)


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str):
        raise TypeError("no text")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error


def _oid(value: Any) -> ObjectId:
    if not isinstance(value, str):
        raise TypeError("no text")
    return ObjectId(value)


def _decimal(value: Any) -> Decimal128:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("no number")
    return Decimal128(str(value))


def _long(value: Any) -> Int64:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError("no number")
    number = int(value)
    if not _LEAST <= number <= _MOST:
        raise ValueError("out of range")
    return Int64(number)


def _double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("no number")
    return float(value)


def _stamp(value: Any) -> Timestamp:
    return Timestamp(int(value["t"]), int(value["i"]))


_SPECIAL: dict[str, Callable[[Any], Any]] = {
    "$oid": _oid, "$id": _oid, "$date": _date, "$binary": _binary, "$numberDecimal": _decimal, "$numberLong": _long,
    "$numberInt": _long, "$numberDouble": _double, "$timestamp": _stamp,
    "$uuid": lambda value: Binary.from_uuid(uuid.UUID(str(value))),
}  # fmt: skip


# Out.


def shown(column: Column, value: Any) -> Any:
    """Answer a stored value as clients see it; what is not of its column's type goes out as it is."""
    if value is None:
        return None
    if column.is_open:
        return outgoing(value)
    if type(value) is float and column.type in types.DECIMALS:
        return decimal_of(column, value)
    show = _SHOWN.get(column.type)
    return outgoing(value) if show is None else show(value)


def decimal_of(column: Column, value: float) -> Decimal:
    """Answer the decimal that a server without decimals keeps as a double; to the scale of its column."""
    found = Decimal(repr(value))
    return found if column.scale is None else found.quantize(Decimal(1).scaleb(-column.scale))


def outgoing(value: Any) -> Any:
    """Answer a value of a document as JSON has it; objects and lists are changed where they are."""
    if type(value) in _PLAIN:
        return value
    show = _OUT.get(type(value))
    return str(value) if show is None else show(value)


def _decimal_out(value: Decimal128) -> Any:
    found = value.to_decimal()
    return found if found.is_finite() else {"$numberDecimal": str(value)}


def _binary_out(value: bytes) -> Any:
    text = base64.b64encode(value).decode()
    kind = value.subtype if isinstance(value, Binary) else 0
    if kind == UUID_SUBTYPE and len(value) == _UUID_BYTES:
        return {"$uuid": str(uuid.UUID(bytes=bytes(value)))}
    return {"$binary": text if kind == 0 else {"base64": text, "subType": f"{kind:02x}"}}


def _moment_out(value: dt.datetime) -> Any:
    return {"$date": f"{value.isoformat()}+00:00"}


def _ms_out(value: DatetimeMS) -> Any:
    return {"$date": {"$numberLong": str(int(value))}}


def _document_out(value: dict[str, Any]) -> Any:
    for name, one in value.items():
        if type(one) not in _PLAIN:
            value[name] = outgoing(one)
    return value


def _list_out(value: list[Any]) -> Any:
    for index, one in enumerate(value):
        if type(one) not in _PLAIN:
            value[index] = outgoing(one)
    return value


def _regex_out(value: Any) -> Any:
    return {"$regularExpression": {"pattern": str(value.pattern), "options": ""}}


# What JSON has itself.
_PLAIN = frozenset({str, int, bool, float, type(None), Int64, Decimal})
_OUT: dict[type, Callable[[Any], Any]] = {
    ObjectId: str, Decimal128: _decimal_out, bytes: _binary_out, Binary: _binary_out, dt.datetime: _moment_out,
    DatetimeMS: _ms_out, dict: _document_out, list: _list_out, Regex: _regex_out,
}  # fmt: skip


def as_json(documents: list[dict[str, Any]]) -> bytes:
    """Write whole documents as the kernel would after ``outgoing``, without the brackets round them."""
    return orjson.dumps(documents, _unknown, json.OPTIONS)[1:-1]


def _unknown(value: Any) -> Any:
    found = outgoing(value)
    return orjson.Fragment(format(found, "f")) if isinstance(found, Decimal) else found


def _text_of(value: Any) -> Any:
    return value if type(value) is str else outgoing(value)


def _day(value: Any) -> Any:
    return value.date().isoformat() if isinstance(value, dt.datetime) else outgoing(value)


def _wall(value: Any) -> Any:
    return value.isoformat(" ") if isinstance(value, dt.datetime) else outgoing(value)


def _zoned(value: Any) -> Any:
    return f"{value.isoformat(' ')}+00:00" if isinstance(value, dt.datetime) else outgoing(value)


def _base64(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else outgoing(value)


_SHOWN: dict[str, Callable[[Any], Any]] = {
    "string": _text_of, "text": _text_of, "date": _day, "binary": _base64,
    **dict.fromkeys(types.DATETIMES, _wall), "datetimetz": _zoned, "timestamptz": _zoned,
}  # fmt: skip
