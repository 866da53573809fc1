"""JSON in and out: orjson, with the few types it does not know."""

from __future__ import annotations

import base64
import decimal
from typing import Any

import orjson

from trunkline.errors import BadRequest

# Finished JSON inside of content; only where ``render.passes_json`` says that nobody looks at it before it is sent.
Finished = orjson.Fragment
OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME


def _default(value: Any) -> Any:
    if isinstance(value, decimal.Decimal):
        # D14: a decimal is a JSON number with all its digits, which no float could keep.
        return orjson.Fragment(format(value, "f")) if value.is_finite() else None
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if hasattr(value, "isoformat"):
        return value.isoformat(" ") if hasattr(value, "hour") and hasattr(value, "year") else value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def dumps(value: Any, *, indented: bool = False) -> bytes:
    """Serialize ``value`` to UTF-8 JSON, compact unless it is to be read."""
    options = OPTIONS | orjson.OPT_INDENT_2 if indented else OPTIONS
    try:
        return orjson.dumps(value, _default, options)
    except TypeError:
        return orjson.dumps(_mended(value), _default, options)


def _mended(value: Any) -> Any:
    """Spell out what orjson refuses: integers beyond 64 bits, and text with lone surrogates."""
    if isinstance(value, dict):
        return {_mended(key): _mended(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(one) for one in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(value))
    return value


def loads(data: bytes | str) -> Any:
    """Parse JSON; raises BadRequest that says where it is malformed."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"Invalid JSON in request body: {error}") from None
    except RecursionError:
        raise BadRequest("Invalid JSON in request body: nested too deeply.") from None
