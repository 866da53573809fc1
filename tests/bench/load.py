"""A small load generator: keep-alive HTTP/1.1 connections that ask the same again and again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, which is sent over and over."""

    path: str
    method: str = "GET"
    body: object = None

    def head(self, headers: dict[str, str]) -> bytes:
        """Write it out."""
        data = b"" if self.body is None else orjson.dumps(self.body)
        more = {} if self.body is None else {"Content-Type": "application/json", "Content-Length": str(len(data))}
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in {**headers, **more}.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + data


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU microseconds per request of all processes watched, requests per second, and the 99th percentile in ms."""

    cpu: float
    rate: float
    p99: float


def cpu_seconds(pids: Sequence[int]) -> float:
    """Read the time that processes have run, in all their threads."""
    spent = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                spent += int(task.read_text().split()[0])
    return spent / 1e9


async def measure(
    pids: Callable[[], Sequence[int]], port: int, asked: Asked, headers: dict[str, str], requests: int, connections: int
) -> Measured:
    """Send ``requests`` requests over ``connections`` connections; the processes are looked up before and after."""
    head, times = asked.head(headers), []
    cpu, started = cpu_seconds(pids()), time.perf_counter()
    await asyncio.gather(*(_ask(port, head, requests // connections, times) for _ in range(connections)))
    seconds = time.perf_counter() - started
    times.sort()
    spent = (cpu_seconds(pids()) - cpu) / len(times) * 1e6
    return Measured(spent, len(times) / seconds, times[len(times) * 99 // 100] * 1000)


async def _ask(port: int, head: bytes, often: int, times: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(often):
        started = time.perf_counter()
        writer.write(head)
        reply = await reader.readuntil(b"\r\n\r\n")
        if not reply.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(reply.decode("latin-1"))
        length = next(line for line in reply.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        times.append(time.perf_counter() - started)
    writer.close()
