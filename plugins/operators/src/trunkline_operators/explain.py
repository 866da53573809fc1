"""Why a call is answered as it is: who asks, what the role says, what binds, and with which statement it begins."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trunkline.authorize import authorize
from trunkline.call import Call, Caller, Reply, Requestor
from trunkline.db.records import ServiceRecord
from trunkline.errors import TrunklineError
from trunkline.identify import api_key_of, token_of
from trunkline.plugins import every
from trunkline.response_filter import ResponseFilter
from trunkline_operators.access import access, row_filter

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.service import Service


class Clock:
    """Takes the time of each stage, in milliseconds."""

    def __init__(self) -> None:
        """Begin."""
        self.stages: dict[str, float] = {}
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        """Note what has passed since the last stage."""
        now = time.perf_counter()
        self.stages[name] = round((now - self._last) * 1000, 3)
        self._last = now


async def explained(app: App, call: Call, clock: Clock, *, found_by: list[str], run: bool) -> dict[str, Any]:
    """Explain a call whose caller is known; it is not done, unless it reads a table and ``run`` asks for that."""
    record = app.directory.snapshot.services.get(call.service)
    service, refusal = _authorized(app, call)
    clock.stage("authorize")
    found: dict[str, Any] = {
        "call": {"method": call.method, "service": call.service, "component": call.component},
        "caller": _caller(call.caller, found_by),
        "access": access(app, call, record),
        "verdict": {"allowed": refusal is None, **(_told(refusal) if refusal is not None else {})},
        "row_filter": row_filter(app, call, record),
        "response_filter": _response_filter(call, record),
    }
    clock.stage("filters")
    if service is not None:
        for told in await every(app.plugins, "explain_call", app=app, call=call, service=service):
            found |= told or {}
        clock.stage("plugins")
        found |= await _planned(service, call, clock, run=run)
    return {**found, "timings_ms": clock.stages}


def _authorized(app: App, call: Call) -> tuple[Service | None, TrunklineError | None]:
    try:
        return authorize(app, call), None
    except TrunklineError as error:
        return None, error


async def _planned(service: Service, call: Call, clock: Clock, *, run: bool) -> dict[str, Any]:
    """Ask the service with which statement it would begin, where its family can tell."""
    plan = getattr(service, "explain", None)
    if plan is None:
        return {}
    try:
        found: dict[str, Any] | None = await plan(call)
    except TrunklineError as error:
        found = {"statement": None, "refused": error.entry()}
    clock.stage("plan")
    if found is None:
        return {}
    told: dict[str, Any] = {"plan": found}
    if run and found.get("is_read"):
        told["result"] = await _result(service, call)
        clock.stage("run")
    return told


async def _result(service: Service, call: Call) -> dict[str, Any]:
    try:
        reply = Reply.of(await service.handle(replace(call, over_http=False)))
    except TrunklineError as error:
        return _told(error)
    return {"status": reply.status, "content": reply.content}


def _told(error: TrunklineError) -> dict[str, Any]:
    return {"status": error.status, "message": error.message}


def sources(call: Call) -> list[str]:
    """Say by what a caller was found; never the credential itself."""
    found = []
    if api_key_of(call):
        found.append("API key")
    if token_of(call):
        found.append("session token")
    elif call.headers.get("authorization", "")[:6].lower() == "basic ":
        found.append("name and password")
    return found


def _caller(caller: Caller, found_by: list[str]) -> dict[str, Any]:
    user, role = caller.user, caller.role
    origin = _origin(caller)
    return {
        "found_by": found_by or (["a plugin"] if caller.user or caller.role or caller.is_admin else []),
        "user": {"id": user.id, "email": user.email, "is_sys_admin": user.is_sys_admin} if user else None,
        "app": {"id": caller.app.id, "name": caller.app.name} if caller.app else None,
        "role": {"id": role.id, "name": role.name, "is_active": role.is_active, "from": origin} if role else None,
        "is_admin": caller.is_admin,
        "requestor": "script" if caller.requestor is Requestor.SCRIPT else "api",
        "problem": _told(caller.problem) if caller.problem is not None else None,
    }


def _origin(caller: Caller) -> str:
    """Say where the role in effect comes from."""
    assigned = caller.user.assignments if caller.user else {}
    if caller.app is not None and caller.app.id in assigned:
        return "the user's assignment for this app"
    return "another assignment of the user" if assigned else "the default of the app"


def _response_filter(call: Call, record: ServiceRecord | None) -> dict[str, Any] | None:
    found = call.caller.response_filter(record, call.component) if record is not None else None
    return shown_filter(found) if found is not None else None


def shown_filter(found: ResponseFilter) -> dict[str, Any]:
    """Show what is left out of replies."""
    return {
        "excluded": sorted(found.excluded),
        "masked": {name: found.mask_of(name) for name, _mask in sorted(found.masks)},
        "allowed": None if found.allowed is None else sorted(found.allowed),
    }
