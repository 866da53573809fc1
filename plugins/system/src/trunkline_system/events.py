"""``system/event``: the names under which calls and other happenings are told (system-api 7.14 and 15)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from trunkline.call import Call, Caller
from trunkline.db.records import ServiceRecord
from trunkline.errors import NotFound, TrunklineError
from trunkline.service import CallPath, Resource
from trunkline_system import openapi

PHASES = ("pre_process", "post_process")
QUEUED = "queued"
Events = dict[str, dict[str, Any]]


class EventNames(Resource):
    """The events that scripts and other listeners may wait for."""

    name = "event"
    label = "Events"
    description = "Names of events."
    operations = openapi.EVENTS

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Answer the events of each service that the caller has any access to (system-api 11.6)."""
        if rest:
            raise NotFound(f"Event '{'/'.join(rest)}' not found.")
        services = (await self.app.directory.fresh()).services.values()
        records = [one for one in services if one.is_active and call.caller.any_access(one)]
        wanted = call.option("service")
        if wanted is not None:
            records = [one for one in records if one.name.lower() == str(wanted).lower()]
            if not records:
                # The same words whether there is none or it is not for this caller (checklist 9).
                raise NotFound(f"Could not find a service for {wanted}")
        records.sort(key=lambda one: one.name)
        if call.flag("services_only"):
            return {"resource": [one.name for one in records]}
        scriptable = call.flag("scriptable")
        found = await asyncio.gather(*(self._events(one, call.caller, scriptable) for one in records))
        if call.flag("as_list"):
            return {"resource": [name for events in found for one in events.values() for name in _all_names(one)]}
        return {one.name: events for one, events in zip(records, found, strict=True)}

    async def _events(self, record: ServiceRecord, caller: Caller, scriptable: bool) -> Events:
        try:
            service = self.app.services.of(record)
        except TrunklineError:
            # What cannot be called tells nothing, and is no reason to hide the others.
            return {}
        events: Events = {}
        for path in await service.call_paths(caller):
            name = ".".join((record.name, *filter(None, path.path.split("/"))))
            events[name] = _of_calls(name, path, scriptable)
        for told in service.named_events():
            name = f"{record.name}.{told}"
            place = name.rpartition(".")[0]
            endpoints = [name, f"{name}.{QUEUED}"] if scriptable else [name]
            events.setdefault(place, {"type": "service", "endpoints": [], "parameter": None})["endpoints"] += endpoints
        return events


def _of_calls(name: str, path: CallPath, scriptable: bool) -> dict[str, Any]:
    phases = ("", *PHASES, QUEUED) if scriptable else ("",)
    endpoints = [".".join(filter(None, (name, verb.lower(), phase))) for verb in path.verbs for phase in phases]
    parameter = {key: list(names) for key, names in path.names.items()} or None
    return {"type": "api", "endpoints": endpoints, "parameter": parameter}


def _all_names(event: dict[str, Any]) -> Iterable[str]:
    """List an event with its placeholders, then with each name that these can stand for."""
    endpoints: Sequence[str] = event["endpoints"]
    yield from endpoints
    for key, names in (event["parameter"] or {}).items():
        for name in names:
            yield from (one.replace(f"{{{key}}}", name) for one in endpoints)
