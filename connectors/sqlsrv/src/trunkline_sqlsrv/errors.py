"""What SQL Server's errors mean, by their numbers, and what is named in their messages."""

from __future__ import annotations

import re
from typing import Any

from trunkline_database.sql.errors import Diagnosis, Kind

KINDS: dict[int, Kind] = {
    **dict.fromkeys((2601, 2627), "duplicate"),
    547: "foreign_key",
    515: "not_null",
    **dict.fromkeys((2628, 8152), "too_long"),
    **dict.fromkeys((220, 232, 248, 8115), "out_of_range"),
    # Conversions, of numbers, moments, identifiers, XML; division by zero.
    **dict.fromkeys((235, 241, 242, 244, 245, 293, 295, 8114, 8134, 8169, 9803, 9810), "type"),
    # What can not be written: computed, numbered, row versions, views, a replica.
    **dict.fromkeys((271, 272, 273, 544, 3906, 4403, 4405, 4406, 4421, 8102), "read_only"),
    # Deadlocks, lock waits, changed snapshots, and what follows when such an error ended the transaction.
    **dict.fromkeys((601, 701, 1204, 1205, 1222, 3902, 3903, 3960, 6401, 10928, 10929, 40501), "busy"),
    **dict.fromkeys((64, 121, 233, 10053, 10054, 10060, 4060, 18452, 18456, 18470, 18486, 18487, 18488), "gone"),
    **dict.fromkeys((40197, 40613, 49918), "gone"),
    **dict.fromkeys((207, 208, 2812, 3701, 4121, 4902, 4924), "stale"),
    **dict.fromkeys((191, 8003, 8623, 8631, 8632), "too_complex"),
    **dict.fromkeys((206, 257, 305, 306, 402, 403, 529, 8116, 8117, 8120, 8127), "operation"),
    **dict.fromkeys((229, 230, 262, 297, 300, 916, 15247), "denied"),
    **dict.fromkeys((1913, 2705, 2714), "exists"),
    **dict.fromkeys((3726, 3729, 4922, 5074), "needed"),
}  # fmt: skip
# What can not be made: keys and references that fit nothing, types that are none.
_UNMAKEABLE = frozenset({102, 156, 1750, 1753, 1760, 1767, 1769, 1770, 1776, 1778, 1785, 2715, 4901, 4928, 8111})
_SYNTAX = "42000"
# From here on the numbers are those of whoever wrote a routine or trigger.
_RAISED = 50000
_DUPLICATE_KEY = re.compile(r"constraint '([^']+)'")
_DUPLICATE_INDEX = re.compile(r"unique index '([^']+)'")
_CONFLICT = re.compile(r'conflicted with the ([A-Z ]+) constraint "([^"]+)"')
_COLUMN = re.compile(r"column '([^']+)'")


def diagnose(error: Exception) -> Diagnosis:
    """Read an error of python-tds, or of the network below it."""
    import pytds

    number = int(getattr(error, "number", 0) or 0)
    text = str(getattr(error, "text", "") or error)
    if isinstance(error, OverflowError):
        return Diagnosis("out_of_range")
    if isinstance(error, UnicodeEncodeError):
        return Diagnosis("type")
    if isinstance(error, pytds.DataError):
        return Diagnosis("out_of_range" if "range" in str(error) else "type")
    if not number:
        # Everything the server says has a number: this is about a connection that is no more, or never was.
        return Diagnosis("gone")
    if number >= _RAISED and number not in KINDS:
        return Diagnosis("raised", message=text)
    kind = KINDS.get(number, "other")
    if kind == "duplicate":
        # The value stands behind it, and is nobody's business.
        return Diagnosis(kind, constraint=_first(_DUPLICATE_KEY, text) or _first(_DUPLICATE_INDEX, text))
    if kind == "foreign_key":
        return _conflict(text)
    if kind in ("not_null", "too_long"):
        return Diagnosis(kind, field=_first(_COLUMN, text))
    if number in _UNMAKEABLE:
        return Diagnosis("other", _SYNTAX)
    return Diagnosis(kind)


def _conflict(text: str) -> Diagnosis:
    found = _CONFLICT.search(text)
    if found is None:
        return Diagnosis("foreign_key")
    what, name = found.groups()
    if what == "CHECK":
        return Diagnosis("check", field=_first(_COLUMN, text), constraint=name)
    # The column that is named is that of the other table.
    return Diagnosis("foreign_key", constraint=name)


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found: Any = pattern.search(text)
    return found[1] if found else None
