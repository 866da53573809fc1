"""A free port is found, a taken one is told."""

import errno
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from trunkline_demo import address


class Status(BaseHTTPRequestHandler):
    """Answers anything with an empty 200."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        """Stay quiet."""


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_refused(taken):
    with pytest.raises(OSError, match="in use") as refusal:
        address.free_port("127.0.0.1", taken)
    assert refusal.value.errno == errno.EADDRINUSE


def test_without_a_port_the_first_free_one_is_taken(monkeypatch, taken):
    monkeypatch.setattr(address, "FIRST", taken)
    monkeypatch.setattr(address, "LAST", taken + 20)
    assert taken < address.free_port("127.0.0.1") <= taken + 20


@pytest.mark.parametrize(
    ("host", "written"),
    [("127.0.0.1", "http://127.0.0.1:80"), ("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80")],
)
def test_the_address_is_one_that_a_browser_can_open(host, written):
    assert address.url(host, 80) == written


def test_waiting_ends_when_the_gateway_answers():
    with HTTPServer(("127.0.0.1", 0), Status) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            assert address.wait("127.0.0.1", server.server_port, seconds=5)
        finally:
            server.shutdown()


def test_waiting_ends_when_nobody_answers(taken):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert not address.wait("127.0.0.1", port, seconds=0.1)
