"""From Swagger 2 to OpenAPI 3: parameters of bodies and forms, responses and definitions have other places there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
_SCHEMA_WORDS = frozenset(
    {"type", "format", "items", "enum", "default", "minimum", "maximum", "minLength", "maxLength", "pattern"}
    | {"minItems", "maxItems", "uniqueItems", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"}
)
_PLACES = {
    "#/definitions/": "#/components/schemas/",
    "#/parameters/": "#/components/parameters/",
    "#/responses/": "#/components/responses/",
}
_JSON = ["application/json"]


def converted(document: Mapping[str, Any]) -> dict[str, Any]:
    """Answer paths and components of a document in OpenAPI 3; what the frame says itself is left out."""
    consumes, produces = _types(document, "consumes", _JSON), _types(document, "produces", _JSON)
    shared = _mapping(document.get("parameters"))
    bodies = {name: one for name, one in shared.items() if _mapping(one).get("in") in ("body", "formData")}
    paths = {}
    for path, item in _mapping(document.get("paths")).items():
        common = [_resolved(one, bodies) for one in item.get("parameters") or []]
        paths[path] = {
            verb: _operation(_mapping(one), common, bodies, consumes, produces)
            for verb, one in _mapping(item).items()
            if verb in _VERBS
        }
    components = {
        "schemas": {**_mapping(document.get("definitions"))},
        "parameters": {name: _parameter(one) for name, one in shared.items() if name not in bodies},
        "responses": {
            name: _response(_mapping(one), produces) for name, one in _mapping(document.get("responses")).items()
        },
    }
    found: dict[str, Any] = _moved({"paths": paths, "components": components})
    return found


def _operation(
    one: Mapping[str, Any], common: list[Any], bodies: Mapping[str, Any], consumes: list[str], produces: list[str]
) -> dict[str, Any]:
    found = {key: value for key, value in one.items() if key not in ("consumes", "produces", "parameters", "schemes")}
    takes, gives = _types(one, "consumes", consumes), _types(one, "produces", produces)
    own = [_resolved(parameter, bodies) for parameter in one.get("parameters") or []]
    # What the operation says itself replaces what all of the path have.
    names = {(_mapping(parameter).get("name"), _mapping(parameter).get("in")) for parameter in own}
    given = own + [
        parameter
        for parameter in common
        if "$ref" in parameter or (parameter.get("name"), parameter.get("in")) not in names
    ]
    form = [parameter for parameter in given if parameter.get("in") == "formData"]
    body = next((parameter for parameter in given if parameter.get("in") == "body"), None)
    others = [_parameter(parameter) for parameter in given if parameter.get("in") not in ("body", "formData")]
    if others:
        found["parameters"] = others
    if body is not None:
        content = {kind: {"schema": body.get("schema", {})} for kind in takes}
        found["requestBody"] = {"content": content, "required": bool(body.get("required"))}
    elif form:
        found["requestBody"] = {"content": {kind: {"schema": _form(form)} for kind in _form_types(takes, form)}}
    responses = _mapping(one.get("responses"))
    found["responses"] = {str(status): _response(_mapping(two), gives) for status, two in responses.items()}
    return found


def _resolved(parameter: Any, bodies: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put a shared parameter of a body or form in place of what refers to it."""
    given = _mapping(parameter)
    name = str(given.get("$ref", "")).removeprefix("#/parameters/")
    return _mapping(bodies.get(name)) or given


def _parameter(given: Any) -> dict[str, Any]:
    parameter = _mapping(given)
    if "$ref" in parameter:
        return {**parameter}
    found = {key: value for key, value in parameter.items() if key not in _SCHEMA_WORDS | {"collectionFormat"}}
    found["schema"] = _schema(parameter)
    if parameter.get("in") == "path":
        found["required"] = True
    if parameter.get("type") == "array" and parameter.get("in") == "query":
        found |= {"style": "form", "explode": parameter.get("collectionFormat") == "multi"}
    return found


def _schema(parameter: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in parameter.items() if key in _SCHEMA_WORDS}
    return {**found, "type": "string", "format": "binary"} if found.get("type") == "file" else found


def _form(fields: list[Mapping[str, Any]]) -> dict[str, Any]:
    properties = {str(one.get("name")): {**_schema(one), "description": one.get("description", "")} for one in fields}
    required = [str(one.get("name")) for one in fields if one.get("required")]
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _form_types(takes: list[str], fields: list[Mapping[str, Any]]) -> list[str]:
    kinds = ("multipart/form-data", "application/x-www-form-urlencoded")
    has_files = any(one.get("type") == "file" for one in fields)
    return [one for one in takes if one in kinds] or [kinds[0] if has_files else kinds[1]]


def _response(given: Mapping[str, Any], produces: list[str]) -> dict[str, Any]:
    if "$ref" in given:
        return {**given}
    found: dict[str, Any] = {"description": str(given.get("description") or "")}
    if "schema" in given:
        found["content"] = {kind: {"schema": given["schema"]} for kind in produces}
    if isinstance(given.get("headers"), Mapping):
        found["headers"] = {
            name: {"description": str(_mapping(one).get("description") or ""), "schema": _schema(_mapping(one))}
            for name, one in given["headers"].items()
        }
    return found


def _types(given: Mapping[str, Any], name: str, otherwise: list[str]) -> list[str]:
    found = given.get(name)
    return [str(one) for one in found] if isinstance(found, list) and found else otherwise


def _moved(value: Any) -> Any:
    """Follow the parts to their new places."""
    if isinstance(value, Mapping):
        return {
            key: _place(one) if key == "$ref" and isinstance(one, str) else _moved(one)
            for key, one in value.items()
            if not (key == "discriminator" and isinstance(one, str))
        } | (
            {"discriminator": {"propertyName": value["discriminator"]}}
            if isinstance(value.get("discriminator"), str)
            else {}
        )
    return [_moved(one) for one in value] if isinstance(value, list) else value


def _place(reference: str) -> str:
    for old, new in _PLACES.items():
        if reference.startswith(old):
            return new + reference.removeprefix(old)
    return reference


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
