"""Listening for what is subscribed: every worker watches, one of them holds the lease of a service and listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline import hookimpl, json
from trunkline.errors import TrunklineError, Unavailable
from trunkline.revisions import CONFIG
from trunkline.threads import in_thread
from trunkline_messaging import subscriptions
from trunkline_messaging.delivery import Inbox
from trunkline_messaging.service import MessagingService
from trunkline_messaging.table import listener

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline_messaging.subscriptions import Subscription

log = logging.getLogger(__name__)
# Seconds for which a listener is believed without a new sign of life, and between these signs.
BELIEVED, SIGN_OF_LIFE = 10.0, 3.0
# Seconds between looks at what is subscribed, and at leases that may have become free.
_NAP, _PATROL = 0.25, 1.0
# Seconds between attempts to listen, at first and at most.
_SOON, _LATE = 0.5, 5.0


@dataclass(slots=True)
class _Job:
    """One service that this worker listens for, with what it was begun for: another content ends it."""

    content: object
    task: asyncio.Task[None]
    believed_until: float


@dataclass(slots=True)
class _Wanted:
    """What is to be done for a service: to listen, or to have the broker forget what nobody wants any more."""

    subscriptions: list[Subscription] = field(default_factory=list)


class Listening:
    """The listeners of one application."""

    def __init__(self) -> None:
        """Listen for nothing yet."""
        self._me = secrets.token_hex(8)
        self._jobs: dict[int, _Job] = {}
        self._revision = -1
        self._wanted: Mapping[int, _Wanted] = {}
        self._signed = 0.0
        self._patrolled = 0.0

    @hookimpl
    def lifespan(self, app: App) -> AbstractAsyncContextManager[None]:
        """Watch while the application runs."""
        return self._alive(app)

    @contextlib.asynccontextmanager
    async def _alive(self, app: App) -> AsyncIterator[None]:
        self._revision = -1
        watching = asyncio.create_task(self._watch(app))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            for service_id in list(self._jobs):
                await self._end(app, service_id)

    async def _watch(self, app: App) -> None:
        while True:
            try:
                await self._look(app)
            except TrunklineError as error:
                log.warning("subscriptions wait: %s", error.message)
            except Exception:
                log.exception("watching subscriptions failed, and goes on")
            self._fence()
            await asyncio.sleep(_NAP)

    async def _look(self, app: App) -> None:
        now, revision = time.time(), app.database.revisions[CONFIG]
        changed = revision != self._revision
        if changed:
            self._wanted = await app.database.aread(_wanted)
            self._revision = revision
        snapshot = await app.directory.fresh()
        for service_id, job in list(self._jobs.items()):
            content = self._content(snapshot, service_id)
            if job.task.done() or job.content != content:
                await self._end(app, service_id)
                changed = True
        if self._jobs and now - self._signed >= SIGN_OF_LIFE:
            self._signed = now
            for service_id in await in_thread(_sign, app, self._me, sorted(self._jobs)):
                log.warning("another worker listens for service %s now", service_id)
                await self._stop(service_id)
            for job in self._jobs.values():
                job.believed_until = now + BELIEVED
        if changed or now - self._patrolled >= _PATROL:
            self._patrolled = now
            for service_id in self._wanted:
                content = self._content(snapshot, service_id)
                if content is not None and service_id not in self._jobs:
                    await self._begin(app, service_id, content)

    def _content(self, snapshot: Any, service_id: int) -> object:
        """Answer what a job depends on; None where there is nothing to do."""
        record, wanted = snapshot.services_by_id.get(service_id), self._wanted.get(service_id)
        if record is None or not record.is_active or wanted is None:
            return None
        return (record, wanted.subscriptions)

    async def _begin(self, app: App, service_id: int, content: object) -> None:
        until = time.time() + BELIEVED
        held = await in_thread(_take, app, self._me, service_id, until)
        if held is None:
            return
        wanted = self._wanted[service_id]
        task = asyncio.create_task(_run(app, service_id, wanted.subscriptions, held))
        self._jobs[service_id] = _Job(content, task, until)

    async def _end(self, app: App, service_id: int) -> None:
        """Stop to listen, and let another worker do it."""
        await self._stop(service_id)
        with contextlib.suppress(Exception):
            await in_thread(_release, app, self._me, service_id)

    async def _stop(self, service_id: int) -> None:
        job = self._jobs.pop(service_id)
        job.task.cancel()
        await asyncio.gather(job.task, return_exceptions=True)

    def _fence(self) -> None:
        """End what others may have taken over, as no sign of life got through."""
        for job in self._jobs.values():
            if time.time() > job.believed_until and not job.task.done():
                log.warning("listening ends, as the system database does not answer")
                job.task.cancel()


async def _run(app: App, service_id: int, wanted: Sequence[Subscription], held: Sequence[str]) -> None:
    """Listen, again and again; where nothing is subscribed, have the broker forget and end."""
    pause, inbox = _SOON, Inbox(app, service_id, wanted, held)
    while True:
        started = time.monotonic()
        try:
            service = await app.services.get(service_id)
            if not isinstance(service, MessagingService):
                raise Unavailable("The service is not there.")
            if not wanted:
                await service.unsubscribe(inbox.held)
                await inbox.hold(())
                await asyncio.Event().wait()
            await in_thread(_count, app, service_id)
            await service.listen(inbox)
        except TrunklineError as error:
            log.warning("a subscription of service %s waits: %s", service_id, error.message)
        except Exception as error:
            log.warning("a subscription of service %s was interrupted: %s", service_id, error)
        pause = _SOON if time.monotonic() - started > _LATE else min(_LATE, pause * 2)
        await asyncio.sleep(pause)


def _wanted(connection: sa.Connection) -> dict[int, _Wanted]:
    """List the services for which something is to be done."""
    held = connection.scalars(sa.select(listener.c.service_id).where(listener.c.held.is_not(None)))
    found = {service_id: _Wanted() for service_id in held}
    for one in subscriptions.all_of(connection):
        found.setdefault(one.service_id, _Wanted()).subscriptions.append(one)
    return found


def _take(app: App, me: str, service_id: int, until: float) -> list[str] | None:
    """Take the lease of a service if it is free; answer what the broker holds, None where another worker has it."""
    mine = listener.c.service_id == service_id
    free = sa.and_(mine, sa.or_(listener.c.believed_until < time.time(), listener.c.holder == me))

    def look(connection: sa.Connection) -> bool:
        return connection.execute(sa.select(listener.c.holder).where(free)).first() is not None

    def work(connection: sa.Connection) -> list[str] | None:
        if not connection.execute(sa.update(listener).where(free).values(holder=me, believed_until=until)).rowcount:
            return None
        held = connection.scalar(sa.select(listener.c.held).where(mine))
        return list(json.loads(held)) if held else []

    # Most looks find that another worker listens, and write nothing.
    return app.database.change(work, which=None) if app.database.read(look) else None


def _sign(app: App, me: str, services: Sequence[int]) -> list[int]:
    """Give a sign of life; answer for which services another worker listens by now."""

    def work(connection: sa.Connection) -> list[int]:
        until = time.time() + BELIEVED
        change = sa.update(listener).where(listener.c.holder == me).values(believed_until=until)
        return [one for one in services if not connection.execute(change.where(listener.c.service_id == one)).rowcount]

    return app.database.change(work, which=None)


def _release(app: App, me: str, service_id: int) -> None:
    mine = sa.and_(listener.c.service_id == service_id, listener.c.holder == me)
    change = sa.update(listener).where(mine).values(believed_until=0.0)
    app.database.change(lambda connection: connection.execute(change), which=None)


def _count(app: App, service_id: int) -> None:
    change = sa.update(listener).where(listener.c.service_id == service_id)
    values = change.values(attempted=listener.c.attempted + 1)
    app.database.change(lambda connection: connection.execute(values), which=None)
