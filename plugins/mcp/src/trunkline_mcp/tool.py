"""What a tool is, and what the verbs of a family of services are, of which most tools are made."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mcp_types as types

from trunkline.errors import BadRequest

if TYPE_CHECKING:
    from trunkline.db.records import ServiceRecord
    from trunkline_mcp.exchange import Exchange

Schema = Mapping[str, Any]
Arguments = dict[str, Any]
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]")
TEXT: Schema = {"type": "string", "minLength": 1}
FLAG: Schema = {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Hint:
    """What a tool does to the world (12.5); None is left unsaid."""

    read_only: bool
    destructive: bool | None = None
    idempotent: bool | None = None


READ = Hint(True, False, True)
CREATE = Hint(False, False, False)
WRITE = Hint(False, True, True)
RUN = Hint(False)
HINTS = {"GET": READ, "POST": CREATE, "PUT": WRITE, "PATCH": WRITE, "DELETE": WRITE}


@dataclass(frozen=True, slots=True)
class Request:
    """A call of a service as the REST dialect knows it; ``params`` hold text, as queries do."""

    method: str
    path: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    raw: bytes = b""
    media_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    trailing_slash: bool = False

    def __post_init__(self) -> None:
        """Refuse what no URL can say: raises BadRequest for segments that are empty, dots, or have a NUL."""
        if any(one in ("", ".", "..") or "\0" in one for one in self.path):
            raise BadRequest("The path has a segment that is not allowed.")


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that every service of a family can do; ``component`` and ``method`` are the right that it needs.

    ``words`` are ours alone: nothing of what is stored ever stands in the description of a tool (checklist 36).
    """

    name: str
    title: str
    words: str
    hint: Hint
    method: str
    component: str
    request: Callable[[Arguments], Request]
    properties: Mapping[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    # The resource of the service without which it cannot be done.
    resource: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as it is listed and called; ``run`` answers a result of the protocol, errors too."""

    name: str
    title: str
    words: str
    schema: dict[str, Any]
    hint: Hint
    run: Callable[[Exchange, Arguments], Awaitable[types.CallToolResult]]
    # Other names under which an operator can switch it off.
    known_as: tuple[str, ...] = ()
    # Arguments that are understood though they are not listed.
    understood: tuple[str, ...] = ()

    def listed(self) -> types.Tool:
        """Render the tool as ``tools/list`` tells it."""
        hint = self.hint
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.words,
            input_schema=self.schema,
            annotations=types.ToolAnnotations(
                title=self.title,
                read_only_hint=hint.read_only,
                destructive_hint=hint.destructive,
                idempotent_hint=hint.idempotent,
                open_world_hint=False,
            ),
            execution=types.ToolExecution(task_support="forbidden"),
        )


def object_schema(properties: Mapping[str, Schema], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Make the schema of arguments, which takes no others."""
    schema: dict[str, Any] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return schema | ({"required": list(required)} if required else {})


def prefix_of(record: ServiceRecord) -> str:
    """Answer what a service is called in names of tools: lower case, with every other character as ``_`` (12.5)."""
    return _NOT_IN_NAMES.sub("_", record.name.lower())


def plain(name: str) -> str:
    """Answer the name by which a tool is found: hyphens and case do not count (12.7)."""
    return name.lower().replace("-", "_")


def as_text(value: Any) -> Any:
    """Spell a value as a query has it: lists with commas, booleans as words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(str(as_text(one)) for one in value)
    return value if isinstance(value, dict) else str(value)


def params_of(arguments: Arguments, *names: str) -> dict[str, Any]:
    """Take some of the arguments as parameters of a query."""
    return {name: as_text(arguments[name]) for name in names if arguments.get(name) is not None}
