"""The frame of a document: what services say of their calls becomes one OpenAPI document (connectors 11.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trunkline.describe import COMMON, Allowed, Operation, Parameter, in_path, placeholders
from trunkline_apidocs.references import Renamer
from trunkline_database.openapi_schemas import camel

if TYPE_CHECKING:
    from trunkline.formats import Format

JSON = "application/json"
SCHEMES: dict[str, dict[str, str]] = {
    "BasicAuth": {"type": "http", "scheme": "basic"},
    "BearerAuth": {"type": "http", "scheme": "bearer"},
    "ApiKeyQuery": {"type": "apiKey", "in": "query", "name": "api_key"},
    "ApiKeyHeader": {"type": "apiKey", "in": "header", "name": "X-DreamFactory-API-Key"},
    "SessionTokenQuery": {"type": "apiKey", "in": "query", "name": "session_token"},
    "SessionTokenHeader": {"type": "apiKey", "in": "header", "name": "X-DreamFactory-Session-Token"},
}
HEADER_SCHEMES = ("ApiKeyHeader", "SessionTokenHeader")
_ERRORS = {
    "400": ("BadRequest", "The request cannot be understood, or names something that is not there.", 400),
    "401": ("Unauthorized", "The caller is not known, or an app alone may not.", 401),
    "403": ("Forbidden", "The caller may not.", 403),
    "404": ("NotFound", "There is no such thing.", 404),
    "409": ("Conflict", "It collides with what is stored.", 409),
}
_ERROR = {"$ref": "#/components/responses/Error"}


class Frame:
    """A document that is being put together, in OpenAPI 3.1."""

    def __init__(self, info: Mapping[str, Any], server: str, schemes: Sequence[str], formats: Sequence[Format]) -> None:
        """Begin with nothing but the frame; ``formats`` are those that replies go out in."""
        self._schemas: dict[str, Any] = {"Error": COMMON["Error"]}
        self._parameters: dict[str, Any] = {}
        self._responses: dict[str, Any] = {
            "Error": {"description": "What went wrong.", "content": {JSON: {"schema": _schema("Error")}}}
        }
        self._paths: dict[str, dict[str, Any]] = {}
        self._tags: list[dict[str, Any]] = []
        self._ids: set[str] = set()
        self._names: dict[tuple[str, ...], dict[str, str]] = {}
        self._shared: dict[int, tuple[Any, dict[str, str]]] = {}
        self._others = {
            one.media_types[0]: {"schema": {"type": "string"}} for one in formats if one.extension != "json"
        }
        self.document: dict[str, Any] = {
            "openapi": "3.1.0",
            "servers": [{"url": server, "description": ""}],
            "info": {**info},
            "components": {
                "securitySchemes": {name: SCHEMES[name] for name in schemes},
                "schemas": self._schemas,
                "responses": self._responses,
                "parameters": self._parameters,
                "requestBodies": {},
            },
            "security": [{name: []} for name in schemes],
            "tags": self._tags,
            "paths": self._paths,
        }

    def add(
        self,
        service: str,
        words: str,
        schemas: Mapping[str, Any],
        operations: Iterable[Allowed],
        *,
        prefix: str = "",
        explicit: bool = False,
    ) -> None:
        """Add the operations of a service; ``explicit`` lists the errors one by one, with examples."""
        self._tags.append({"name": service, "description": words})
        rename = self._add_schemas(service, schemas)
        for allowed in operations:
            # A slash at the end means something to some services, but there is none behind the bare name of one.
            path = f"{prefix}/{allowed.path.path}" if allowed.path.path else prefix or "/"
            operation = self._operation(service, allowed, rename, explicit=explicit)
            self._paths.setdefault(path, {})[allowed.verb.lower()] = operation

    def add_ready(self, service: str, words: str, document: Mapping[str, Any], *, prefix: str = "") -> None:
        """Add a service whose document is ready, with paths below the service (system-api 19.1)."""
        self._tags.append({"name": service, "description": words})
        components = document.get("components", {})
        renamed: dict[str, str] = {}
        for kind, members in components.items():
            if kind == "securitySchemes":
                continue
            place = self.document["components"].setdefault(kind, {})
            for name, one in members.items():
                other = self._free(place, name, one, service)
                if other != name:
                    renamed[f"#/components/{kind}/{name}"] = f"#/components/{kind}/{other}"
                place[other] = one
        rename = Renamer(renamed)
        for kind, members in components.items() if renamed else ():
            for name, one in members.items() if kind != "securitySchemes" else ():
                other = renamed.get(f"#/components/{kind}/{name}", f"/{name}").rpartition("/")[2]
                self.document["components"][kind][other] = rename(one)
        for path, item in document["paths"].items():
            told = rename(item)
            self._paths[f"{prefix}{path}".rstrip("/") or "/"] = {
                verb: _ready(service, one) if verb in VERBS else one for verb, one in told.items()
            }

    def finished(self, **extras: Any) -> dict[str, Any]:
        """Answer the document."""
        return self.document | extras

    # Components.

    def _add_schemas(self, service: str, schemas: Mapping[str, Any]) -> Renamer:
        """Add schemas; of two that differ under one name the later one is renamed. Answers what does so everywhere."""
        renamed: dict[str, str] = {}
        for name, schema in schemas.items():
            other = self._free(self._schemas, name, schema, service)
            if other != name:
                renamed[f"#/components/schemas/{name}"] = f"#/components/schemas/{other}"
            self._schemas[other] = schema
        rename = Renamer(renamed)
        for name, schema in schemas.items() if renamed else ():
            other = renamed.get(f"#/components/schemas/{name}", f"/{name}").rpartition("/")[2]
            if (told := rename(schema)) != schema and other == name:
                # Others may refer to the one that has this name, as it was.
                other = self._free(self._schemas, f"{camel(service)}{name}", told, service)
            self._schemas[other] = told
        return rename

    @staticmethod
    def _free(place: Mapping[str, Any], name: str, one: Any, service: str) -> str:
        other, number = name, 1
        while other in place and place[other] != one:
            other = f"{camel(service)}{name}" if number == 1 else f"{camel(service)}{name}{number}"
            number += 1
        return other

    def _parameter(self, parameter: Parameter) -> dict[str, Any]:
        """Refer to a parameter that several operations may have; those of paths stand where they belong."""
        told = _told(parameter)
        if parameter.where == "path":
            return told
        known = self._shared.get(id(parameter))
        if known is None:
            name, number = camel(parameter.name) or "Parameter", 1
            while self._parameters.get(name, told) != told:
                number += 1
                name = f"{camel(parameter.name)}{number}"
            self._parameters[name] = told
            known = self._shared[id(parameter)] = (parameter, {"$ref": f"#/components/parameters/{name}"})
        return known[1]

    def _response(self, operation: Operation, rename: Renamer) -> dict[str, Any]:
        """Refer to a response that several operations may have."""
        reply = rename(operation.reply)
        if reply is None:
            return self._content(operation, {})
        known = self._shared.get(id(reply))
        if known is None or operation.media_types:
            content = self._content(operation, reply)
            first = reply if "$ref" in reply else next(iter(reply.get("anyOf", [{}])), {})
            name = base = f"{str(first.get('$ref', '')).rpartition('/')[2] or camel(operation.name) or 'Any'}Response"
            number = 1
            while self._responses.get(name, content) != content:
                number += 1
                name = f"{base}{number}"
            self._responses[name] = content
            known = self._shared[id(reply)] = (reply, {"$ref": f"#/components/responses/{name}"})
        return known[1]

    def _content(self, operation: Operation, schema: Mapping[str, Any]) -> dict[str, Any]:
        if operation.media_types:
            content: dict[str, Any] = {
                one: {"schema": schema if one == JSON else {"type": "string", "format": "binary"}}
                for one in operation.media_types
            }
        else:
            content = {JSON: {"schema": schema}, **self._others}
        return {"description": "What was asked for.", "content": content}

    def _named(self, names: Sequence[str]) -> dict[str, str]:
        """Refer to a schema of the names that a placeholder can stand for."""
        key = tuple(names)
        known = self._names.get(key)
        if known is None:
            number = len(self._names) + 1
            name = f"KnownName{number if number > 1 else ''}"
            self._schemas[name] = {"type": "string", "enum": list(key)}
            known = self._names[key] = _schema(name)
        return known

    # Operations.

    def _operation(self, service: str, allowed: Allowed, rename: Renamer, *, explicit: bool) -> dict[str, Any]:
        operation, path = allowed.operation, allowed.path
        parameters = [self._parameter(one) for one in self._placed(allowed)]
        parameters += [self._parameter(one) for one in operation.parameters]
        told: dict[str, Any] = {
            "tags": [service],
            "summary": operation.summary,
            "operationId": self._id(allowed.verb, service, operation.name or path.path),
        }
        if operation.words:
            told["description"] = operation.words
        if parameters:
            told["parameters"] = parameters
        if operation.body is not None or operation.bodies:
            bodies = {**({} if operation.body is None else {JSON: operation.body}), **operation.bodies}
            content = {kind: {"schema": rename(one)} for kind, one in bodies.items()}
            told["requestBody"] = {"required": operation.body_is_needed, "content": content}
        response = self._response(operation, rename)
        good = {str(status): response for status in (operation.status, *operation.also)}
        told["responses"] = {**good, **self._errors(explicit), "default": _ERROR}
        return told

    def _placed(self, allowed: Allowed) -> list[Parameter]:
        """Answer the placeholders of the path, with the names that they can stand for, as far as these are known."""
        known = {one.name: one for one in allowed.path.parameters}
        found = [known.get(name) or in_path(name, "") for name in placeholders(allowed.path.path)]
        limited = next(iter(allowed.path.names), None) if allowed.names is not None else None
        return [
            in_path(one.name, one.words, self._named(allowed.names or ())) if one.name == limited else one
            for one in found
        ]

    def _id(self, verb: str, service: str, name: str) -> str:
        base = f"{verb.lower()}{camel(service)}{camel(name)}"
        found, number = base, 1
        while found.lower() in self._ids:
            number += 1
            found = f"{base}{number}"
        self._ids.add(found.lower())
        return found

    def _errors(self, explicit: bool) -> dict[str, Any]:
        if not explicit:
            return {}
        found = {}
        for status, (name, words, code) in _ERRORS.items():
            if name not in self._responses:
                entry = {"code": code, "context": None, "message": words, "status_code": code}
                content = {JSON: {"schema": _schema("Error"), "example": {"error": entry}}}
                self._responses[name] = {"description": words, "content": content}
            found[status] = {"$ref": f"#/components/responses/{name}"}
        return found


VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "trace"})


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _told(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.words,
        **({"required": True} if parameter.required else {}),
        "schema": parameter.schema,
    }


def _ready(service: str, operation: Any) -> Any:
    """Give an operation its tag and the default response that it lacks."""
    if not isinstance(operation, Mapping):
        return operation
    responses = {**(operation.get("responses") or {})}
    responses.setdefault("default", _ERROR)
    return {**operation, "tags": [service], "responses": responses}
