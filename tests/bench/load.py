"""A small load generator: keep-alive HTTP/1.1 connections that ask for one path again and again."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """Server CPU microseconds per request, and requests per second."""

    cpu: float
    rate: float


def cpu_seconds(pid: int) -> float:
    """Read the user and system time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def measure(pid: int, port: int, path: str, headers: dict[str, str], requests: int, connections: int) -> Measured:
    """Send ``requests`` requests over ``connections`` connections."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    cpu, started = cpu_seconds(pid), time.perf_counter()
    await asyncio.gather(*(_ask(port, head, requests // connections) for _ in range(connections)))
    seconds = time.perf_counter() - started
    sent = requests // connections * connections
    return Measured((cpu_seconds(pid) - cpu) / sent * 1e6, sent / seconds)


async def _ask(port: int, head: bytes, times: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(times):
        writer.write(head)
        reply = await reader.readuntil(b"\r\n\r\n")
        if not reply.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(reply.decode("latin-1"))
        length = next(line for line in reply.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
    writer.close()
