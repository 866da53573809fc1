"""Tools about the whole server: what there is, all databases at once, and how to find a tool (connectors 12.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import mcp_types as types

from trunkline import json
from trunkline.call import Reply, verbs_of
from trunkline_mcp import results
from trunkline_mcp.exchange import Exchange
from trunkline_mcp.tool import READ, TEXT, Arguments, Request, Tool, object_schema, prefix_of

if TYPE_CHECKING:
    from trunkline.db.records import ServiceRecord
    from trunkline_mcp.catalogue import Catalogue

_PAGE = {
    "offset": {"type": "integer", "minimum": 0, "description": "How many tools to pass over."},
    "limit": {"type": "integer", "minimum": 1, "description": "Most tools."},
    "names_only": {"type": "boolean", "description": "Names without descriptions."},
}
# What all databases answer at once: the tool, its title and words, and the call.
_ALL = (
    ("all_get_tables", "Tables of All Databases", "List the tables of all databases.", "_schema"),
    ("all_get_stored_procedures", "All Procedures", "List the stored procedures of all databases.", "_proc"),
    ("all_get_stored_functions", "All Functions", "List the stored functions of all databases.", "_func"),
    ("all_get_resources", "All Resources", "List what all databases offer.", ""),
)


def general_tools(exchange: Exchange, catalogue: Catalogue) -> tuple[list[Tool], list[Tool]]:
    """Answer the tools that come first in lists, and those that come last."""
    databases, storages = catalogue.families["databases"], catalogue.families["storages"]

    async def list_apis(_: Exchange, _arguments: Arguments) -> types.CallToolResult:
        base = f"{exchange.app.settings.app_url.rstrip('/')}/api/v2"
        apis = [
            {"name": one.name, "prefix": prefix_of(one), "baseUrl": f"{base}/{one.name}"} for one in catalogue.records
        ]
        return results.told({"apis": apis, "count": len(apis)})

    async def discover(_: Exchange, _arguments: Arguments) -> types.CallToolResult:
        return results.told({"services": [_discovered(exchange, one) for one in catalogue.records]})

    async def list_tools(_: Exchange, arguments: Arguments) -> types.CallToolResult:
        return results.told(listed(await catalogue.tools(), arguments))

    first = [
        _tool("discover_services", "Discover Services", "List the services and what you may do with them.", discover),
        _tool("list_apis", "List APIs", "List the services that tools use.", list_apis),
        _tool("list_tools", "List Tools", "List the tools of this server, with their descriptions.", list_tools, _PAGE),
    ]
    if len(databases) > 1:
        first += [_for_all(databases, *one) for one in _ALL] + [_finding(databases)]
    if len(storages) > 1:
        first.append(_for_all_files(storages))
    return first, []


def listed(tools: Sequence[Tool], arguments: Arguments) -> dict[str, Any]:
    """Answer a page of the tools."""
    start = arguments.get("offset", 0)
    chosen = tools[start : start + arguments.get("limit", len(tools))]
    if arguments.get("names_only"):
        shown: list[Any] = [one.name for one in chosen]
    else:
        shown = [{"name": one.name, "description": one.words} for one in chosen]
    return {"tools": shown, "count": len(tools)}


def _tool(name: str, title: str, words: str, run: Any, properties: Any = None, required: tuple[str, ...] = ()) -> Tool:
    return Tool(name, title, words, object_schema(properties or {}, required), READ, run)


def _discovered(exchange: Exchange, record: ServiceRecord) -> dict[str, Any]:
    kind = exchange.app.registry.find(record.type)
    caller = exchange.caller
    rows = caller.role.rows if caller.role is not None and not caller.is_admin else ()
    mask = 0
    for one in rows:
        if one.service_id in (record.id, None) and one.requestors & caller.requestor:
            mask |= one.verbs
    return {
        "name": record.name,
        "label": record.label,
        "description": record.description,
        "group": kind.group if kind is not None else "",
        "verbs": verbs_of(caller.mask(record, "") if caller.is_admin else mask),
    }


def _for_all(records: Sequence[ServiceRecord], name: str, title: str, words: str, resource: str) -> Tool:
    request = Request("GET", (resource,) if resource else ())

    async def run(exchange: Exchange, _arguments: Arguments) -> types.CallToolResult:
        return await _together(name, "databases", exchange, records, request)

    return _tool(name, title, words, run)


def _for_all_files(records: Sequence[ServiceRecord]) -> Tool:
    async def run(exchange: Exchange, arguments: Arguments) -> types.CallToolResult:
        path = tuple(one for one in arguments.get("path", "").split("/") if one)
        request = Request("GET", path, trailing_slash=True)
        return await _together("all_list_files", "storages", exchange, records, request)

    path = {"path": {"type": "string", "description": "Path of the folder; the top unless given."}}
    return _tool("all_list_files", "Files of All Storages", "List a folder in all file services.", run, path)


async def _together(
    tool: str, key: str, exchange: Exchange, records: Sequence[ServiceRecord], request: Request
) -> types.CallToolResult:
    replies = await asyncio.gather(*(exchange.ask(one, request) for one in records))
    found = {one.name: _outcome(reply) for one, reply in zip(records, replies, strict=True)}
    return await results.of_reply(tool, ", ".join(found), Reply({key: found}), exchange.server.config.max_output)


def _outcome(reply: Reply) -> dict[str, Any]:
    if reply.status >= 400:
        return {"success": False, "error": reply.content["error"]["message"]}
    return {"success": True, "data": reply.content}


def _finding(records: Sequence[ServiceRecord]) -> Tool:
    async def run(exchange: Exchange, arguments: Arguments) -> types.CallToolResult:
        wanted = arguments["table_name"].lower()
        replies = await asyncio.gather(*(exchange.ask(one, Request("GET", ("_schema",))) for one in records))
        details = {}
        for record, reply in zip(records, replies, strict=True):
            rows = json.loads(json.dumps(reply.content)).get("resource", []) if reply.status < 400 else []
            if found := [one for one in rows if str(one.get("name", "")).lower() == wanted]:
                details[record.name] = found[0]
        told = {"tableName": arguments["table_name"], "foundIn": list(details), "details": details}
        name, budget = "all_find_table", exchange.server.config.max_output
        return await results.of_reply(name, ", ".join(one.name for one in records), Reply(told), budget)

    properties = {"table_name": {**TEXT, "description": "Name of the table."}}
    words = "Tell which databases have a table."
    return _tool("all_find_table", "Find a Table", words, run, properties, ("table_name",))
