"""One span a call, sent by OTLP; the trace of the client goes on when it names one (``traceparent``)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from trunkline.http import CALL
from trunkline.threads import in_thread
from trunkline_metrics.labels import labels_of
from trunkline_metrics.middleware import StatusHeard, is_api

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from trunkline.app import App
    from trunkline.call import Call

_PROPAGATED = (b"traceparent", b"tracestate")


class Traces:
    """The tracer of one application; spans are sent in the background and never fail a request."""

    def __init__(self) -> None:
        """Read the ``OTEL_*`` variables; the service is named ``trunkline`` unless they say otherwise."""
        resource = Resource.create()
        if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": "trunkline"}))
        # Not the provider of the whole process: that belongs to whoever runs it.
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = self._provider.get_tracer("trunkline")
        self._propagator = TraceContextTextMapPropagator()

    @contextlib.asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send what is left at the end."""
        try:
            yield
        finally:
            await in_thread(self._provider.shutdown)

    @contextlib.contextmanager
    def span(self, scope: Scope) -> Iterator[Span]:
        """Open the span of a request, below that of the client."""
        carrier = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in _PROPAGATED
        }
        context = self._propagator.extract(carrier)
        with self.tracer.start_as_current_span(
            "call", context, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as span:
            yield span


class Traced:
    """Opens a span round each request of the API. It names the service, never the path, values or people."""

    def __init__(self, app: App, inner: ASGIApp, traces: Traces) -> None:
        """Stand round ``inner``."""
        self._app = app
        self._inner = inner
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Trace one request."""
        if not is_api(scope):
            await self._inner(scope, receive, send)
            return
        heard = StatusHeard(send)
        with self._traces.span(scope) as span:
            try:
                await self._inner(scope, receive, heard)
            finally:
                self._describe(span, scope, heard.status)

    def _describe(self, span: Span, scope: Scope, status: int | None) -> None:
        call: Call | None = scope.get(CALL)
        service_type, verb, _status = labels_of(self._app, call, status)
        record = self._app.directory.snapshot.services.get(call.service) if call is not None else None
        name = record.name if record is not None else service_type
        span.update_name(f"{verb} {name}")
        span.set_attribute("http.request.method", verb)
        span.set_attribute("trunkline.service", name)
        span.set_attribute("trunkline.service_type", service_type)
        if call is not None:
            span.set_attribute("trunkline.request_id", call.request_id)
        if status is not None:
            span.set_attribute("http.response.status_code", status)
        if status is None or status >= 500:
            span.set_status(Status(StatusCode.ERROR))
