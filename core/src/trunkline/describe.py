"""What calls a service takes, as services and resources declare it; OpenAPI documents and other tools are made of it.

Schemas are JSON Schema 2020-12, as OpenAPI 3.1 has it; references begin with ``#/components/schemas/``.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from trunkline.authorize import lets_pass
from trunkline.call import VERBS, component_in
from trunkline.plugins import first

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.call import Caller
    from trunkline.db.records import ServiceRecord
    from trunkline.service import CallPath, Resource, Service

Schema = Mapping[str, Any]
_PLACEHOLDER = re.compile(r"\{([^}]*)\}")
# Stands for a value that no access row names.
_ANY = "\0"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a query or path; documents tell it once, where many operations have the same object."""

    name: str
    schema: Schema
    words: str
    where: Literal["query", "path"] = "query"
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """What one verb does on a path.

    ``name`` is the last part of the operation's id, ``body`` and ``reply`` are schemas (None is anything for a reply,
    nothing for a body). ``status`` may be ``2XX``, ``also`` are other good ones. A reply goes out in every format,
    unless ``media_types`` names its own. ``needs`` is what the handler asks of the caller beside the role: to be
    logged in, to be an administrator, or one whom no role restricts.
    """

    summary: str
    name: str = ""
    words: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Schema | None = None
    # Bodies of other types than JSON, by media type.
    bodies: Mapping[str, Schema] = field(default_factory=dict)
    body_is_needed: bool = True
    reply: Schema | None = None
    status: int | str = 200
    also: tuple[int, ...] = ()
    media_types: tuple[str, ...] = ()
    needs: Literal["", "user", "administrator", "all rights"] = ""


@dataclass(frozen=True, slots=True)
class Path:
    """A path below a service, perhaps with placeholders; ``names`` are all that a placeholder can stand for just now.

    An operation is for a caller who may call it with one of the names, or, where these are not known, with any value.
    """

    path: str
    operations: Mapping[str, Operation]
    parameters: tuple[Parameter, ...] = ()
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Description:
    """The paths of a service and the schemas that they refer to; ``extras`` are ``x-`` members of its document.

    ``server`` is the address that calls go to, where an operator's document names one.
    """

    paths: list[Path] = field(default_factory=list)
    schemas: dict[str, Schema] = field(default_factory=dict)
    extras: dict[str, Any] = field(default_factory=dict)
    server: str | None = None


async def described(app: App, caller: Caller, record: ServiceRecord) -> Description:
    """Answer what an operator says of a service's calls, or else what it says of itself."""
    found = await told_by_operator(app, record)
    return await app.services.of(record).openapi(caller) if found is None else found


async def told_by_operator(app: App, record: ServiceRecord) -> Description | None:
    """Answer what an operator says of a service's calls, if anything."""
    found: Description | None = await first(app.plugins, "describe_service", app=app, record=record)
    return found


def query(name: str, kind: str | Schema, words: str) -> Parameter:
    """Make a parameter of the query; ``kind`` is a type or a schema."""
    return Parameter(name, {"type": kind} if isinstance(kind, str) else kind, words)


def in_path(name: str, words: str, kind: str | Schema = "string") -> Parameter:
    """Make a placeholder of a path."""
    return Parameter(name, {"type": kind} if isinstance(kind, str) else kind, words, "path", required=True)


def ref(name: str) -> Schema:
    """Refer to a schema of the description."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(items: Schema) -> Schema:
    """Make the schema of the list wrapper."""
    return {
        "type": "object",
        "required": ["resource"],
        "properties": {"resource": {"type": "array", "items": items}},
    }


SUCCESS: Schema = {"type": "object", "required": ["success"], "properties": {"success": {"type": "boolean"}}}
AS_LIST = query("as_list", "boolean", "Answer the names only.")
REFRESH = query("refresh", "boolean", "Forget what is kept of the target, and look anew.")
FIELDS = query("fields", "string", "Which members to answer, comma separated; `*` for all of them.")
AS_ACCESS_LIST = query("as_access_list", "boolean", "Answer the components that roles can name.")
_LISTS = (
    AS_LIST,
    AS_ACCESS_LIST,
    FIELDS,
    query("include_access", "boolean", "Add the verbs that the caller may use, where `fields` is given."),
    REFRESH,
)
ROOT = Operation("List the resources that you may use.", "Resources", parameters=_LISTS, reply=ref("ResourceList"))
# The schemas of every document.
COMMON: dict[str, Schema] = {
    "ResourceList": list_of({"type": ["object", "string"], "properties": {"name": {"type": "string"}}}),
    "Success": SUCCESS,
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "status_code"],
                "properties": {
                    "code": {"type": "integer", "description": "The HTTP status, or 1000 where a batch failed."},
                    "context": {"description": "What is wrong where; of a batch, the results one by one."},
                    "message": {"type": "string"},
                    "status_code": {"type": "integer"},
                },
            }
        },
    },
}


def first_line(method: object) -> str:
    """Answer the first paragraph of a docstring as one line, which says what a verb does."""
    return " ".join((inspect.getdoc(method) or "").partition("\n\n")[0].split())


def of_call_paths(target: Service | Resource, paths: Sequence[CallPath]) -> list[Path]:
    """Describe paths as far as their verbs tell: for types that say no more of themselves."""
    return [_of_call_path(target, one) for one in paths]


def _of_call_path(target: Service | Resource, path: CallPath) -> Path:
    operations = {}
    for verb in path.verbs:
        method = getattr(target, verb.lower(), None)
        summary = first_line(method) or f"{verb} {path.path}"
        body: Schema | None = {} if verb in ("POST", "PUT", "PATCH") else None
        operations[verb] = Operation(summary, body=body, body_is_needed=False, status="2XX")
    parameters = tuple(in_path(name, name.replace("_", " ").capitalize() + ".") for name in placeholders(path.path))
    return Path(path.path, operations, parameters, path.names)


def _pattern(piece: str, is_placeholder: bool) -> str:
    """Write a piece of a path as a pattern; only what is called a path goes on over slashes."""
    if not is_placeholder:
        return re.escape(piece)
    return ".+" if piece.endswith("path") else "[^/]+"


def _continued(component: str, row: str) -> str | None:
    """Fill placeholders with what a row names in their places, be the row shorter or longer; None where they part."""
    filled = []
    named = row.split("/")
    for place, piece in enumerate(component.split("/")):
        value = named[place] if place < len(named) else _ANY
        if "{" not in piece:
            if value not in (piece, _ANY):
                return None
            filled.append(piece)
        else:
            filled.append(value if _PLACEHOLDER.fullmatch(piece) else _PLACEHOLDER.sub(_ANY, piece))
    return "/".join(filled)


def placeholders(path: str) -> list[str]:
    """List the placeholders of a path."""
    return _PLACEHOLDER.findall(path)


@dataclass(frozen=True, slots=True)
class Allowed:
    """An operation that a caller may use, and with which names; None where any will do."""

    path: Path
    verb: str
    operation: Operation
    names: Sequence[str] | None = None


class Rights:
    """What one caller may do on one service, by path with placeholders."""

    def __init__(self, app: App, caller: Caller, record: ServiceRecord, paths: Sequence[Path] = ()) -> None:
        """Collect the components that the caller's role names on this service; ``paths`` are all that it has."""
        self._app = app
        self._caller = caller
        self._record = record
        rows = caller.role.rows if caller.role is not None and not caller.is_admin else ()
        # What is a path of its own is nothing that a placeholder stands for.
        own = {component_in(one.path.split("/")) for one in paths if "{" not in one.path}
        named = {one.component for one in rows if one.service_id == record.id and one.component}
        tried = {one.replace("*", "").strip("/") for one in named} | {one.replace("*", _ANY) for one in named}
        self._tried = tried - own
        self._known: dict[str, Sequence[str]] = {}

    def any(self, path: str) -> bool:
        """Say whether the caller may use any verb on a path."""
        return any(self._may(verb, path) for verb in VERBS)

    def allowed(self, paths: Sequence[Path]) -> Iterator[Allowed]:
        """Yield the operations that the caller may use."""
        for path in paths:
            limited = next(iter(path.names), None)
            for verb, operation in path.operations.items():
                if self._is_refused(operation):
                    continue
                if limited is None:
                    if self._may(verb, path.path):
                        yield Allowed(path, verb, operation)
                    continue
                token = f"{{{limited}}}"
                names = [one for one in path.names[limited] if self._may(verb, path.path.replace(token, one))]
                if names:
                    yield Allowed(path, verb, operation, names)

    def _is_refused(self, operation: Operation) -> bool:
        """Say whether the handler would refuse whom the front door lets pass."""
        caller = self._caller
        match operation.needs:
            case "user":
                return caller.user is None
            case "administrator":
                return caller.user is None or not caller.user.is_sys_admin
            case "all rights":
                return not caller.is_admin
        return False

    def _may(self, verb: str, path: str) -> bool:
        if self._caller.is_admin:
            return True
        component = component_in(path.split("/"))
        if "{" not in component:
            return self._passes(verb, component)
        # With some value that rows name, or with one that none does.
        return any(self._passes(verb, one) for one in self._candidates(component))

    def _candidates(self, component: str) -> Sequence[str]:
        """Answer components that stand for all that a component with placeholders may be."""
        found = self._known.get(component)
        if found is None:
            pieces = _PLACEHOLDER.split(component)
            near = [one for one in self._tried if one.startswith(pieces[0])]
            pattern = re.compile("".join(map(_pattern, pieces, itertools.cycle((False, True))))) if near else None
            fitting = [one for one in near if pattern is not None and pattern.fullmatch(one)]
            beyond = [one for row in near if (one := _continued(component, row)) is not None]
            found = self._known[component] = tuple(
                dict.fromkeys((_PLACEHOLDER.sub(_ANY, component), *fitting, *beyond))
            )
        return found

    def _passes(self, verb: str, component: str) -> bool:
        return lets_pass(self._app, self._caller, verb, self._record, component)
