"""Files in and out: the throughput of Trunkline beside a hand-written route over fsspec, on one connection."""

from __future__ import annotations

import secrets
import socket
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.stand import APP_KEY, serving

# At least this much of the throughput of the hand-written route.
LEAST = 0.8
SIZES = {"10 MB": (10 * 10**6, 15), "1 GB": (10**9, 5)}
_BLOCK = secrets.token_bytes(1 << 20)


@dataclass(frozen=True, slots=True)
class _Contender:
    port: int
    path: str
    headers: dict[str, str]

    def sent(self, size: int) -> float:
        """Upload and answer the seconds."""
        started = time.perf_counter()
        with self._asked("PUT", {"Content-Length": str(size)}) as one:
            for start in range(0, size, len(_BLOCK)):
                one.sendall(_BLOCK[: size - start])
            _head(one, b"201")
        return time.perf_counter() - started

    def fetched(self, size: int) -> float:
        """Download and answer the seconds."""
        started, buffer = time.perf_counter(), bytearray(1 << 20)
        with self._asked("GET", {}) as one:
            left = size - len(_head(one, b"200"))
            while left:
                got = one.recv_into(buffer)
                if not got:
                    raise RuntimeError(f"{left} bytes are missing")
                left -= got
        return time.perf_counter() - started

    def _asked(self, method: str, more: dict[str, str]) -> socket.socket:
        one = socket.create_connection(("127.0.0.1", self.port))
        lines = [f"{method} {self.path} HTTP/1.1", "Host: x", *(f"{a}: {b}" for a, b in (self.headers | more).items())]
        one.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return one


def _head(one: socket.socket, status: bytes) -> bytes:
    """Read to the end of the headers and answer what came behind them."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = one.recv(65536)
        if not piece:
            raise RuntimeError("no reply")
        got += piece
    if status not in got.partition(b"\r\n")[0]:
        raise RuntimeError(got.decode("latin-1"))
    return got.partition(b"\r\n\r\n")[2]


def main(server: str) -> bool:
    """Measure; answer whether the targets hold."""
    from trunkline.testing import Gateway
    from trunkline.testing.fixtures import settings_for

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Gateway(settings_for(folder / "storage")) as gateway:
            gateway.create_service("files", "local_file", {"container": "bench"})
            row = {"service": "files", "component": "*", "verb_mask": 31}
            key = gateway.create_app(gateway.create_role([row]))["api_key"]
        ours = {"TRUNKLINE_STORAGE": str(folder / "storage"), "APP_KEY": APP_KEY}
        theirs = {"BENCH_KEY": key, "BENCH_FOLDER": name}
        headers = {"X-DreamFactory-Api-Key": key}
        with (
            serving(server, "trunkline.asgi:app", ours) as (_, our_port),
            serving(server, "bench.plain_files:app", theirs) as (_, their_port),
        ):
            contenders = [
                _Contender(our_port, "/api/v2/files/x.bin", headers),
                _Contender(their_port, "/files/x.bin", headers),
            ]
            print(f"files, {server}: throughput of Trunkline / hand-written over fsspec (least {LEAST})")
            told = [_case(name, contenders) for name in SIZES]
            return all(told)


def _case(name: str, contenders: Sequence[_Contender]) -> bool:
    size, turns = SIZES[name]
    holds = True
    for way in ("sent", "fetched"):
        seconds = [[getattr(one, way)(size) for one in contenders] for _ in range(turns + 1)][1:]
        ratio = statistics.median(theirs / ours for ours, theirs in seconds)
        rate = size / statistics.median(ours for ours, _ in seconds) / 1e6
        print(f"  {'up  ' if way == 'sent' else 'down'} {name:>6}: x{ratio:.2f} ({rate:.0f} MB/s)")
        holds &= ratio >= LEAST
    return holds
