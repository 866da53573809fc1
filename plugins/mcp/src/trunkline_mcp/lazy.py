"""The lazy facade: a few tools with which all others are found and called (connectors 12.6)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import mcp_types as types

from trunkline.threads import in_thread
from trunkline_mcp import results
from trunkline_mcp.tool import READ, RUN, TEXT, Arguments, Tool, object_schema

if TYPE_CHECKING:
    from trunkline_mcp.exchange import Exchange
    from trunkline_mcp.server import Tools

# Where a list is too long to be read whole, in bytes, and from where on results are told in pieces, in characters.
LONG_LIST = 32 * 1024
_PIECE = 6000
_KEPT_SECONDS = 600
_PREFIX = "mcp:result:"
_NAME = {"name": {**TEXT, "description": "Name of the tool."}}


def facade(tools: Tools) -> list[Tool]:
    """Make the tools that stand before all others; ``list_tools`` is among the others."""

    async def search(_: Exchange, arguments: Arguments) -> types.CallToolResult:
        words = arguments["query"].lower().split()
        scored = []
        for place, one in enumerate(await tools.all()):
            name, about = one.name.lower(), f"{one.title} {one.words}".lower()
            score = sum(3 * (word in name) + (word in about) for word in words)
            if score:
                scored.append((-score, place, one))
        best = [one for _, _, one in sorted(scored, key=lambda entry: entry[:2])[: arguments.get("limit", 10)]]
        return results.told({"tools": [{"name": one.name, "description": one.words} for one in best]})

    async def describe(_: Exchange, arguments: Arguments) -> types.CallToolResult:
        found = await tools.find(arguments["name"])
        if found is None:
            return tools.unknown(arguments["name"])
        return results.told(found.listed().model_dump(mode="json", by_alias=True, exclude_none=True))

    async def call(exchange: Exchange, arguments: Arguments) -> types.CallToolResult:
        name = arguments["name"]
        if name in {one.name for one in facade(tools)}:
            return results.told(f"Resource Error: {name} is called by itself.", is_error=True)
        return await _in_pieces(exchange, await tools.call(name, arguments.get("arguments") or {}))

    limit = {"type": "integer", "minimum": 1, "maximum": 100, "description": "Most tools."}
    query = {"query": {**TEXT, "description": "Words that say what is to be done."}, "limit": limit}
    inner = {**_NAME, "arguments": {"type": "object", "description": "Its arguments, as describe_tool tells them."}}
    more = {
        "handle": {**TEXT, "description": "What the result that was cut has told."},
        "offset": {"type": "integer", "minimum": 0, "description": "How many characters to pass over."},
        "limit": {"type": "integer", "minimum": 1, "maximum": _PIECE, "description": "Most characters."},
    }
    return [
        _tool("search_tools", "Search Tools", "Find tools by words.", search, query, ("query",)),
        _tool("describe_tool", "Describe Tool", "Tell the arguments of a tool.", describe, _NAME, ("name",)),
        Tool(
            "call_tool", "Call Tool", "Call a tool that search_tools or list_tools told of.",
            object_schema(inner, ("name",)), RUN, call,
        ),
        _tool("fetch_more", "Fetch More", "Read on in a result that was cut.", fetch_more, more, ("handle",)),
    ]  # fmt: skip


def _tool(name: str, title: str, words: str, run: Any, properties: Any, required: tuple[str, ...]) -> Tool:
    return Tool(name, title, words, object_schema(properties, required), READ, run)


async def fetch_more(exchange: Exchange, arguments: Arguments) -> types.CallToolResult:
    """Answer more of a result that was kept for this caller."""
    kept = await in_thread(exchange.app.cache.get, _key(exchange, arguments["handle"]))
    if kept is None:
        return results.told("Resource Error: there is no such handle, or it has ended.", is_error=True)
    start = arguments.get("offset", _PIECE)
    text = kept["text"][start : start + arguments.get("limit", _PIECE)]
    end = start + len(text)
    left = len(kept["text"]) - end
    more = f"\n\n[{left} characters are left; go on with offset {end}.]" if left > 0 else ""
    note = types.TextContent(text=results.notice(kept["source"]))
    meta: Any = {results.UNTRUSTED: True, "trunkline/service": kept["source"]}
    return types.CallToolResult(content=[types.TextContent(text=text + more), note], _meta=meta)


async def _in_pieces(exchange: Exchange, result: types.CallToolResult) -> types.CallToolResult:
    """Cut a long text, and keep it under a handle that nobody guesses and only this caller can use."""
    first = result.content[0] if result.content else None
    if not isinstance(first, types.TextContent) or len(first.text) <= _PIECE:
        return result
    handle = secrets.token_urlsafe(18)
    source = (result.meta or {}).get("trunkline/service", exchange.server.name)
    value = {"text": first.text, "source": source}
    await in_thread(exchange.app.cache.set, _key(exchange, handle), value, _KEPT_SECONDS)
    more = (
        f"\n\n[Cut: {_PIECE} of {len(first.text)} characters are shown. "
        f"Read on with fetch_more, handle {handle}, offset {_PIECE}.]"
    )
    cut = types.TextContent(text=first.text[:_PIECE] + more)
    return result.model_copy(update={"content": [cut, *result.content[1:]]})


def _key(exchange: Exchange, handle: str) -> str:
    return f"{_PREFIX}{exchange.owner}:{handle}"
