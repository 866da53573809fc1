"""Documents for callers: made of what services say of themselves, narrowed to what the caller may do, and kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from trunkline.call import Caller
from trunkline.describe import Allowed, Description, Path, Rights
from trunkline.errors import Forbidden, NotFound, TrunklineError, Unavailable
from trunkline.revisions import CONFIG
from trunkline.threads import in_thread
from trunkline_apidocs.frame import HEADER_SCHEMES, SCHEMES, Frame
from trunkline_apidocs.references import pruned
from trunkline_apidocs.stored import allowed, stored
from trunkline_apidocs.versions import as_3_0

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import ServiceRecord

# Where the plugin manager keeps the documents of an application.
NAME = "apidocs.documents"
log = logging.getLogger(__name__)
_MOST_BYTES = 64 * 2**20
# Paths to look at before others have their turn.
_PORTION = 200
_ROOT = "/api/v2"
Render = Callable[[dict[str, Any]], bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which document: of one service or of all, in which version, with a path for each table, how rendered."""

    service: str | None = None
    is_new: bool = False
    expanded: bool = False
    # Of those that ``_spec`` answers, with all errors and the extras of the service.
    is_spec: bool = False
    form: tuple[Any, ...] = ()


@dataclass(slots=True)
class _Part:
    """What goes into a document from one service: a stored document, or a description; what the caller may do of it."""

    record: ServiceRecord
    ready: dict[str, Any] | None = None
    described: Description | None = None
    operations: Sequence[Allowed] = ()

    @property
    def is_empty(self) -> bool:
        return not self.operations and not (self.ready or {}).get("paths")


class Documents:
    """Makes documents and keeps them, rendered, until something changes that they tell of."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._kept: LRUCache[Any, tuple[object, bytes]] = LRUCache(_MOST_BYTES, getsizeof=lambda one: len(one[1]) + 1)
        self._pending: dict[Any, asyncio.Task[tuple[object, bytes]]] = {}

    async def answer(self, app: App, caller: Caller, asked: Asked, render: Render, *, refresh: bool = False) -> bytes:
        """Answer a rendered document; it is made once for all who ask for the same at a time."""
        key = (asked, *_sameness(caller))
        stamp = self._stamp(app, asked)
        known = self._kept.get(key)
        if known is not None and known[0] == stamp and not refresh:
            return known[1]
        pending = self._pending.get((key, stamp))
        if pending is None:
            pending = asyncio.ensure_future(self._make(app, caller, asked, render, key))
            self._pending[key, stamp] = pending
            pending.add_done_callback(lambda _: self._pending.pop((key, stamp), None))
        return (await asyncio.shield(pending))[1]

    async def _make(self, app: App, caller: Caller, asked: Asked, render: Render, key: Any) -> tuple[object, bytes]:
        # What changes while it is being made belongs to the next one.
        await app.directory.fresh()
        before = app.database.revisions[CONFIG]
        document = await self.document(app, caller, asked)
        rendered = await in_thread(render, document)
        stamp = self._stamp(app, asked)
        made = (stamp, rendered)
        if app.database.revisions[CONFIG] == before and len(rendered) < _MOST_BYTES:
            self._kept[key] = made
        return made

    @staticmethod
    def _stamp(app: App, asked: Asked) -> object:
        services = app.directory.snapshot.services
        records = list(services.values()) if asked.service is None else [services.get(asked.service)]
        built = [app.services.built(one.id) for one in records if one is not None]
        return (app.database.revisions[CONFIG], *(one.openapi_stamp() for one in built if one is not None))

    async def document(self, app: App, caller: Caller, asked: Asked) -> dict[str, Any]:
        """Make a document; raises Forbidden and Unavailable for one service that has none for this caller."""
        if asked.service is None:
            records = visible_services(app, caller)
        else:
            records = [app.directory.snapshot.services[asked.service]]
        parts = await asyncio.gather(*(_part(app, caller, one, asked) for one in records))
        found = [one for one in parts if one is not None]
        if asked.service is not None and not asked.is_spec and not any(not one.is_empty for one in found):
            raise Unavailable(f"There are no defined API Docs for the requested service {records[0].name}.")
        return await in_thread(_framed, app, asked, found)


def _sameness(caller: Caller) -> tuple[Any, ...]:
    """Answer what makes a caller see the same documents as another; a role that changes is another object."""
    role = None if caller.is_admin else caller.role
    known = caller.user is not None or caller.app is not None
    return caller.is_admin, role, caller.user is not None, known, caller.requestor


def visible_services(app: App, caller: Caller) -> list[ServiceRecord]:
    """List the services that documents tell a caller of: with any right (system-api 11.6), or open to known callers."""
    known = caller.user is not None or caller.app is not None
    found = []
    for record in sorted(app.directory.snapshot.services.values(), key=lambda one: one.name):
        kind = app.registry.find(record.type)
        is_open = known and kind is not None and bool(kind.open_paths)
        if record.is_active and (caller.any_access(record) or is_open):
            found.append(record)
    return found


def service_for(app: App, caller: Caller, name: str) -> ServiceRecord:
    """Find a service by its name; raises Forbidden alike for what is not there and what is not the caller's."""
    found = next((one for one in visible_services(app, caller) if one.name.lower() == name.lower()), None)
    if found is not None:
        return found
    if caller.is_admin and name.lower() not in app.directory.snapshot.services:
        raise NotFound(f"Could not find a service for {name}")
    raise Forbidden(f"You do not have access to API Docs for the requested service {name}.")


def as_role(app: App, caller: Caller, asked: Any) -> Caller:
    """Answer a caller who has a role, for administrators who want to see its documents; ``asked`` is its id or name."""
    if not caller.is_admin:
        raise Forbidden("Only administrators can ask for the documents of a role.")
    text = str(asked).strip()
    for role in app.directory.snapshot.roles.values():
        if text in (str(role.id), role.name):
            return replace(caller, role=role, is_admin=False)
    raise NotFound(f"There is no role '{text[:64]}'.")


async def _part(app: App, caller: Caller, record: ServiceRecord, asked: Asked) -> _Part | None:
    """Collect what a service has for a caller; None for what cannot be used, which hides no others."""
    try:
        ready = await stored(app, record)
        if ready is not None:
            return _Part(record, ready=allowed(app, caller, record, ready))
        described = await app.services.of(record).openapi(caller, expanded=asked.expanded)
    except Exception as error:
        if asked.service is not None:
            raise
        if not isinstance(error, TrunklineError):
            log.exception("service %s can not be described", record.name)
        return None
    return _Part(record, described=described, operations=await _allowed(app, caller, record, described.paths))


async def _allowed(app: App, caller: Caller, record: ServiceRecord, paths: Sequence[Path]) -> list[Allowed]:
    rights = Rights(app, caller, record, paths)
    found: list[Allowed] = []
    for start in range(0, len(paths), _PORTION):
        found += rights.allowed(paths[start : start + _PORTION])
        await asyncio.sleep(0)
    return found


def _framed(app: App, asked: Asked, parts: Sequence[_Part]) -> dict[str, Any]:
    """Put a document together; blocks, and is run in a thread."""
    formats = list({id(one): one for one in app.formats.by_type.values() if one.render is not None}.values())
    schemes = HEADER_SCHEMES if asked.is_spec else tuple(SCHEMES)
    if asked.service is None:
        info = {"title": f"{app.settings.app_name} Live API Documentation", "description": "", "version": "2.0"}
        frame = Frame(info, _ROOT, schemes, formats)
    else:
        (part,) = parts
        record = part.record
        kind = app.registry.find(record.type)
        group = {"x-group": kind.group} if kind is not None else {}
        info = {"title": record.label, "description": record.description, "version": "2.0", **group}
        frame = Frame(info, f"{_ROOT}/{record.name}", schemes, formats)
    extras: dict[str, Any] = {}
    for part in parts:
        if part.is_empty:
            continue
        name, words = part.record.name, part.record.description
        prefix = f"/{name}" if asked.service is None else ""
        if part.ready is not None:
            frame.add_ready(name, words, part.ready, prefix=prefix)
        elif part.described is not None:
            schemas, operations = part.described.schemas, part.operations
            frame.add(name, words, schemas, operations, prefix=prefix, explicit=asked.is_spec)
            extras = part.described.extras if asked.is_spec else {}
    document = pruned(frame.finished(**extras))
    return document if asked.is_new else as_3_0(document)


def documents_of(app: App) -> Documents:
    """Find the documents of an application."""
    found: Any = app.plugins.get_plugin(NAME)
    if not isinstance(found, Documents):
        raise Unavailable("The plugin apidocs is not loaded.")
    return found


__all__ = ["NAME", "Asked", "Documents", "as_role", "documents_of", "service_for", "visible_services"]
