"""The tools that one caller has on one server: what exists, narrowed to what the caller may do (checklist 35)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import mcp_types as types

from trunkline.db.records import ServiceRecord
from trunkline.describe import Operation, Path, Rights
from trunkline.service import Service
from trunkline_database.service import DatabaseService
from trunkline_files.service import FilesService
from trunkline_mcp import results
from trunkline_mcp.custom_tools import custom_tools
from trunkline_mcp.database_tools import DATABASE_VERBS
from trunkline_mcp.exchange import Exchange
from trunkline_mcp.file_tools import FILE_VERBS, reaches
from trunkline_mcp.general_tools import general_tools
from trunkline_mcp.operations import operation_tools
from trunkline_mcp.service import Mcp
from trunkline_mcp.tool import Arguments, Tool, Verb, object_schema, plain, prefix_of

SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Family:
    """Services that have the same tools, and the verbs of which these are made."""

    name: str
    verbs: Sequence[Verb]
    kind: type[Service]


FAMILIES = (
    Family("databases", DATABASE_VERBS, DatabaseService),
    Family("storages", FILE_VERBS, FilesService),
)


class Catalogue:
    """Finds tools; made anew for each request, since roles and services change."""

    def __init__(self, exchange: Exchange) -> None:
        """Look up which services there are for the caller."""
        self._exchange = exchange
        self._config = exchange.server.config
        self._disabled = {plain(one) for one in self._config.disabled_tools}
        self.records = _visible(exchange)
        self.families = {
            family.name: [one for one in self.records if issubclass(_kind(exchange, one), family.kind)]
            for family in FAMILIES
        }
        taken = {one.id for some in self.families.values() for one in some}
        self.others = [one for one in self.records if one.id not in taken]

    async def tools(self) -> list[Tool]:
        """List the tools in their order (12.5)."""
        first, last = general_tools(self._exchange, self)
        merged = self._config.tool_style == "merged"
        ordered = [
            *first,
            *(one for family in FAMILIES for one in self._of_family(family, merged=merged)),
            *await operation_tools(self._exchange, self.others),
            *custom_tools(self._exchange),
            *last,
        ]
        found: dict[str, Tool] = {}
        for tool in ordered:
            found.setdefault(tool.name, tool)
        return [one for one in found.values() if self._is_offered(one)]

    async def find(self, name: str) -> Tool | None:
        """Find a tool by its name, or by what it is called in the other style or was called in older generations."""
        wanted = plain(name)
        first, last = general_tools(self._exchange, self)
        cheap = [*first, *custom_tools(self._exchange), *last]
        for family in FAMILIES:
            cheap += self._of_family(family, merged=True)
            cheap += self._of_family(family, merged=False)
        for some in (cheap, await operation_tools(self._exchange, self._named_in(wanted))):
            for tool in some:
                if wanted in map(plain, (tool.name, *_other_names(tool))):
                    return tool if self._is_offered(tool) else None
        return None

    def _named_in(self, wanted: str) -> list[ServiceRecord]:
        return [one for one in self.others if wanted.startswith(f"{prefix_of(one)}_")]

    def _is_offered(self, tool: Tool) -> bool:
        if not self._config.allow_writes and not tool.hint.read_only:
            return False
        return not self._disabled & set(map(plain, (tool.name, *tool.known_as)))

    def _of_family(self, family: Family, *, merged: bool) -> list[Tool]:
        records = self.families[family.name]
        allowed = {verb.name: [one for one in records if self._may(family, verb, one)] for verb in family.verbs}
        if merged:
            return [self._merged(verb, allowed[verb.name]) for verb in family.verbs if allowed[verb.name]]
        return [
            self._prefixed(verb, record) for record in records for verb in family.verbs if record in allowed[verb.name]
        ]

    def _may(self, family: Family, verb: Verb, record: ServiceRecord) -> bool:
        exchange = self._exchange
        if family.kind is FilesService:
            return reaches(exchange.app, exchange.caller, record, verb)
        if verb.resource and not _has(exchange, record, verb.resource):
            return False
        rights = Rights(exchange.app, exchange.caller, record)
        return any(True for _ in rights.allowed([Path(verb.component, {verb.method: Operation("")})]))

    def _merged(self, verb: Verb, records: Sequence[ServiceRecord]) -> Tool:
        """Make a tool for all services; which one is an argument, unless there is one only."""
        names = [one.name for one in records]
        properties, required = dict(verb.properties), verb.required
        if len(records) > 1:
            properties = {SERVICE: {"enum": names, "description": "Name of the service."}, **properties}
            required = (SERVICE, *required)

        async def run(exchange: Exchange, arguments: Arguments) -> types.CallToolResult:
            wanted = arguments.pop(SERVICE, names[0])
            record = next((one for one in records if one.name.lower() == str(wanted).lower()), None)
            if record is None:
                return results.told(
                    f"Resource Error: there is no service '{str(wanted)[:64]}' for this tool.", is_error=True
                )
            return await _run(verb, record, verb.name, exchange, arguments)

        understood = () if len(records) > 1 else (SERVICE,)
        schema = object_schema(properties, required)
        return Tool(verb.name, verb.title, verb.words, schema, verb.hint, run, verb.aliases, understood)

    def _prefixed(self, verb: Verb, record: ServiceRecord) -> Tool:
        prefix = prefix_of(record)
        name = f"{prefix}_{verb.name}"
        known_as = (verb.name, *verb.aliases, *(f"{prefix}_{one}" for one in verb.aliases))
        run = partial(_run, verb, record, name)
        title = f"{record.name}: {verb.title}"
        return Tool(name, title, verb.words, object_schema(verb.properties, verb.required), verb.hint, run, known_as)


async def _run(
    verb: Verb, record: ServiceRecord, name: str, exchange: Exchange, arguments: Arguments
) -> types.CallToolResult:
    reply = await exchange.ask(record, verb.request(arguments))
    return await results.of_reply(name, record.name, reply, exchange.server.config.max_output)


def _other_names(tool: Tool) -> tuple[str, ...]:
    """Answer the other names under which a tool is found: those that are no tool's own."""
    bare = {verb.name for family in FAMILIES for verb in family.verbs}
    return tuple(one for one in tool.known_as if one not in bare)


def _visible(exchange: Exchange) -> list[ServiceRecord]:
    """List the services that are exposed and of which the caller may use anything; none that serves this platform."""
    app, config = exchange.app, exchange.server.config
    exposed = None if config.exposed_services is None else {one.lower() for one in config.exposed_services}
    found = []
    for record in sorted(app.directory.snapshot.services.values(), key=lambda one: one.name):
        kind: Any = app.registry.find(record.type)
        if kind is None or kind.singleton or issubclass(kind, Mcp) or not record.is_active:
            continue
        if (exposed is None or record.name.lower() in exposed) and exchange.caller.any_access(record):
            found.append(record)
    return found


def _kind(exchange: Exchange, record: ServiceRecord) -> type[Service]:
    return exchange.app.registry.load(record.type)


def _has(exchange: Exchange, record: ServiceRecord, resource: str) -> bool:
    kinds = (*_kind(exchange, record).resources, *exchange.app.extra_resources(record.type))
    return any(one.name == resource for one in kinds)
