"""Child processes that run scripts: started ahead, used once, killed when their time is up."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import struct
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trunkline import json
from trunkline.errors import InternalError, TrunklineError

Ask = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
_PROGRAM = Path(__file__).with_name("sandbox.py")
_MOST_ANSWER = 32 * 2**20


class ScriptFailed(InternalError):
    """A script raised, or was stopped; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a script may use: seconds of the clock and of a processor, MiB of memory; whether it may use the network."""

    seconds: float = 10.0
    cpu: int = 5
    memory: int = 256
    network: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a script left: what it returned, the event as it became, and what it printed."""

    returned: Any
    event: dict[str, Any]
    printed: str


class Engine:
    """Runs Python scripts, ``most`` at a time; some children wait ahead, so that a script begins at once."""

    def __init__(self, limits: Limits, most: int = 8, ahead: int = 2) -> None:
        """Start nothing yet."""
        self.limits = limits
        self._turns = asyncio.Semaphore(most)
        self._ahead = ahead
        self._waiting: list[asyncio.subprocess.Process] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    async def run(self, name: str, script: str, event: Any, platform: Any, ask: Ask, limits: Limits) -> Outcome:
        """Run a script; raises ScriptFailed."""
        async with self._turns:
            child = self._waiting.pop() if self._waiting else await self._start()
            self._refill()
            try:
                async with asyncio.timeout(limits.seconds):
                    told = await self._talk(child, script, event, platform, ask, limits)
            except TimeoutError:
                raise ScriptFailed(f"Script '{name}' was stopped: it took too long.") from None
            finally:
                await _end(child)
        if told is None:
            raise ScriptFailed(f"Script '{name}' was stopped: {_cause(child.returncode)}.")
        if "error" in told:
            raise ScriptFailed(f"Script '{name}' failed. {told['error']}")
        return Outcome(told["returned"], told["event"], told["printed"])

    async def close(self) -> None:
        """End the children that wait."""
        await asyncio.gather(*self._starting, return_exceptions=True)
        while self._waiting:
            await _end(self._waiting.pop())
        if self._folder is not None:
            self._folder.cleanup()

    async def _talk(
        self, child: asyncio.subprocess.Process, script: str, event: Any, platform: Any, ask: Ask, limits: Limits
    ) -> dict[str, Any] | None:
        """Send the job and answer calls until the result comes; None when the child died."""
        allowed = {"cpu": limits.cpu, "memory": limits.memory, "network": limits.network}
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            _write(child, {"script": script, "event": event, "platform": platform, "limits": allowed})
            while True:
                message = await _read(child)
                if "call" not in message:
                    return message
                _write(child, await ask(message["call"]))
        return None

    async def _start(self) -> asyncio.subprocess.Process:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="trunkline-script-")
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", "-B", str(_PROGRAM), stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env={}, cwd=self._folder.name,
            start_new_session=True, limit=_MOST_ANSWER,
        )  # fmt: skip

    def _refill(self) -> None:
        if len(self._waiting) + len(self._starting) < self._ahead:
            task = asyncio.ensure_future(self._start_ahead())
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _start_ahead(self) -> None:
        self._waiting.append(await self._start())


def _cause(status: int | None) -> str:
    if status == -signal.SIGXCPU:
        return "it used too much time of the processor"
    return "it used more than it may" if status and status < 0 else "it ended its process"


def _write(child: asyncio.subprocess.Process, message: dict[str, Any]) -> None:
    assert child.stdin is not None  # noqa: S101 - it was started with one
    data = json.dumps(message)
    child.stdin.write(struct.pack(">I", len(data)) + data)


async def _read(child: asyncio.subprocess.Process) -> dict[str, Any]:
    assert child.stdout is not None  # noqa: S101 - it was started with one
    (length,) = struct.unpack(">I", await child.stdout.readexactly(4))
    if length > _MOST_ANSWER:
        raise ScriptFailed("A script answered more than 32 MiB.")
    try:
        found: dict[str, Any] = json.loads(await child.stdout.readexactly(length))
    except TrunklineError:
        raise ScriptFailed("A script answered what is no JSON.") from None
    return found


async def _end(child: asyncio.subprocess.Process) -> None:
    """Let a child that has answered end, and kill any other."""
    if child.returncode is None and child.stdin is not None:
        child.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await child.wait()
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
