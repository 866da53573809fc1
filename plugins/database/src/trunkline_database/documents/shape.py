"""Paths with dots and nested objects."""

from __future__ import annotations

from collections.abc import Container
from typing import Any


def nested(row: dict[str, Any], besides: Container[str] = ()) -> None:
    """Put the values of paths into objects, where readers of documents look for them: ``a.b`` → ``{"a": {"b": …}}``.

    Names in ``besides``, in lower case, have dots of their own.
    """
    for path in [key for key in row if "." in key and key.lower() not in besides]:
        value = row.pop(path)
        *outer, last = path.split(".")
        place = row
        for part in outer:
            inner = place.get(part)
            if not isinstance(inner, dict):
                inner = place[part] = {}
            place = inner
        place[last] = value
