"""From OpenAPI 3.1, in which documents are made, to 3.0."""

from __future__ import annotations

from typing import Any

_NULL = {"type": "object", "nullable": True, "enum": [None]}
_ONLY_NEW = (
    "$schema",
    "$id",
    "$defs",
    "patternProperties",
    "propertyNames",
    "contentMediaType",
    "unevaluatedProperties",
)


def as_3_0(document: dict[str, Any]) -> dict[str, Any]:
    """Answer the same document in OpenAPI 3.0.0: its schemas have another way to say null, and one type each."""
    done: dict[int, Any] = {}
    told: dict[str, Any] = _walked(document, done)
    return {**told, "openapi": "3.0.0"}


def _walked(value: Any, done: dict[int, Any]) -> Any:
    """Convert what is below; what stands in several places is converted once."""
    if not isinstance(value, dict | list | tuple):
        return value
    known = done.get(id(value))
    if known is not None:
        return known
    if isinstance(value, dict):
        found: Any = _object(value, done)
    else:
        found = [_walked(one, done) for one in value]
    done[id(value)] = found
    return found


def _object(value: dict[str, Any], done: dict[int, Any]) -> dict[str, Any]:
    for name in ("properties", "schemas", "paths", "examples"):
        if name in value and isinstance(value[name], dict):
            # Its members have names of their own, which are no keywords.
            value = {**value, name: {key: _walked(one, done) for key, one in value[name].items()}}
    found = {
        key: one if key in ("properties", "schemas", "paths", "enum", "default", "example") else _walked(one, done)
        for key, one in value.items()
        if key not in _ONLY_NEW
    }
    if "$ref" in found:
        others = {key: one for key, one in found.items() if key != "$ref"}
        return {**others, "allOf": [{"$ref": found["$ref"]}]} if others and isinstance(found["$ref"], str) else found
    if isinstance(found.get("examples"), list):
        examples = found.pop("examples")
        found["example"] = examples[0] if examples else None
    if "const" in found and not isinstance(found["const"], dict):
        found["enum"] = [found.pop("const")]
    if found.get("contentEncoding") == "base64":
        del found["contentEncoding"]
        found["format"] = "byte"
    for name, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(found.get(name), int | float) and not isinstance(found[name], bool):
            found[limit], found[name] = found[name], True
    if isinstance(found.pop("prefixItems", None), list):
        found["items"] = {}
    return _typed(found)


def _typed(found: dict[str, Any]) -> dict[str, Any]:
    """Say in 3.0 what types a schema has."""
    kinds = found.get("type")
    if kinds == "null":
        return {**{key: one for key, one in found.items() if key != "type"}, **_NULL}
    if kinds == "array" and "items" not in found:
        return {**found, "items": {}}
    if not isinstance(kinds, list):
        return found
    others = [one for one in kinds if one != "null"]
    nullable = {"nullable": True} if len(others) < len(kinds) else {}
    rest = {key: one for key, one in found.items() if key != "type"}
    if not others:
        return {**rest, **_NULL}
    if len(others) == 1:
        return _typed({**rest, "type": others[0], **nullable})
    items = rest.pop("items", {})
    each = [{"type": one, **nullable, **({"items": items} if one == "array" else {})} for one in others]
    return {**rest, "anyOf": each} if "anyOf" not in rest else {"allOf": [rest, {"anyOf": each}]}
