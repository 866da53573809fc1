"""What is measured; every label has few values: no path, no name that a user or a client chose."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from trunkline.revisions import CONFIG, SESSIONS

if TYPE_CHECKING:
    from trunkline.app import App

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LABELS = ("service_type", "verb", "status")
# Seconds between two looks at the event loop.
_LOOK = 0.5


class Meters:
    """The instruments of one application."""

    def __init__(self, folder: Path | None) -> None:
        """Make them; ``folder`` is where several workers keep theirs together."""
        self._folder = folder
        self._registry = CollectorRegistry()
        requests = ("trunkline_requests", "Requests answered, by service type, verb and class of status.")
        self._requests = Counter(*requests, _LABELS, registry=self._registry)
        durations = ("trunkline_request_duration_seconds", "Seconds from a request's arrival to the end of its reply.")
        self._durations = Histogram(*durations, _LABELS, buckets=_BUCKETS, registry=self._registry)
        self._in_flight = Gauge(
            "trunkline_requests_in_flight",
            "Requests being answered.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._lag = Gauge(
            "trunkline_event_loop_lag_seconds",
            "How much too late the event loop last woke up, on the worst worker.",
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self._pairs: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}

    @contextlib.contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count a request while it lasts."""
        self._in_flight.inc()
        try:
            yield
        finally:
            self._in_flight.dec()

    def answered(self, labels: tuple[str, str, str], seconds: float) -> None:
        """Count and time a request."""
        pair = self._pairs.get(labels)
        if pair is None:
            pair = self._pairs[labels] = (self._requests.labels(*labels), self._durations.labels(*labels))
        pair[0].inc()
        pair[1].observe(seconds)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch the event loop."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            due = time.perf_counter() + _LOOK
            await asyncio.sleep(_LOOK)
            self._lag.set(max(0.0, time.perf_counter() - due))

    def text(self, app: App) -> bytes:
        """Render everything for Prometheus, of all workers; blocks."""
        if self._folder is None:
            return generate_latest(self._registry) + generate_latest(_registry_of(State(app)))
        shared = CollectorRegistry()
        MultiProcessCollector(shared, str(self._folder))  # type: ignore[no-untyped-call]  # it registers itself
        return generate_latest(shared) + generate_latest(_registry_of(State(app)))


class State(Collector):
    """What all workers share and is read when it is asked for."""

    def __init__(self, app: App) -> None:
        """Look at an application."""
        self._app = app

    def collect(self) -> Iterable[Metric]:
        """Read the state."""
        revisions = GaugeMetricFamily(
            "trunkline_revision", "How often configuration or revoked sessions have changed.", labels=["of"]
        )
        known = self._app.database.revisions
        revisions.add_metric(["config"], known[CONFIG])
        revisions.add_metric(["sessions"], known[SESSIONS])
        yield revisions
        yield GaugeMetricFamily(
            "trunkline_cache_entries", "Entries of the shared cache that have not expired.", self._app.cache.size()
        )
        services = GaugeMetricFamily("trunkline_services", "Configured services, by type.", labels=["service_type"])
        counts: dict[str, int] = {}
        for record in self._app.directory.snapshot.services.values():
            counts[record.type] = counts.get(record.type, 0) + 1
        for name, count in sorted(counts.items()):
            services.add_metric([name], count)
        yield services


def _registry_of(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(collector)
    return registry
