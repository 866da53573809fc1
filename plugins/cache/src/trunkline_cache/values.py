"""How values are kept: text as it came, everything else as JSON."""

from __future__ import annotations

from typing import Any

from trunkline import json
from trunkline.errors import BadGateway, BadRequest

_TEXT, _JSON = b"t", b"j"


class Text(str):
    """A value that came as plain text, and goes out as it came."""

    __slots__ = ()


def packed(value: Any) -> bytes:
    """Make bytes of a value."""
    if isinstance(value, Text):
        return _TEXT + value.encode("utf-8", "replace")
    try:
        return _JSON + json.dumps(value)
    except TypeError as error:
        raise BadRequest("The value cannot be stored.") from error


def unpacked(data: bytes) -> Any:
    """Make a value of bytes; raises BadGateway for what no cache service has stored."""
    if data[:1] == _TEXT:
        return Text(data[1:].decode("utf-8", "replace"))
    try:
        if data[:1] != _JSON:
            raise ValueError("no mark of ours")
        return json.loads(data[1:])
    except (ValueError, BadRequest) as error:
        raise BadGateway("What the cache holds under this key was not stored by a cache service.") from error
