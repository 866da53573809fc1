"""The instruments of one application as hooks: they are asked for nothing while they are switched off."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from trunkline import hookimpl
from trunkline.errors import Forbidden
from trunkline.threads import in_thread
from trunkline_metrics.settings import MetricsSettings
from trunkline_metrics.workers import shared_folder

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline_metrics.meters import Meters
    from trunkline_metrics.traces import Traces

log = logging.getLogger(__name__)
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Instruments:
    """Meters and traces, where the settings want them."""

    def __init__(self, settings: MetricsSettings) -> None:
        """Make nothing yet, since where workers meet is known with the application."""
        self._settings = settings
        self._meters: Meters | None = None
        self._traces: Traces | None = None

    @hookimpl
    def register_routes(self, app: App) -> list[BaseRoute]:
        """Answer ``GET /metrics`` to those who may read it."""
        if not self._settings.enabled:
            return []
        folder = shared_folder(app.settings.storage)
        # Only now: prometheus-client looks for the folder when it is imported.
        from trunkline_metrics.meters import Meters

        meters = self._meters = Meters(folder)

        async def answer(request: Request) -> Response:
            if not self._settings.admits(request.client.host if request.client else None):
                raise Forbidden("Metrics are not for this address.")
            return Response(await in_thread(meters.text, app), media_type=_TEXT)

        return [Route("/metrics", answer, methods=["GET"])]

    @hookimpl
    def wrap_asgi(self, app: App, inner: ASGIApp) -> ASGIApp:
        """Put the layers on that are wanted."""
        if self._settings.otlp_endpoint and (traces := _traces()) is not None:
            from trunkline_metrics.traces import Traced

            self._traces = traces
            inner = Traced(app, inner, traces)
        if self._meters is not None:
            from trunkline_metrics.middleware import Measured

            inner = Measured(app, inner, self._meters)
        return inner

    @hookimpl
    def lifespan(self, app: App) -> AbstractAsyncContextManager[None]:
        """Watch the event loop, and send the last spans at the end."""
        return self._alive()

    @contextlib.asynccontextmanager
    async def _alive(self) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            if self._meters is not None:
                await stack.enter_async_context(self._meters.watching())
            if self._traces is not None:
                await stack.enter_async_context(self._traces.sending())
            yield


def _traces() -> Traces | None:
    try:
        from trunkline_metrics.traces import Traces
    except ModuleNotFoundError as error:
        log.warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but %s is missing. Try: pip install 'trunkline-metrics[otel]'",
            error.name,
        )
        return None
    return Traces()
