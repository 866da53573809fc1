"""Traces, received as a collector does."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector(ThreadingHTTPServer):
    """Takes spans in as a collector does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Received)
        self.requests: list[ExportTraceServiceRequest] = []

    @property
    def spans(self) -> list[dict[str, Any]]:
        """Everything received, attributes as a dictionary."""
        return [
            {
                "name": span.name,
                "trace": span.trace_id.hex(),
                "parent": span.parent_span_id.hex(),
                "failed": span.status.code == 2,
                **{one.key: one.value.string_value or one.value.int_value for one in span.attributes},
            }
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class Received(BaseHTTPRequestHandler):
    """One delivery of spans."""

    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join()


def test_each_call_is_a_span_below_that_of_the_client(collector: Collector, tmp_path: Path) -> None:
    with Gateway(settings_for(tmp_path)) as gateway:
        first = gateway.admin.get("/system/role?filter=name='canary'", headers={"traceparent": PARENT})
        gateway.admin.get("/system/role/4711")
        gateway.admin.get("/canary/canary")
        gateway.anonymous.get("/system/role", headers={"traceparent": "canary"})
    ok, missing, unknown, refused = collector.spans
    assert ok == {
        "name": "GET system", "trace": PARENT.split("-")[1], "parent": PARENT.split("-")[2], "failed": False,
        "http.request.method": "GET", "http.response.status_code": 200, "trunkline.service": "system",
        "trunkline.service_type": "system", "trunkline.request_id": first.headers["X-Request-Id"],
    }  # fmt: skip
    assert (missing["http.response.status_code"], missing["parent"], missing["failed"]) == (404, "", False)
    assert (unknown["name"], unknown["trunkline.service"]) == ("GET none", "none")
    assert refused["http.response.status_code"] == 400
    text = str(collector.requests)
    assert "canary" not in text
    assert gateway.admin.headers["X-DreamFactory-Session-Token"] not in text
    assert "admin@example.com" not in text


def test_a_failure_is_marked(collector: Collector, tmp_path: Path) -> None:
    with Gateway(settings_for(tmp_path)) as gateway:
        gateway.app.database.change(lambda connection: connection.exec_driver_sql("drop table lookup"), which=None)
        assert gateway.admin.get("/system/lookup").status_code == 500
    assert [(one["failed"], one["http.response.status_code"]) for one in collector.spans] == [(True, 500)]


def test_missing_packages_are_told_and_hinder_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    monkeypatch.delitem(sys.modules, "trunkline_metrics.traces", raising=False)
    with Gateway(settings_for(tmp_path)) as gateway:
        assert gateway.admin.get("/system/role").status_code == 200
    assert "pip install 'trunkline-metrics[otel]'" in caplog.text
