"""From a driver's error to a typed one that tells nothing of SQL or values (D10)."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy.exc import TimeoutError as PoolTimeout

from trunkline.errors import BadRequest, Conflict, Forbidden, GatewayTimeout, InternalError, TrunklineError, Unavailable
from trunkline_database.access import DENIED
from trunkline_database.store import StaleSchema

log = logging.getLogger(__name__)

Kind = Literal[
    "duplicate", "foreign_key", "not_null", "check", "too_long", "out_of_range", "type", "read_only", "busy", "gone",
    "timeout", "stale", "too_complex", "operation", "denied", "exists", "needed", "raised", "outside", "other",
]  # fmt: skip
Verb = Literal["read", "insert", "update", "delete", "define", "call"]
_IDENTIFIER = re.compile(r"\w{1,128}")
_LONGEST_MESSAGE = 1000
_SQLSTATES: dict[Kind, str] = {
    "duplicate": "23505",
    "foreign_key": "23503",
    "not_null": "23502",
    "check": "23514",
    "too_long": "22001",
    "out_of_range": "22003",
    "type": "22000",
    "read_only": "25006",
}
_MORE_SQLSTATES: dict[str, Kind] = {
    **dict.fromkeys(("42P01", "42703", "3F000", "42704"), "stale"),
    # No such function or operator for these types, types that do not go together, something not offered.
    **dict.fromkeys(("42883", "42804", "42846", "42803", "42725", "42P18", "0A000"), "operation"),
    **dict.fromkeys(("42P07", "42701", "42710"), "exists"),
    **dict.fromkeys(("55P03", "55006"), "busy"),
    "22P05": "type",
    "2BP01": "needed",
    "3D000": "gone",
    "42501": "denied",
    "428C9": "read_only",
    "57014": "timeout",
    # RAISE of PostgreSQL without a code of its own, SIGNAL of SQL/PSM.
    **dict.fromkeys(("P0001", "45000"), "raised"),
}
# What these kinds mean when a definition was to be made: it names what is not there, or asks for what cannot be.
_UNMAKEABLE = frozenset({"stale", "operation", "other"})
_CLASSES: dict[str, Kind] = {
    "08": "gone", "22": "type", "23": "check", "28": "gone", "40": "busy", "53": "busy", "54": "too_complex",
    "57": "gone",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a dialect reads out of a driver's error.

    ``message`` is what the author of a routine or trigger had to say, as clients see it: never the engine's own words.
    """

    kind: Kind
    sqlstate: str | None = None
    field: str | None = None
    constraint: str | None = None
    message: str | None = None


def by_sqlstate(sqlstate: str) -> Kind:
    """Name the kind of failure of a standard SQLSTATE."""
    for kind, known in _SQLSTATES.items():
        if sqlstate == known:
            return kind
    return _MORE_SQLSTATES.get(sqlstate) or _CLASSES.get(sqlstate[:2], "other")


def typed(error: Exception, found: Diagnosis, verb: Verb) -> TrunklineError:
    """Build the error that the client sees."""
    if isinstance(error, PoolTimeout):
        found = Diagnosis("busy")
    elif isinstance(error, TimeoutError):
        found = Diagnosis("timeout")
    context = _context(found)
    if verb == "define" and found.kind in _UNMAKEABLE and (found.sqlstate or "")[:2] in ("42", "0A"):
        log.info("the database refused a definition", exc_info=error)
        return BadRequest("The database refuses this definition.", context=context)
    if found.kind == "gone":
        log.warning("the database can not be reached: %s", error.__cause__ or error)
    if found.kind == "not_null" and verb == "define":
        return BadRequest("A new field that can not be NULL needs a default where there are records.", context=context)
    if found.kind == "foreign_key" and verb == "delete":
        return Conflict("The record can not be deleted: others refer to it.", context=context)
    message, kind = _MESSAGES.get(found.kind, (None, InternalError))
    if message is None:
        log.error("the database refused a statement", exc_info=error)
        return InternalError("The database could not answer the request. The log has the cause.", context=context)
    if issubclass(kind, Unavailable | GatewayTimeout):
        return kind(message, headers={"Retry-After": "1"})
    if found.message:
        return kind(found.message[:_LONGEST_MESSAGE], context=context)
    about = f" (field '{found.field}')" if found.field else ""
    return kind(message.format(field=found.field or "?", about=about), context=context)


_MESSAGES: dict[Kind, tuple[str, type[TrunklineError]]] = {
    "duplicate": ("A record with this value exists already{about}.", Conflict),
    "foreign_key": ("The record refers to one that does not exist{about}.", BadRequest),
    "not_null": ("Field '{field}' can not be NULL.", BadRequest),
    "check": ("A value breaks a check of the database{about}.", BadRequest),
    "too_long": ("A value is too long{about}.", BadRequest),
    "out_of_range": ("A number is out of range{about}.", BadRequest),
    "type": ("A value has not the type of its field{about}.", BadRequest),
    "read_only": ("The table or database can not be written to.", BadRequest),
    "too_complex": ("The request is too complex for the database.", BadRequest),
    "operation": ("The database can not do this with a field of this type.", BadRequest),
    "denied": ("The database does not permit this.", Forbidden),
    "exists": ("Something of this name exists already.", Conflict),
    "needed": ("This can not be dropped: others depend on it.", Conflict),
    "raised": ("The database refused this by a rule of its own.", BadRequest),
    "outside": (DENIED, Forbidden),
    "busy": ("The database is busy. Try again.", Unavailable),
    "gone": ("The database can not be reached.", Unavailable),
    "stale": ("The table is no longer as it was described. Try again.", StaleSchema),
    "timeout": ("The database took too long.", GatewayTimeout),
}


def _context(found: Diagnosis) -> dict[str, Any] | None:
    sqlstate = found.sqlstate or _SQLSTATES.get(found.kind)
    context = {
        "sqlstate": sqlstate,
        "field": found.field,
        # A check without a name is called by its text in some engines, and that is SQL.
        "constraint": found.constraint if found.constraint and _IDENTIFIER.fullmatch(found.constraint) else None,
    }
    return {name: value for name, value in context.items() if value is not None} or None
