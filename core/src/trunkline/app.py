"""The application: puts the parts together, starts and stops them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from trunkline import json
from trunkline.authorize import authorize
from trunkline.cache import open_cache
from trunkline.call import SYSTEM, Call, Caller, Reply
from trunkline.db import tables
from trunkline.db.database import Database
from trunkline.directory import Directory
from trunkline.errors import NotFound, TrunklineError, envelope
from trunkline.events import Events
from trunkline.formats import Formats
from trunkline.frontpage import front_page
from trunkline.http import Edge
from trunkline.login import Logins
from trunkline.lookups import Lookups, of_call
from trunkline.outgoing import Outgoing
from trunkline.plugins import Manager
from trunkline.registry import Registry
from trunkline.response_filter import Masker
from trunkline.service import Resource, Service
from trunkline.services import Services
from trunkline.sessions import Sessions
from trunkline.settings import Settings, open_vault
from trunkline.threads import in_thread

log = logging.getLogger(__name__)
_POLL_SECONDS = 1.0


class App:
    """One running gateway. Its attributes are the parts; services and plugins reach each other through it."""

    def __init__(self, settings: Settings) -> None:
        """Build the parts and load the plugins; nothing is started."""
        self.settings = settings
        self.vault = open_vault(settings)
        self.masker = Masker(self.vault.masking_key())
        self.cache = open_cache(settings)
        self.database = Database(settings)
        self.plugins = Manager()
        self.registry = Registry()
        self.formats = Formats()
        self.directory = Directory(self.database, self.vault)
        self.services = Services(self)
        self.sessions = Sessions(self)
        self.logins = Logins(self)
        self.events = Events(self)
        self.outgoing = Outgoing(settings)
        self.plugins.load(None if settings.plugins is None else set(settings.plugins.replace(" ", "").split(",")))
        for name, reason in self.plugins.broken.items():
            log.error("plugin %s is left out: %s", name, reason)
        self.plugins.hook.register_tables(metadata=tables.metadata)
        self.plugins.hook.register_formats(register=self.formats.register)
        self._stack = contextlib.AsyncExitStack()
        self.asgi: ASGIApp = self._assembled()

    def _assembled(self) -> ASGIApp:
        """Build the ASGI application: plugins' middleware, then ``/api``, then plugins' routes."""
        routes = [route for found in self.plugins.hook.register_routes(app=self) for route in found]
        others = Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_found, TrunklineError: _told})
        # What is not there is a 404, and no redirect to the same with a slash at the end, by whatever Host was sent.
        others.router.redirect_slashes = False
        assembled: ASGIApp = Edge(self, others)
        for wrap, arguments in self.plugins.callers("wrap_asgi"):
            given = {"app": self, "inner": assembled}
            assembled = wrap(*(given[name] for name in arguments))
        return assembled

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI; the lifespan scope starts and stops the application."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await self.asgi(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:
            log.exception("the application does not start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def start(self) -> None:
        """Migrate the system database, let plugins seed and start, begin to poll for changes."""
        await in_thread(self.database.migrate)
        await in_thread(lambda: self.plugins.hook.seed(app=self))
        await self.directory.fresh()
        for enter, arguments in reversed(self.plugins.callers("lifespan")):
            await self._stack.enter_async_context(enter(*({"app": self}[name] for name in arguments)))
        poller = asyncio.create_task(self._poll())
        self._stack.push_async_callback(_cancelled, poller)

    async def stop(self) -> None:
        """Stop in reverse order."""
        await self._stack.aclose()
        await self.services.close()
        self.cache.close()
        self.database.close()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[App]:
        """Be started inside a ``with``; for commands and tests."""
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    async def _poll(self) -> None:
        """Learn of other nodes' changes, off the request path."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            try:
                await in_thread(self.database.poll)
                await self.directory.fresh()
                self.services.prune()
            except TrunklineError as error:
                log.warning("polling the system database failed: %s", error.message)
            except Exception:
                # Whatever it was, the next second is another chance; without polling, changes of others would be lost.
                log.exception("polling the system database failed")

    def extra_resources(self, service_type: str) -> list[type[Resource]]:
        """Ask the plugins for resources to add to a service type."""
        found: list[type[Resource]] = []
        self.plugins.hook.register_resources(service_type=service_type, register=found.append)
        return found

    def kind_of(self, call: Call) -> type[Service] | None:
        """Answer the type of the service that a call names, None where there is no such service or type."""
        record = self.directory.snapshot.services.get(call.service)
        return self.registry.find(record.type) if record is not None else None

    def takes_streams(self, call: Call) -> bool:
        """Say whether the body of a call is for its service to read."""
        kind = self.kind_of(call)
        return kind is not None and kind.takes_streams

    def lookups(self, call: Call) -> Lookups:
        """Answer the lookups that a call may use."""
        return of_call(self, call)

    async def ask(
        self, method: str, path: str, *, params: dict[str, Any] | None = None, body: Any = None, caller: Caller = SYSTEM
    ) -> Reply:
        """Call a service from inside, by default with all rights; raises TrunklineError instead of answering one.

        ``path`` is what stands below ``/api/v2/``; hooks that judge or change calls are not asked.
        """
        await self.directory.fresh()
        service, *rest = path.strip("/").split("/")
        call = Call(method, service.lower(), tuple(rest), params or {}, body=body, caller=caller)
        call.trailing_slash = path.endswith("/")
        return Reply.of(await authorize(self, call).respond(call))

    async def front_page(self, call: Call) -> Reply:
        """Answer ``GET /api/v2``."""
        return await front_page(self, call)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _told(_request: Request, error: Exception) -> Response:
    """Answer what a plugin's route raised, as the API does."""
    assert isinstance(error, TrunklineError)  # noqa: S101 - it is registered for no other
    return Response(json.dumps(envelope(error)), error.status, error.headers, "application/json")


async def _not_found(_request: Request, _error: Exception) -> Response:
    error = NotFound("There is nothing here. The API begins at /api/v2.")
    return Response(json.dumps(envelope(error)), 404, media_type="application/json")
