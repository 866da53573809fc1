"""Scripts beside calls: before, after, and in the background (system-api 15 and 16.4)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline import hookimpl
from trunkline.call import Call, Reply
from trunkline.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    InternalError,
    NotFound,
    TrunklineError,
    Unauthorized,
    Unavailable,
)
from trunkline.hooks import headers_only
from trunkline.revisions import CONFIG
from trunkline_scripting import objects
from trunkline_scripting.engine import Engine, Limits, Outcome, ScriptFailed
from trunkline_scripting.names import Names
from trunkline_scripting.settings import ScriptSettings
from trunkline_scripting.table import event_script

if TYPE_CHECKING:
    from trunkline.app import App

log = logging.getLogger(__name__)
NAME = "scripting.scripts"
_NOTE = "scripting"


@dataclass(frozen=True, slots=True)
class Script:
    """One active script."""

    name: str
    content: str
    may_change: bool


@dataclass(slots=True)
class _Bound:
    """The scripts of one call by phase, and what its placeholders stand for."""

    resource: Any
    before: list[Script]
    after: list[Script]
    beside: list[Script]


class Scripts:
    """The scripts of one application, in memory until a revision makes them stale."""

    def __init__(self, settings: ScriptSettings) -> None:
        """Know no script yet; nothing is started before the first one runs."""
        self.settings = settings
        self.limits = Limits(settings.seconds, settings.cpu, settings.memory, settings.network)
        self._engine = Engine(self.limits, settings.most)
        self._scripts: Mapping[str, Script] = {}
        self._revision = -1
        self._names = Names()
        self._running: set[asyncio.Task[None]] = set()

    @hookimpl
    def lifespan(self, app: App) -> AbstractAsyncContextManager[None]:
        """End what runs when the application does."""
        return self._alive()

    @contextlib.asynccontextmanager
    async def _alive(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await asyncio.gather(*self._running, return_exceptions=True)
            await self._engine.close()

    @hookimpl
    def before_call(self, app: App, call: Call) -> Awaitable[Reply | None] | None:
        """Run the scripts before a call; without scripts this is a comparison of two numbers."""
        if not self._scripts and app.database.revisions[CONFIG] == self._revision:
            return None
        return self._before(app, call)

    async def _before(self, app: App, call: Call) -> Reply | None:
        """Let the scripts change or answer a call."""
        if app.database.revisions[CONFIG] != self._revision:
            await self._load(app)
        if not self._scripts:
            return None
        bound = await self._bound(app, call)
        if bound is None:
            return None
        call.notes[_NOTE] = bound
        if bound.after or bound.beside:
            # They want to see what is answered, as data.
            call.over_http = False
        for script in bound.before:
            outcome = await self.run(app, call, script.name, script.content, self._event(call, bound))
            reply = _applied(call, script, outcome)
            if reply is not None:
                return reply
        return None

    @hookimpl
    @headers_only
    def after_call(self, app: App, call: Call, reply: Reply) -> Awaitable[Reply] | None:
        """Run the scripts after a call, also after one that failed, and start those beside it."""
        bound: _Bound | None = call.notes.get(_NOTE)
        return None if bound is None else self._after(app, call, reply, bound)

    async def _after(self, app: App, call: Call, reply: Reply, bound: _Bound) -> Reply:
        for script in bound.after:
            event = {**self._event(call, bound), "response": objects.response_of(reply)}
            outcome = await self.run(app, call, script.name, script.content, event)
            if script.may_change:
                reply = _changed(reply, event, outcome)
        if bound.beside:
            self._start(app, call, bound, {**self._event(call, bound), "response": objects.response_of(reply)})
        return reply

    def _start(self, app: App, call: Call, bound: _Bound, event: dict[str, Any]) -> None:
        async def beside() -> None:
            for script in bound.beside:
                try:
                    await self.run(app, call, script.name, script.content, event)
                except Exception as error:
                    log.warning("%s", error, extra={"request_id": call.request_id})

        task = asyncio.ensure_future(beside())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def run(self, app: App, call: Call, name: str, content: str, event: Any) -> Outcome:
        """Run a script with lookups filled in, private ones too; raises ScriptFailed, or what it wants raised."""
        text = app.lookups(call).fill(content, private=True)
        outcome = await self._engine.run(
            name, text, event, objects.platform_of(app, call), lambda asked: objects.ask(app, call, asked), self.limits
        )
        if outcome.printed:
            log.info("script %s: %s", name, outcome.printed.rstrip(), extra={"request_id": call.request_id})
        _raise_wanted(name, outcome)
        return outcome

    def _event(self, call: Call, bound: _Bound) -> dict[str, Any]:
        return {"request": objects.request_of(call), "resource": bound.resource}

    async def _load(self, app: App) -> None:
        revision = app.database.revisions[CONFIG]
        try:
            self._scripts = {} if self.settings.refuses("all") else await app.database.aread(self._read)
        except Unavailable:
            if self._revision < 0:
                raise
            # What is known goes on running while the system database is down.
            return
        self._revision = revision

    def _read(self, connection: sa.Connection) -> dict[str, Script]:
        rows = connection.execute(sa.select(event_script).where(event_script.c.is_active)).mappings()
        return {
            row["name"].lower(): Script(row["name"], row["content"], row["allow_event_modification"])
            for row in rows
            if row["content"] and not self.settings.refuses(row["type"])
        }

    async def _bound(self, app: App, call: Call) -> _Bound | None:
        record = app.directory.snapshot.services.get(call.service)
        if record is None or not any(name.startswith(f"{record.name.lower()}.") for name in self._scripts):
            return None
        names, resource = await self._names.of(app.services.of(record), call)

        def known(*phases: str) -> list[Script]:
            wanted = (".".join(filter(None, (name, call.method.lower(), phase))) for phase in phases for name in names)
            return [self._scripts[one] for one in wanted if one in self._scripts]

        # What is queued runs only where nothing runs beside the call anyway.
        bound = _Bound(resource, known("pre_process"), known("post_process"), known("") or known("queued"))
        return bound if bound.before or bound.after or bound.beside else None


def _raise_wanted(name: str, outcome: Outcome) -> None:
    """Raise what a script says is wrong: ``event.exception``, or an object with ``error`` that it returned."""
    told = outcome.event.get("exception")
    if not isinstance(told, dict):
        told = outcome.returned.get("error") if isinstance(outcome.returned, dict) else None
    if told:
        words, status = (told.get("message"), told.get("status_code")) if isinstance(told, dict) else (told, None)
        raise _KINDS.get(status, InternalError)(str(words or f"Script '{name}' refused the call."))


# The errors that a script can ask for, by their status.
_KINDS: dict[Any, type[TrunklineError]] = {
    one.status: one for one in (BadRequest, Unauthorized, Forbidden, NotFound, Conflict, InternalError, Unavailable)
}


def _applied(call: Call, script: Script, outcome: Outcome) -> Reply | None:
    """Put what a script changed into the call; answers the reply that it gave instead."""
    if not script.may_change:
        return None
    event = outcome.returned if isinstance(outcome.returned, dict) and outcome.returned else outcome.event
    if isinstance(event.get("request"), dict):
        objects.change_request(call, event["request"])
    return objects.reply_of(event["response"]) if event.get("response") else None


def _changed(reply: Reply, event: Mapping[str, Any], outcome: Outcome) -> Reply:
    """Answer the reply as a script left it; one that it did not touch stays what it was."""
    answer = outcome.returned if outcome.returned not in (None, {}, [], "") else outcome.event.get("response")
    if answer is None or answer == event["response"]:
        return reply
    changed = objects.reply_of(answer)
    if isinstance(answer, dict) and "status_code" not in answer:
        changed.status = reply.status
    return changed


__all__ = ["NAME", "ScriptFailed", "Scripts"]
