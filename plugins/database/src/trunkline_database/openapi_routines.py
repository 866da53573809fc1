"""The calls of procedures and functions as OpenAPI documents tell them (database-api 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline.describe import AS_LIST, FIELDS, REFRESH, Description, Operation, Parameter, Path, in_path, query, ref
from trunkline.errors import TrunklineError
from trunkline_database.openapi_schemas import COMMON, camel, nullable, schema_of

if TYPE_CHECKING:
    from trunkline.call import Caller
    from trunkline_database.routine import Routine
    from trunkline_database.routines import RoutineResource

_SHAPE = (
    query("returns", "string", "Answer one value of this type, instead of rows."),
    query("schema", "string", "Types to cast columns to, as a JSON object."),
    query("wrapper", "string", "The key to put rows under."),
)
_LIST = (
    AS_LIST, FIELDS, query("ids", "string", "Describe only these, comma separated."),
    query("schema", "string", "Only names that begin with this schema."), REFRESH,
)  # fmt: skip
_BODY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "params": {
            "description": "Values by name, in order, or as entries with name and value.",
            "anyOf": [{"type": "object"}, {"type": "array", "items": {}}],
        },
        "returns": {"type": "string"},
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        "wrapper": {"type": "string"},
    },
}


async def add_routines(resource: RoutineResource, caller: Caller, described: Description, *, expanded: bool) -> None:
    """Add ``_proc`` or ``_func`` and what is below."""
    described.schemas.update(COMMON)
    kind, word = resource.kind, resource.kind.capitalize()
    listing = Operation(
        f"List the {kind}s that you may use.", f"{word}s", "", _LIST,
        reply={"anyOf": [ref("RoutineList"), {"type": "array", "items": {}}]},
    )  # fmt: skip
    described.paths.append(Path(resource.name, {"GET": listing}))
    own, *others = await resource.call_paths(caller)
    placeholder = f"{kind}_name"
    names = others[0].names.get(placeholder, ())
    here = in_path(placeholder, f"Name of the {kind}, perhaps with values in brackets.")
    if not expanded:
        base = f"{own.path}/{{{placeholder}}}"
        described.paths.append(Path(base, _calls(word, kind, (), _BODY), (here,), {placeholder: names}))
        return
    for name in names:
        try:
            overloads = list(await resource.service.routines.overloads(kind, name))
        except TrunklineError:
            continue
        taken, body = ((), _BODY) if len(overloads) != 1 else _taken(overloads[0])
        words = overloads[0].description or "" if overloads else ""
        calls = _calls(f"{word}{camel(name)}", kind, taken, body, words)
        described.paths.append(Path(f"{own.path}/{name}", calls))


def _calls(
    name: str, kind: str, parameters: tuple[Parameter, ...], body: dict[str, Any], words: str = ""
) -> dict[str, Operation]:
    summary = f"Call a {kind}."
    return {
        "GET": Operation(summary, name, words, (*parameters, *_SHAPE)),
        "POST": Operation(summary, name, words, _SHAPE, body, body_is_needed=False),
    }


def _taken(routine: Routine) -> tuple[tuple[Parameter, ...], dict[str, Any]]:
    """Describe the parameters of a routine, in the query and in a body; those without names have places only."""
    takes = [one for one in routine.parameters if one.direction != "OUT"]
    if not takes or not all(one.name for one in takes):
        return (), _BODY
    words = {one.name: f"Parameter {one.position} of type `{one.column.db_type}`." for one in takes}
    found = tuple(
        Parameter(one.name, schema_of(one.column), words[one.name], required=not one.optional) for one in takes
    )
    named = {one.name: {**nullable(schema_of(one.column)), "description": words[one.name]} for one in takes}
    required = [one.name for one in takes if not one.optional]
    entries = {"type": "object", "properties": named, **({"required": required} if required else {})}
    properties = {**_BODY["properties"], "params": {"anyOf": [entries, {"type": "array", "items": {}}]}}
    return found, {**_BODY, "properties": properties}
