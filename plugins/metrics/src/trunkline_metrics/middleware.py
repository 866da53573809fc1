"""The outermost layer: it sees every request of the API begin and every reply end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from trunkline.http import CALL
from trunkline_metrics.labels import labels_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from trunkline.app import App
    from trunkline_metrics.meters import Meters


class StatusHeard:
    """Passes messages on and remembers the status."""

    def __init__(self, send: Send) -> None:
        """Stand before ``send``."""
        self._send = send
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


def is_api(scope: Scope) -> bool:
    """Say whether a scope is a request of the API."""
    return scope["type"] == "http" and (scope["path"] == "/api" or str(scope["path"]).startswith("/api/"))


class Measured:
    """Counts and times the requests of the API."""

    def __init__(self, app: App, inner: ASGIApp, meters: Meters) -> None:
        """Stand round ``inner``."""
        self._app = app
        self._inner = inner
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure one request."""
        if not is_api(scope):
            await self._inner(scope, receive, send)
            return
        started, heard = time.perf_counter(), StatusHeard(send)
        with self._meters.in_flight():
            try:
                await self._inner(scope, receive, heard)
            finally:
                labels = labels_of(self._app, scope.get(CALL), heard.status)
                self._meters.answered(labels, time.perf_counter() - started)
