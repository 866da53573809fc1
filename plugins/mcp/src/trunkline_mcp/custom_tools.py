"""Tools of an operator's own: calls of this gateway, with the rights of whoever uses them (connectors 12.8).

Those whose address is another host's, and those that are programs, are not offered.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import mcp_types as types

from trunkline.describe import Operation, Path, Rights, placeholders
from trunkline_mcp import results
from trunkline_mcp.tool import HINTS, Arguments, Request, Schema, Tool, as_text, object_schema

if TYPE_CHECKING:
    from trunkline.db.records import ServiceRecord
    from trunkline_mcp.exchange import Exchange
    from trunkline_mcp.service import CustomTool

_ROOT = "/api/v2/"
# Whoever uses a tool has their own rights and no others, so these would do nothing.
_CREDENTIALS = frozenset({"authorization", "cookie", "x-dreamfactory-api-key", "x-dreamfactory-session-token"})


def custom_tools(exchange: Exchange) -> list[Tool]:
    """Make the tools that are on, lead to a service of this gateway, and may be used by the caller."""
    found = []
    for one in exchange.server.config.custom_tools:
        record, path = _place(exchange, one)
        if not one.enabled or one.tool_type != "api" or record is None:
            continue
        rights = Rights(exchange.app, exchange.caller, record)
        if any(True for _ in rights.allowed([Path(path, {one.http_method: Operation("")})])):
            found.append(_tool(one, record, path))
    return found


def _place(exchange: Exchange, tool: CustomTool) -> tuple[ServiceRecord | None, str]:
    """Answer the service that the URL leads to, and the path below it; None for other hosts."""
    url = tool.url.strip().removeprefix(exchange.app.settings.app_url.rstrip("/"))
    if not url.startswith(_ROOT):
        return None, ""
    service, _, path = urlsplit(url).path.removeprefix(_ROOT).partition("/")
    return exchange.app.directory.snapshot.services.get(service.lower()), path.strip("/")


def _tool(tool: CustomTool, record: ServiceRecord, path: str) -> Tool:
    properties: dict[str, Schema] = {one: {"type": "string", "minLength": 1} for one in placeholders(path)}
    required = [*properties]
    for one in tool.parameters:
        properties[one.name] = {**properties.get(one.name, {}), "type": one.type, "description": one.description}
        if one.required and one.name not in required:
            required.append(one.name)
    schema = object_schema(properties, tuple(required))
    run = partial(_run, tool, record, path)
    return Tool(tool.name, tool.name, tool.description, schema, HINTS[tool.http_method], run)


async def _run(
    tool: CustomTool, record: ServiceRecord, path: str, exchange: Exchange, arguments: Arguments
) -> types.CallToolResult:
    where = {one.name: one.where for one in tool.parameters}
    names = placeholders(path)
    segments = []
    for segment in filter(None, path.split("/")):
        filled = unquote(segment)
        for one in placeholders(segment):
            filled = filled.replace(f"{{{one}}}", str(as_text(arguments[one])))
        segments.append(filled)
    params: dict[str, Any] = dict(parse_qsl(urlsplit(tool.url).query, keep_blank_values=True))
    headers: dict[str, str] = {}
    body: dict[str, Any] = {}
    for name, value in arguments.items():
        match where.get(name, "query"):
            case _ if name in names:
                continue
            case "header":
                headers[name.lower()] = str(as_text(value)).replace("\r", " ").replace("\n", " ")
            case "body":
                body[name] = value
            case _:
                params[name] = as_text(value)
    request = Request(tool.http_method, tuple(segments), params, body or None)
    # Only in what the operator wrote: a client must not look up anything by an argument.
    lookups = exchange.app.lookups(exchange.call_for(record, request))
    headers |= {key.lower(): str(lookups.fill(one)) for key, one in tool.headers.items()}
    kept = {key: one for key, one in headers.items() if key not in _CREDENTIALS}
    request = Request(tool.http_method, tuple(segments), params, body or None, headers=kept)
    reply = await exchange.ask(record, request)
    return await results.of_reply(tool.name, record.name, reply, exchange.server.config.max_output)
