"""From MongoDB's errors to typed ones that tell nothing of documents or hosts (D10)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from bson.errors import BSONError
from pymongo import errors

from trunkline.errors import TrunklineError
from trunkline_database.sql.errors import Diagnosis, Kind, Verb, typed

_DUPLICATE = frozenset({11000, 11001, 12582})
_KINDS: dict[int, Kind] = {
    **dict.fromkeys((50, 202, 262, 290), "timeout"),
    **dict.fromkeys((6, 7, 89, 91, 189, 9001, 10107, 11600, 11602, 13435, 13436, 18, 8000), "gone"),
    **dict.fromkeys((112, 225, 251, 246, 24), "busy"),
    13: "denied",
    26: "stale",
    48: "exists",
    121: "check",
    **dict.fromkeys((2, 9, 14, 28, 40, 51, 52, 54, 56, 57, 59, 66, 115, 168, 238, 241, 16410, 17282), "operation"),
    **dict.fromkeys((146, 292, 10334, 17280, 16819, 16945), "too_complex"),
}


@contextlib.contextmanager
def translated(verb: Verb) -> Iterator[None]:
    """Raise typed errors instead of the driver's."""
    try:
        yield
    except TrunklineError:
        raise
    except (errors.PyMongoError, BSONError, OverflowError, TimeoutError) as error:
        raise typed(error, diagnosed(error), verb) from error


def diagnosed(error: Exception) -> Diagnosis:
    """Say what an error of the driver means."""
    if isinstance(error, OverflowError):
        return Diagnosis("out_of_range")
    if isinstance(error, BSONError | errors.DocumentTooLarge):
        return Diagnosis("too_complex")
    if isinstance(error, errors.BulkWriteError):
        first: dict[str, Any] = next(iter(error.details.get("writeErrors") or ()), {})
        return _coded(first.get("code"), first)
    if (
        isinstance(error, errors.PyMongoError)
        and error.timeout
        and not isinstance(error, errors.ServerSelectionTimeoutError | errors.WaitQueueTimeoutError)
    ):
        return Diagnosis("timeout")
    if isinstance(error, errors.WaitQueueTimeoutError):
        return Diagnosis("busy")
    if isinstance(error, errors.NetworkTimeout):
        return Diagnosis("timeout")
    if isinstance(error, errors.ConnectionFailure):
        return Diagnosis("gone")
    if isinstance(error, errors.OperationFailure):
        if error.has_error_label("TransientTransactionError"):
            return Diagnosis("busy")
        if error.code == 1 and "UNIQUE constraint failed" in str(error):
            # FerretDB's words for it, where it has no code.
            return Diagnosis("duplicate")
        return _coded(error.code, error.details or {})
    return Diagnosis("other")


def _coded(code: Any, details: Any) -> Diagnosis:
    if code in _DUPLICATE:
        names = list(details.get("keyPattern") or ())
        return Diagnosis("duplicate", field=str(names[0]) if len(names) == 1 else None)
    return Diagnosis(_KINDS.get(code, "other") if isinstance(code, int) else "other")
