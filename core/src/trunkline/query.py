"""Query strings, and forms, which follow the same rules."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from trunkline.errors import BadRequest

_NESTED = re.compile(r"([^\[\]]+)\[([^\[\]]*)\]")
_MOST_PARAMETERS = 1000


def parse_query(query: bytes) -> dict[str, Any]:
    """Parse a query string; the last of equal names wins, ``name[key]=x`` makes a dictionary, ``name[]=x`` a list."""
    try:
        pairs = parse_qsl(
            query.decode("latin-1"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise BadRequest("The query string is not valid UTF-8, or has too many parameters.") from None
    params: dict[str, Any] = {}
    for name, value in pairs:
        if "[" in name and (nested := _NESTED.fullmatch(name)) is not None:
            _nest(params, nested.group(1), nested.group(2), value)
        else:
            params[name] = value
    return params


def _nest(params: dict[str, Any], name: str, key: str, value: str) -> None:
    if key:
        inner = params.get(name)
        params[name] = inner if isinstance(inner, dict) else {}
        params[name][key] = value
    else:
        listed = params.get(name)
        params[name] = listed if isinstance(listed, list) else []
        params[name].append(value)
