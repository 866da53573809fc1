"""Replies that come before their request was read: the client gets them, and nothing hangs (checklist 31)."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from processes import served

pytestmark = pytest.mark.slow
_BLOCK = b"x" * 65536
_MB = 1 << 20


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(tmp_path_factory.mktemp("early"), TRUNKLINE_MAX_BODY=str(_MB)) as port:
        yield port


def sent(port: int, size: int, head: str) -> bytes:
    """Send all of a request before anything is read, as most clients do, and answer what came back."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as one:
        one.sendall(f"{head} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        for start in range(0, size, len(_BLOCK)):
            one.sendall(_BLOCK[: size - start])
        return one.recv(65536)


@pytest.mark.parametrize("size", [2 * _MB, 30 * _MB])
def test_a_body_that_is_too_large_is_refused_and_the_client_reads_why(port: int, size: int) -> None:
    assert sent(port, size, "POST /api/v2/user/session").startswith(b"HTTP/1.1 413")


def test_a_client_that_goes_on_and_on_is_cut_off(port: int) -> None:
    started = time.monotonic()
    with pytest.raises(OSError, match=r"reset|pipe|closed"):
        sent(port, 10**12, "POST /api/v2/user/session")
    assert time.monotonic() - started < 20


def test_a_client_that_stops_in_the_middle_is_cut_off(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        one.sendall(b"POST /api/v2/user/session HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + _BLOCK)
        got = b""
        while piece := one.recv(65536):
            got += piece
    assert got.startswith(b"HTTP/1.1 413")


def test_a_refused_upload_leaves_the_connection_usable(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        for _ in range(2):
            one.sendall(
                b"POST /api/v2/user/session HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000
            )
            got = b""
            while b'"status_code":413}}' not in got:
                piece = one.recv(65536)
                assert piece, got
                got += piece
