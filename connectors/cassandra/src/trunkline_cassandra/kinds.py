"""CQL's types: which simple type each is, and its values on the way in, while judged here, and on the way out."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from trunkline import json
from trunkline.errors import BadRequest
from trunkline_database.model import Column

SIMPLE = {
    "ascii": "string", "text": "string", "varchar": "string", "inet": "string", "duration": "string",
    "tinyint": "tinyint", "smallint": "smallint", "int": "integer", "bigint": "bigint", "counter": "bigint",
    "varint": "decimal", "decimal": "decimal", "float": "float", "double": "double", "boolean": "boolean",
    "uuid": "uuid", "timeuuid": "timeuuid", "date": "date", "time": "time", "timestamp": "timestamp", "blob": "binary",
    "list": "array", "set": "array", "tuple": "array", "vector": "array", "map": "json",
}  # fmt: skip
# Types whose values CQL itself puts in an order that is also the one here.
ORDERED = frozenset({
    "ascii", "text", "varchar", "tinyint", "smallint", "int", "bigint", "varint", "decimal", "float", "double",
    "date", "time", "timestamp", "timeuuid",
})  # fmt: skip
_TEXTS = ("ascii", "text", "varchar")
_BITS = {"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64, "counter": 64}
_WORDS = re.compile(r'\s*([<>,])\s*|\s*("(?:[^"]|"")*"|\'[^\']*\'|[^<>,]+?)(?=\s*[<>,]|\s*$)')
_DURATION = re.compile(
    r"(-?)(?=.)(?:(\d{1,9})y)?(?:(\d{1,9})mo)?(?:(\d{1,9})w)?(?:(\d{1,9})d)?"
    r"(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,10})s)?(?:(\d{1,13})ms)?(?:(\d{1,16})[uµ]s)?(?:(\d{1,19})ns)?",
    re.ASCII | re.IGNORECASE,
)
_NANOSECONDS = (3_600_000_000_000, 60_000_000_000, 1_000_000_000, 1_000_000, 1_000, 1)
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?", re.ASCII)
_EPOCH = dt.date(1970, 1, 1)
_BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class OutOfRange(BadRequest):
    """A number that no row can have, since its column has no room for it."""


class Moment(str):
    """The text of a ``timeuuid``, which comes before another one if its time does, as in Cassandra."""

    __slots__ = ()

    def __str__(self) -> str:
        return self

    def __lt__(self, other: str) -> bool:
        return _place(self) < _place(other)

    def __le__(self, other: str) -> bool:
        return _place(self) <= _place(other)

    def __gt__(self, other: str) -> bool:
        return _place(self) > _place(other)

    def __ge__(self, other: str) -> bool:
        return _place(self) >= _place(other)


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of CQL with the types in it; ``names`` are those of the fields of a user-defined one."""

    name: str
    inner: tuple[Kind, ...] = ()
    names: tuple[str, ...] = ()
    frozen: bool = field(default=False, compare=False)

    @property
    def simple(self) -> str:
        """The simple type of database-api 13.5."""
        return "json" if self.names else SIMPLE.get(self.name, "string")

    @property
    def is_single(self) -> bool:
        """Say whether values are single ones, which conditions can compare."""
        return not self.inner and self.name in SIMPLE and self.name not in ("counter", "duration")

    @property
    def is_told(self) -> bool:
        """Say whether a value that was just written is known without being read."""
        return not self.inner and self.name in ("uuid", "timeuuid", "boolean", "blob", "double", *_TEXTS, *_BITS)


def read(text: str, defined: Mapping[str, tuple[tuple[str, str], ...]], *, depth: int = 0) -> Kind:
    """Read a type as the catalogue writes it; ``defined`` has the fields of the user-defined types by name."""
    tokens = [symbol or word for symbol, word in _WORDS.findall(text)]
    kind, rest = _read(tokens, defined, depth)
    return kind if not rest else Kind("custom")


def _read(tokens: list[str], defined: Mapping[str, tuple[tuple[str, str], ...]], depth: int) -> tuple[Kind, list[str]]:
    name, rest = tokens[0], tokens[1:]
    inner: list[Kind] = []
    if rest[:1] == ["<"]:
        rest = ["", *rest[1:]]
        while rest[0] != ">":
            if rest[1].isdigit():  # how long a vector is
                rest = rest[2:]
                continue
            one, rest = _read(rest[1:], defined, depth)
            inner.append(one)
        rest = rest[1:]
    if name == "frozen":
        return Kind(inner[0].name, inner[0].inner, inner[0].names, frozen=True), rest
    name = name.strip('"').replace('""', '"')
    if name in defined and depth < 16:
        fields = defined[name]
        kinds = tuple(read(kind, defined, depth=depth + 1) for _, kind in fields)
        return Kind(name, kinds, tuple(one for one, _ in fields)), rest
    return Kind(name, tuple(inner)), rest


# On the way in.


def bound(kind: Kind, column: Column, value: Any) -> Any:
    """Answer what the driver is given for a typed value; raises BadRequest that names the field."""
    if value is None:
        return None
    try:
        return _bound(kind, value)
    except OutOfRange:
        raise OutOfRange(f"Field '{column.key}' is out of range.", context={"sqlstate": "22003"}) from None
    except (ValueError, TypeError, ArithmeticError, AttributeError, struct.error):
        raise BadRequest(f"Field '{column.key}' must be a valid {kind.name}.") from None


def _bound(kind: Kind, value: Any) -> Any:
    name = kind.name
    if kind.names:
        return _defined(kind, _loaded(value))
    if kind.inner:
        return _collection(kind, _loaded(value))
    if name in _BITS or name == "varint":
        return _whole(name, value)
    if name in ("uuid", "timeuuid"):
        return _identifier(name, value)
    make = _MAKE.get(name)
    return make(value) if make is not None else value


def _whole(name: str, value: Any) -> int:
    number = int(value)
    if isinstance(value, bool) or number != (Decimal(value) if isinstance(value, str) else value):
        raise ValueError
    most = 1 << (_BITS.get(name, 1 << 16) - 1)
    if not -most <= number < most:
        raise OutOfRange(name)
    return number


def _identifier(name: str, value: Any) -> uuid.UUID:
    """Read a uuid, or make one where the text asks for it as CQL's functions do."""
    text = str(value).strip()
    if name == "uuid" and text.lower() == "uuid()":
        return uuid.uuid4()
    if name == "timeuuid" and text.lower() == "now()":
        return now()
    found = uuid.UUID(text)
    if len(text) != 36 or (name == "timeuuid" and found.version != 1):
        raise ValueError
    return found


def now() -> uuid.UUID:
    """Make a ``timeuuid`` that tells no address of this machine."""
    from cassandra.util import uuid_from_time

    found: uuid.UUID = uuid_from_time(dt.datetime.now(dt.UTC))
    return found


def _moment(value: Any) -> int:
    """Answer milliseconds since 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    text = str(value).strip()
    if text.lstrip("-").isdigit():
        return int(text)
    found = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(text)
    return (found.replace(tzinfo=found.tzinfo or dt.UTC) - _BEGINNING) // dt.timedelta(milliseconds=1)


def _day(value: Any) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    text = str(value).strip()
    return dt.datetime.fromisoformat(text).date() if len(text) > 10 else dt.date.fromisoformat(text)


def _clock(value: Any) -> int:
    """Answer the nanoseconds of a day."""
    found = _TIME.fullmatch(value.isoformat() if isinstance(value, dt.time) else str(value).strip())
    if found is None:
        raise ValueError
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    dt.time(hour, minute, second)
    return ((hour * 60 + minute) * 60 + second) * 1_000_000_000 + int((found[4] or "0").ljust(9, "0"))


def _duration(value: Any) -> Any:
    from cassandra.util import Duration

    found = _DURATION.fullmatch(str(value).strip())
    if found is None:
        raise ValueError
    years, months, weeks, days, *clock = (int(part or 0) for part in found.groups()[1:])
    sign = -1 if found[1] else 1
    nanoseconds = sum(number * unit for number, unit in zip(clock, _NANOSECONDS, strict=True))
    return Duration(sign * (years * 12 + months), sign * (weeks * 7 + days), sign * nanoseconds)


def _ascii(value: Any) -> str:
    return str(value).encode("ascii").decode()


def _single(value: Any) -> float:
    number = float(value)
    struct.pack(">f", number)
    return number


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    import base64

    return base64.b64decode(value, validate=True)


_MAKE: dict[str, Any] = {
    "ascii": _ascii, "text": str, "varchar": str, "inet": lambda value: str(ipaddress.ip_address(str(value).strip())),
    "duration": _duration, "decimal": lambda value: Decimal(str(value)), "float": _single, "double": float,
    "boolean": _truth, "date": _day, "time": _clock, "timestamp": _moment, "blob": _bytes,
}  # fmt: skip


def _loaded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _collection(kind: Kind, value: Any) -> Any:
    if kind.name == "map":
        keys, values = kind.inner
        return {_bound(keys, key): _bound(values, _none_less(one)) for key, one in dict(value).items()}
    if not isinstance(value, list | tuple):
        raise TypeError
    if kind.name == "tuple":
        if len(value) > len(kind.inner):
            raise ValueError
        return tuple(None if one is None else _bound(own, one) for own, one in zip(kind.inner, value, strict=False))
    members = [_bound(kind.inner[0], _none_less(one)) for one in value]
    return set(members) if kind.name == "set" else members


def _none_less(value: Any) -> Any:
    if value is None:
        raise ValueError
    return value


def _defined(kind: Kind, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, Mapping) or not set(value) <= set(kind.names):
        raise TypeError
    members = zip(kind.names, kind.inner, strict=True)
    return tuple(None if value.get(name) is None else _bound(inner, value[name]) for name, inner in members)


# While judged here, and on the way out.


def kept(kind: Kind, value: Any) -> Any:
    """Answer a value of the driver as one of Python's own that can be judged and shown."""
    if value is None:
        return None
    if kind.names:
        return {name: kept(own, one) for name, own, one in zip(kind.names, kind.inner, value, strict=True)}
    name = kind.name
    if kind.inner:
        if name == "map":
            keys, values = kind.inner
            return {_key(kept(keys, key)): kept(values, one) for key, one in value.items()}
        if name == "tuple":
            return [kept(own, one) for own, one in zip(kind.inner, value, strict=True)]
        return [kept(kind.inner[0], one) for one in value]
    make = _KEEP.get(name)
    return make(value) if make is not None else value


def is_kept(kind: Kind) -> bool:
    """Say whether the driver's values need no change."""
    return not kind.inner and kind.name not in _KEEP


def _key(value: Any) -> str:
    return value if isinstance(value, str) else str(shown_alone(value))


def _kept_day(value: Any) -> Any:
    days = value.days_from_epoch
    return _EPOCH + dt.timedelta(days) if -719_162 <= days <= 2_932_896 else str(value)


def _kept_clock(value: Any) -> str:
    seconds, nanoseconds = divmod(value.nanosecond_time, 1_000_000_000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{nanoseconds:09}"


_KEEP: dict[str, Any] = {
    "uuid": str, "timeuuid": lambda value: Moment(str(value)), "inet": str, "duration": str, "varint": Decimal,
    "date": _kept_day, "time": _kept_clock, "blob": bytes,
}  # fmt: skip


def shown(column: Column, value: Any) -> Any:
    """Answer a kept value as replies have it.

    What was declared by the platform's own words ``datetime`` and ``time`` has no more digits than it needs, what only
    Cassandra knows has all of them (14.5).
    """
    if column.type == "json" and isinstance(value, str):
        return json.loads(value)
    if getattr(column, "is_short", False):
        if isinstance(value, dt.datetime):
            return value.isoformat(" ", "milliseconds" if value.microsecond else "seconds")
        if column.type == "time" and isinstance(value, str):
            return value.rstrip("0").rstrip(".")
    return shown_alone(value)


def shown_alone(value: Any) -> Any:
    """Answer a kept value, also one that is in another, as replies have it."""
    if isinstance(value, dt.datetime):
        return f"{value.isoformat(' ', 'milliseconds')}+0000"
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, list):
        return [shown_alone(one) for one in value]
    if isinstance(value, dict):
        return {name: shown_alone(one) for name, one in value.items()}
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    return value


def _place(text: str) -> tuple[int, bytes]:
    try:
        found = uuid.UUID(text)
    except ValueError:
        return (-1, b"")
    # The rest is compared as signed bytes.
    return found.time, bytes(one ^ 0x80 for one in found.bytes[8:])
