"""Where services are measured beside each other: each in a process of its own under the same ASGI server."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import Asked, Measured, measure
from processes import free_port

SERVERS = {
    "hypercorn": "from trunkline.serving import Bind, hypercorn; hypercorn({app!r}, Bind(port={port}))",
    "uvicorn": "import uvicorn; uvicorn.run({app!r}, port={port}, log_level='error', access_log=False)",
}
APP_KEY = "base64:dHJ1bmtsaW5lLXRlc3RzLXRydW5rbGluZS10ZXN0cy0="


@dataclass
class Contender:
    """One service; ``watched`` adds the processes of its database to its own."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    headers: dict[str, str] = field(default_factory=dict)
    watched: Callable[[], Sequence[int]] = list

    async def measured(self, asked: Asked, requests: int, connections: int) -> Measured:
        """Send it a number of requests."""
        return await measure(
            lambda: [self.process.pid, *self.watched()], self.port, asked, self.headers, requests, connections
        )


@contextlib.contextmanager
def serving(
    server: str, application: str, environment: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Keep a server for the length of the block."""
    port = free_port()
    code = SERVERS[server].format(app=application, port=port)
    surroundings = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **environment}
    process = subprocess.Popen([sys.executable, "-c", code], env=surroundings)
    try:
        _wait(port, application)
        yield process, port
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int, application: str) -> None:
    for _ in range(400):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/nothing")
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{application} does not start")


async def rounds(
    contenders: Sequence[tuple[Contender, Asked]], requests: int, connections: int, how_many: int
) -> list[list[Measured]]:
    """Measure all in turn, again and again; the first turn warms up and is left out."""
    found = [
        [await one.measured(asked, requests, connections) for one, asked in contenders] for _ in range(how_many + 1)
    ]
    return found[1:]


def median_of(measured: Sequence[Sequence[Measured]], index: int, figure: str) -> float:
    """Answer the median of a figure over all turns."""
    return statistics.median(getattr(turn[index], figure) for turn in measured)


def ratio_of(measured: Sequence[Sequence[Measured]], index: int, base: int, figure: str = "cpu") -> float:
    """Answer the median of the ratios within each turn, which a machine that is busy now and then disturbs less."""
    return statistics.median(getattr(turn[index], figure) / getattr(turn[base], figure) for turn in measured)
