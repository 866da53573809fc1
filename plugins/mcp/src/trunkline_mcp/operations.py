"""Tools of services that belong to no family with tools of its own: one for each call that they say they take."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import mcp_types as types

from trunkline.describe import Allowed, Rights, described, placeholders
from trunkline.errors import TrunklineError
from trunkline_mcp import results
from trunkline_mcp.exchange import Exchange
from trunkline_mcp.tool import HINTS, TEXT, Arguments, Request, Tool, as_text, object_schema, prefix_of

if TYPE_CHECKING:
    from trunkline.db.records import ServiceRecord

log = logging.getLogger(__name__)
_LONGEST_NAME = 64
_REFERENCE = "#/components/schemas/"
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_VERBS = {"GET": "get", "POST": "create", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}
BODY = "body"


async def operation_tools(exchange: Exchange, records: Iterable[ServiceRecord]) -> list[Tool]:
    """Make the tools of services; one that cannot say what it takes, has none."""
    found: list[Tool] = []
    for record in records:
        try:
            found += await _of_service(exchange, record)
        except TrunklineError as error:
            log.warning("service %s has no tools: %s", record.name, error.message)
        except Exception:
            log.exception("service %s has no tools", record.name)
    return found


async def _of_service(exchange: Exchange, record: ServiceRecord) -> list[Tool]:
    app, caller = exchange.app, exchange.caller
    told = await described(app, caller, record)
    taken: set[str] = set()
    tools = []
    for one in Rights(app, caller, record, told.paths).allowed(told.paths):
        name = _name(record, one, taken)
        tools.append(_tool(record, one, name, told.schemas))
    return tools


def _name(record: ServiceRecord, allowed: Allowed, taken: set[str]) -> str:
    """Name a tool after verb and operation, or after the path where the operation has no name."""
    source = allowed.operation.name or allowed.path.path or "root"
    words = "_".join(one.lower() for one in _WORD.findall(source)) or "root"
    name = base = f"{prefix_of(record)}_{_VERBS[allowed.verb]}_{words}"
    if len(base) > _LONGEST_NAME:
        digest = hashlib.sha256(base.encode()).hexdigest()[:8]
        name = base = f"{base[: _LONGEST_NAME - 9]}_{digest}"
    number = 1
    while name in taken:
        number += 1
        ending = f"_{number}"
        name = f"{base[: _LONGEST_NAME - len(ending)]}{ending}"
    taken.add(name)
    return name


def _tool(record: ServiceRecord, allowed: Allowed, name: str, schemas: Mapping[str, Any]) -> Tool:
    operation = allowed.operation
    properties: dict[str, Any] = {}
    required: list[str] = []
    limited = next(iter(allowed.path.names), None)
    for one in placeholders(allowed.path.path):
        required.append(one)
        properties[one] = dict(TEXT)
        if one == limited and allowed.names:
            properties[one] = {"enum": list(allowed.names)}
    for parameter in (*allowed.path.parameters, *operation.parameters):
        if parameter.where == "path":
            properties[parameter.name] = {"description": parameter.words, **properties.get(parameter.name, {})}
            continue
        properties[parameter.name] = {**parameter.schema, "description": parameter.words}
        if parameter.required:
            required.append(parameter.name)
    if operation.body is not None and BODY not in properties:
        properties[BODY] = dict(operation.body)
        if operation.body_is_needed and operation.body:
            required.append(BODY)
    schema = _with_definitions(object_schema(properties, tuple(required)), schemas)
    words = " ".join(filter(None, (operation.summary, operation.words)))
    run = partial(_run, record, allowed, name)
    return Tool(name, f"{record.name}: {operation.summary.rstrip('.')}", words, schema, HINTS[allowed.verb], run)


async def _run(
    record: ServiceRecord, allowed: Allowed, name: str, exchange: Exchange, arguments: Arguments
) -> types.CallToolResult:
    reply = await exchange.ask(record, request_of(allowed.verb, allowed.path.path, arguments))
    return await results.of_reply(name, record.name, reply, exchange.server.config.max_output)


def request_of(verb: str, path: str, arguments: Arguments) -> Request:
    """Put arguments where the path has placeholders; the others go into the query, but for the body."""
    segments = []
    rest = dict(arguments)
    for segment in filter(None, path.split("/")):
        filled = segment
        for one in placeholders(segment):
            filled = filled.replace(f"{{{one}}}", str(rest.pop(one)))
        segments.append(filled)
    body = rest.pop(BODY, None)
    return Request(verb, tuple(segments), {key: as_text(value) for key, value in rest.items()}, body)


def _with_definitions(schema: dict[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Bring the schemas along that are referred to, under ``$defs``."""
    wanted = list(_references(schema))
    found: dict[str, Any] = {}
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = schemas.get(name, {})
            wanted += _references(found[name])
    moved: dict[str, Any] = _moved(schema)
    return moved | ({"$defs": {name: _moved(one) for name, one in found.items()}} if found else {})


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith(_REFERENCE):
            yield reference.removeprefix(_REFERENCE)
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            yield from _references(one)


def _moved(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: one.replace(_REFERENCE, "#/$defs/") if key == "$ref" and isinstance(one, str) else _moved(one)
            for key, one in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_moved(one) for one in value]
    return value
