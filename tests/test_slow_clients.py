"""Clients that send a request drop by drop hold no connection for long, and hurt nobody else (checklist 31)."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from processes import served

pytestmark = pytest.mark.slow
PATIENCE = 1.0
# Hypercorn's own, for headers.
HEADERS = 5.0


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(tmp_path_factory.mktemp("slow"), TRUNKLINE_BODY_TIMEOUT=str(PATIENCE)) as port:
        yield port


def dripped(port: int, head: bytes, drops: bytes, pause: float) -> tuple[bytes, float]:
    """Send a head, then byte after byte; answer what came back before the end, and after how long."""
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        one.sendall(head)
        one.settimeout(pause)
        for drop in drops:
            with contextlib.suppress(TimeoutError):
                return one.recv(10_000), time.monotonic() - started
            with contextlib.suppress(OSError):
                one.sendall(bytes([drop]))
        one.settimeout(20)
        return one.recv(10_000), time.monotonic() - started


def test_a_body_that_comes_too_slowly_is_a_408(port: int) -> None:
    head = b"POST /api/v2/user/session HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n"
    reply, seconds = dripped(port, head, b'{"email": "' + b"a" * 100, 0.2)
    assert reply.startswith(b"HTTP/1.1 408")
    assert PATIENCE <= seconds < PATIENCE + 2


def test_headers_that_come_too_slowly_end_the_connection(port: int) -> None:
    _, seconds = dripped(port, b"GET /api/v2 HTTP/1.1\r\nHost: ", b"x" * 100, 0.3)
    assert seconds < HEADERS + 3


def test_others_are_answered_meanwhile(port: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    try:
        for one in slow:
            one.sendall(b"POST /api/v2/user/session HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{")
        started = time.monotonic()
        assert httpx2.get(f"http://127.0.0.1:{port}/status").status_code == 200
        assert time.monotonic() - started < 1
    finally:
        for one in slow:
            one.close()


def test_a_long_url_is_read_and_one_that_is_too_long_refused(port: int) -> None:
    for length, status in ((60_000, 200), (80_000, 400)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", f"/api/v2?filter={'a' * length}")
        assert connection.getresponse().status == status
        connection.close()


def test_a_large_body_may_take_its_time(port: int, tmp_path: Path) -> None:
    """Whoever sends more gets more time."""
    body = b'{"email": "' + b"a" * 4000 + b'", "password": "x"}'
    head = f"POST /api/v2/user/session HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        one.sendall(head)
        for start in range(0, len(body), 500):
            one.sendall(body[start : start + 500])
            time.sleep(0.3)
        assert one.recv(1000).startswith(b"HTTP/1.1 401")
