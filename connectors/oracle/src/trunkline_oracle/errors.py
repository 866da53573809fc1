"""What errors of Oracle and of its driver mean, by their numbers; fields and constraints are read from the message."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from trunkline_database.sql.errors import Diagnosis, Kind

# ORA numbers by what they mean; the names of these errors are in Oracle's manual of them.
_MEANINGS: dict[Kind, Sequence[int]] = {
    "duplicate": (1, 1452, 2299),
    "foreign_key": (2291, 2292, 2298),
    "not_null": (1400, 1407, 1758, 2296),
    "check": (2290, 2293, 40441),
    "too_long": (910, 972, 1401, 1461, 1704, 12899, 22835, 40478),
    "out_of_range": (1426, 1438, 1455, 1457, 22053),
    "type": (1465, 1476, 1722, *range(1830, 1864), 1866, 1867, 1873, 1877, 1882, 40587),
    "stale": (904, 942, 1410, 4043, 8103),
    "read_only": (1456, 1552, 1731, 1732, 1733, 1776, 1779, 12081, 16000, 25128, 32795, 42399, 54013),
    "busy": (
        18, 20, 54, 55, 60, 104, 257, 1551, 1555, 1652, 1653, 1654, 4020, 4021, 4031, 4061, 4068, 8176, 8177, 12516,
        12519, 12520, 14450, 29770, 30006,
    ),
    "gone": (
        22, 28, 600, 603, 609, 1005, 1012, 1017, 1033, 1034, 1035, 1041, 1045, 1089, 1090, 1092, 2396, 2399, 3113, 3114,
        3135, 7445, 24550, 25408, 27101, 28000, 28001, 28003, 28040, 28547, 28759,
    ),
    "timeout": (1013, 2049, 2393),
    "too_complex": (913, 936, 1000, 1489, 1745, 1792, 1795, 4030),
    "operation": (
        932, 997, 1439, 1440, 1441, 1442, 1451, 1754, 2262, 2267, 2270, 2329, 22848, 22849, 22858, 22859, 30625,
    ),
    "denied": (1031, 1536, 1720, 1749, 1950, 28113, 28115),
    "exists": (955, 957, 1408, 1430, 2260, 2261, 2264, 2275),
    "needed": (2273, 2429, 2449, 12991, 12992),
}  # fmt: skip
_SERVER: dict[int, Kind] = {number: kind for kind, numbers in _MEANINGS.items() for number in numbers}
# What a listener says before there is a session, unless it was said above.
_LISTENER = range(12150, 12700)
# The driver's own numbers; what it says of connections has 6000 and more.
_DRIVER: dict[int, Kind] = {
    1001: "gone", 1002: "gone", 4000: "gone", 4001: "gone", 4005: "busy", 4011: "gone", 4017: "gone", 4018: "gone",
    4024: "timeout", 4026: "gone", 4027: "gone", 4033: "gone", 4035: "gone", 3010: "gone", 3012: "gone", 3015: "gone",
    3016: "gone", 3002: "type", 3003: "type", 3013: "type", 4003: "out_of_range", 4004: "out_of_range",
    4012: "out_of_range", 4014: "out_of_range", 2043: "too_long", 2044: "too_long",
}  # fmt: skip
_CONNECTING = range(6000, 7000)
# What an author of PL/SQL raises by RAISE_APPLICATION_ERROR.
_RAISED = range(20000, 21000)
# What a statement of ours names that PL/SQL does not find: the routine, or its parameters.
_UNKNOWN = ("PLS-00201", "PLS-00302", "PLS-00306")
# What a definition asks for and cannot be: unknown types, a default that is none, a second identity.
_UNMAKEABLE = frozenset({902, 906, 907, 922, 1723, 2438, 30657, 30669, 40664})
_COLUMN = re.compile(r'"[^"]*"\."[^"]*"\."([^"]*)"')
_CONSTRAINT = re.compile(r"constraint \((?:[^().]*\.)?([^().]*)\)")
_DRIVER_CODE = re.compile(r"DPY-(\d+)")


def number_of(error: BaseException) -> int:
    """Answer the ORA number, 0 where there is none."""
    return int(getattr(_told(error), "code", 0) or 0)


def message_of(error: BaseException) -> str:
    """Answer the whole message."""
    return str(getattr(_told(error), "message", "") or "")


def is_dead(error: BaseException) -> bool:
    """Say whether the connection is not to be used again."""
    return bool(getattr(_told(error), "is_session_dead", False)) or diagnose(error).kind == "gone"


def diagnose(error: BaseException) -> Diagnosis:
    """Read an error."""
    if isinstance(error, OverflowError):
        return Diagnosis("out_of_range")
    if isinstance(error, OSError):
        return Diagnosis("gone")
    number, text = number_of(error), message_of(error)
    if number in _RAISED:
        return Diagnosis("raised", message=_raised(number, text))
    if number == 6550 and any(word in text for word in _UNKNOWN):
        return Diagnosis("stale")
    kind = _SERVER.get(number) or ("gone" if number in _LISTENER else _of_driver(error))
    if kind in ("not_null", "too_long"):
        return Diagnosis(kind, field=found[1] if (found := _COLUMN.search(text)) else None)
    if kind in ("duplicate", "foreign_key", "check"):
        return Diagnosis(kind, constraint=found[1] if (found := _CONSTRAINT.search(text)) else None)
    if kind in ("stale", "operation") or number in _UNMAKEABLE:
        # By the class of a standard state the family knows a definition that cannot be made.
        return Diagnosis(kind, "42000")
    return Diagnosis(kind)


def _of_driver(error: BaseException) -> Kind:
    code = str(getattr(_told(error), "full_code", "") or "")
    found = _DRIVER_CODE.match(code)
    if found is None:
        return "other"
    number = int(found[1])
    return "gone" if number in _CONNECTING else _DRIVER.get(number, "other")


def _raised(number: int, text: str) -> str:
    """Answer the author's words, without the stack that follows them."""
    own = text.partition(f"ORA-{number:05}:")[2] or text
    return re.split(r"\nORA-\d{5}:|\nHelp: ", own, maxsplit=1)[0].strip()


def _told(error: BaseException) -> Any:
    return error.args[0] if error.args else None
