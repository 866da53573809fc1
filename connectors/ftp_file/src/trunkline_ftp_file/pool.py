"""Sessions that are lent to one call at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from trunkline_files.errors import unavailable
from trunkline_ftp_file.session import Session

# Servers allow few connections from one address.
SIZE = 8
# Seconds after which servers and firewalls may have forgotten an idle connection.
_IDLE = 60.0


class Pool:
    """At most so many sessions; those in a state that nobody knows are closed rather than lent again."""

    def __init__(self, make: Callable[[], Awaitable[Session]], patience: float, size: int = SIZE) -> None:
        """Connect when first asked; nobody waits for a session longer than ``patience`` seconds."""
        self._make = make
        self._patience = patience
        self._places = asyncio.Semaphore(size)
        self._idle: list[tuple[float, Session]] = []
        self._is_closed = False

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Session]:
        """Lend a session for the length of the block; raises Unavailable when none becomes free."""
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError:
            raise unavailable("All connections to the storage are in use.") from None
        try:
            session = await self._ready()
            try:
                yield session
            finally:
                if session.is_busy or self._is_closed:
                    session.close()
                else:
                    self._idle.append((time.monotonic(), session))
        finally:
            self._places.release()

    async def _ready(self) -> Session:
        while self._idle:
            since, session = self._idle.pop()
            if time.monotonic() - since < _IDLE and await session.answers():
                return session
            session.close()
        return await self._make()

    async def close(self) -> None:
        """Close all that are idle, and those that are lent when they come back."""
        self._is_closed = True
        while self._idle:
            await self._idle.pop()[1].quit()
