"""What of a reply is the data: formats without an envelope write only that."""

from __future__ import annotations

from typing import Any

from trunkline import json


def unwrap(content: Any, wrapper: str) -> Any:
    """Take the data out of ``{"resource": [...], "meta": ...}`` and the error out of ``{"error": {...}}``.

    A single record that has a column of that name keeps it: only a whole envelope is opened.
    """
    if not isinstance(content, dict):
        return content
    if wrapper in content and content.keys() <= {wrapper, "meta"} and isinstance(content[wrapper], list | dict):
        return content[wrapper]
    if content.keys() == {"error"} and isinstance(content["error"], dict):
        return content["error"]
    return content


def text_of(value: Any) -> str:
    """Write one value as text: true or false, nothing for null, a decimal's digits, JSON for what is nested (D14)."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # also beyond the 64 bits that JSON stops at
    text = json.dumps(value).decode()
    # Dates, bytes and the like are JSON texts; a null is what JSON has for infinity.
    return str(json.loads(text)) if text.startswith('"') else "" if text == "null" else text
