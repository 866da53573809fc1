"""Documents of operators as descriptions, for whoever else tells of calls than documents do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from trunkline.call import VERBS
from trunkline.describe import Description, Operation, Parameter, Path
from trunkline.revisions import CONFIG
from trunkline.threads import in_thread
from trunkline_apidocs.stored import stored

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import ServiceRecord

_JSON = "application/json"
_MOST_KEPT = 64


class Descriptions:
    """Keeps what the documents of operators say, until something changes."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._kept: LRUCache[int, tuple[object, Description | None]] = LRUCache(_MOST_KEPT)

    async def of(self, app: App, record: ServiceRecord) -> Description | None:
        """Answer what a service's document says; None when there is none. Raises Unavailable."""
        stamp = (app.database.revisions[CONFIG], record)
        known = self._kept.get(record.id)
        if known is not None and known[0] == stamp:
            return known[1]
        document = await stored(app, record)
        found = None if document is None else await in_thread(description_of, document)
        self._kept[record.id] = (stamp, found)
        return found


def description_of(document: Mapping[str, Any]) -> Description:
    """Turn a document, as ``stored`` reads it, into a description."""
    components = document["components"]
    described = Description(schemas={**components.get("schemas", {})}, server=document.get("server"))
    for path, item in document["paths"].items():
        shared = list(_parameters(item.get("parameters"), components))
        operations = {
            verb: _operation(item[verb.lower()], shared, components)
            for verb in VERBS
            if isinstance(item.get(verb.lower()), Mapping)
        }
        in_path = tuple(one for one in shared if one.where == "path")
        if operations:
            described.paths.append(Path(path.strip("/"), operations, in_path))
    return described


def _operation(told: Mapping[str, Any], shared: list[Parameter], components: Mapping[str, Any]) -> Operation:
    own = list(_parameters(told.get("parameters"), components))
    known = {(one.name, one.where) for one in own}
    parameters = [*own, *(one for one in shared if one.where == "query" and (one.name, one.where) not in known)]
    body = _resolved(told.get("requestBody"), components)
    bodies = _schemas(body)
    name = str(told.get("operationId") or "")
    words = str(told.get("description") or "")
    return Operation(
        str(told.get("summary") or words.partition("\n")[0] or name or "Call the remote service."),
        name,
        words,
        tuple(parameters),
        body=bodies.pop(_JSON, None),
        bodies=bodies,
        body_is_needed=body.get("required") is True,
        reply=_reply(told.get("responses"), components),
        status="2XX",
    )


def _reply(responses: Any, components: Mapping[str, Any]) -> Any:
    """Answer the schema of the first good response."""
    if isinstance(responses, Mapping):
        for status in sorted(map(str, responses)):
            if status.startswith("2"):
                one = responses.get(status) or responses.get(int(status) if status.isdecimal() else status)
                return _schemas(_resolved(one, components)).get(_JSON)
    return None


def _schemas(holder: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the schemas of a body by media type; all kinds of JSON are one."""
    content = holder.get("content")
    found: dict[str, Any] = {}
    for kind, one in content.items() if isinstance(content, Mapping) else ():
        plain = str(kind).partition(";")[0].strip().lower()
        schema = one.get("schema") if isinstance(one, Mapping) else None
        found[_JSON if plain.endswith("+json") else plain] = schema if isinstance(schema, Mapping) else {}
    return found


def _parameters(given: Any, components: Mapping[str, Any]) -> Iterator[Parameter]:
    """Yield those of query and path; headers and cookies are not for callers to set."""
    for one in given if isinstance(given, list) else ():
        told = _resolved(one, components)
        name, where = told.get("name"), told.get("in")
        if not isinstance(name, str) or where not in ("query", "path"):
            continue
        schema = told.get("schema")
        if not isinstance(schema, Mapping):
            schema = next(iter(_schemas(told).values()), {})
        required = where == "path" or told.get("required") is True
        yield Parameter(name, schema, str(told.get("description") or ""), where, required)


def _resolved(value: Any, components: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference to a component; anything else is what it is, or nothing."""
    for _ in range(8):
        reference = value.get("$ref") if isinstance(value, Mapping) else None
        if not isinstance(reference, str):
            break
        kind, _slash, name = reference.removeprefix("#/components/").partition("/")
        value = components.get(kind, {}).get(name.replace("~1", "/").replace("~0", "~"))
    return value if isinstance(value, Mapping) else {}
