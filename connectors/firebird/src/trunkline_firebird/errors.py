"""What Firebird's errors mean: by their numbers, which say more than the SQLSTATE; names are read from messages."""

from __future__ import annotations

import re
import struct
from typing import Any

from trunkline_database.sql.errors import Diagnosis, Kind, by_sqlstate

# After these a connection is of no use: the network, the server or the database went away, or it was told to stop.
LOST = frozenset({335544648, 335544721, 335544722, 335544726, 335544727, 335544741, 335544794, 335544856, 335544324})
_RAISED = frozenset({335544517, 335544848})
# Whichever of an error's numbers stands here first decides: the particular before the general.
_KINDS: dict[int, Kind] = {
    **dict.fromkeys(_RAISED, "raised"),
    335544794: "timeout",  # cancelled
    **dict.fromkeys(LOST - {335544794}, "gone"),
    # Login, database not found or not open, too many or no more connections.
    **dict.fromkeys((335544472, 335544344, 335544375, 335544528, 335544323, 335544379), "gone"),
    335544665: "duplicate", 335544349: "duplicate", 335544466: "foreign_key", 335544838: "foreign_key",
    335544839: "foreign_key", 335544347: "not_null", 335544558: "check",
    335544914: "too_long", 335544916: "out_of_range", 335544779: "out_of_range", 335544778: "out_of_range",
    335544334: "type", 335544565: "type", 335544849: "type",
    335544352: "denied",
    335544606: "operation",  # an expression that types do not allow
    335544359: "read_only", 335544360: "read_only", 335544361: "read_only", 335544362: "read_only",
    335544765: "read_only",
    # Deadlocks, rows and objects that others hold.
    **dict.fromkeys((335544336, 335544345, 335544451, 335544510, 335544878, 335544453), "busy"),
    335544630: "needed",
    336068740: "exists", 336068743: "exists",
    335544580: "stale", 335544578: "stale", 335544395: "stale", 335544396: "stale", 336068783: "stale",
    335544581: "stale", 336397206: "stale",
    335544381: "too_complex", 336397211: "too_complex",
}  # fmt: skip
_DEFINING = 335544351
_SQLSTATES: dict[Kind, str] = {"duplicate": "23505", "foreign_key": "23503", "not_null": "23502", "check": "23514"}
_COLUMN = re.compile(r'column (?:"(?:[^"]|"")*"\.)?"((?:[^"]|"")*)"')
_KEY = re.compile(r'value is \("((?:[^"]|"")*)" = ')
_CONSTRAINT = re.compile(r'constraint "?([^"\s]+)"?')
_ITSELF = '"RDB$'


def diagnose(error: Any) -> Diagnosis:
    """Read an error of the driver's."""
    codes = getattr(error, "gds_codes", None) or ()
    text = str(error)
    kind = next((found for code, found in _KINDS.items() if code in codes), None)
    if _DEFINING in codes and kind == "duplicate" and _ITSELF in text:
        return Diagnosis("exists")
    if kind is None and not codes:
        return _of_driver(error)
    if kind is None:
        return Diagnosis(by_sqlstate(error.sqlstate or ""), error.sqlstate)
    if kind == "raised":
        return Diagnosis(kind, message=_message(text))
    field = _COLUMN.search(text) or _KEY.search(text)
    constraint = _CONSTRAINT.search(text) if kind in _SQLSTATES else None
    return Diagnosis(
        kind,
        _SQLSTATES.get(kind) or error.sqlstate,
        field[1] if field and kind in ("not_null", "duplicate") else None,
        constraint[1] if constraint else None,
    )


def is_packing(error: BaseException) -> bool:
    """Say whether the driver objects to a value: it does that in Python's own errors, from its own code."""
    if not isinstance(error, ValueError | TypeError | OverflowError | struct.error):
        return False
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    return frames is not None and str(frames.tb_frame.f_globals.get("__name__")).startswith("firebird.")


def _of_driver(error: Any) -> Diagnosis:
    """Read an error without a number: of the network, or of a value that does not fit what the server described."""
    if isinstance(error, OSError):
        return Diagnosis("gone")
    if not is_packing(error):
        return Diagnosis("other")
    if isinstance(error, OverflowError) or "range" in str(error):
        return Diagnosis("out_of_range")
    return Diagnosis("too_long" if "too long" in str(error) else "type")


def _message(text: str) -> str | None:
    """Find what the author of an exception says, between its name and the place where it was raised."""
    lines = text.split("\n")[2:]
    end = next((place for place, line in enumerate(lines) if line.startswith("-At ")), len(lines))
    return "\n".join(line.removeprefix("-") for line in lines[:end]) or None
