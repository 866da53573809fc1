"""Documents as databases keep them, on their way to the kernel's JSON."""

from __future__ import annotations

import json as exact
import re
from decimal import Decimal
from typing import Any

from trunkline import json
from trunkline.errors import BadRequest

# What might be a number with more digits than a float or a 64-bit integer keeps.
_MANY_DIGITS = re.compile(r"\d[\d.]{14}")
# Deeper than that the kernel's JSON writes nothing, and there is an envelope round it.
_DEEPEST = 200
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}]')


def exact_json(text: str | bytes) -> Any:
    """Parse JSON; where long numbers might be in it, with all their digits. What is none, or too deep, stays text."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if text.count("[") + text.count("{") > _DEEPEST and _depth(text) > _DEEPEST:
        return text
    try:
        return exact.loads(text, parse_float=Decimal) if _MANY_DIGITS.search(text) else json.loads(text)
    except (BadRequest, RecursionError, ValueError):
        return text


def _depth(text: str) -> int:
    depth = deepest = 0
    for found in _BRACKETS.finditer(text):
        if found[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif found[0] in "]}":
            depth -= 1
    return deepest
