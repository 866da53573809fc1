"""Turns: so many may use connections at a time, in the order in which they asked."""

from __future__ import annotations

import asyncio

from sqlalchemy.exc import TimeoutError as PoolTimeout


class Turns:
    """Lends ``size`` places; nobody waits longer than ``patience`` seconds. Late-comers never overtake."""

    def __init__(self, size: int, patience: float) -> None:
        """Have all places free."""
        self._places = asyncio.Semaphore(size)
        self._patience = patience

    async def take(self) -> None:
        """Take a place; raises SQLAlchemy's TimeoutError when none becomes free in time."""
        if not self._places.locked():
            # A stop-watch costs something, and who need not wait needs none.
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError as error:
            raise PoolTimeout("all connections are in use") from error

    def give(self) -> None:
        """Free a place."""
        self._places.release()
