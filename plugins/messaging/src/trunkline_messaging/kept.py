"""Kept: one connection for all requests of a worker, opened when first used and again when it was lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

from trunkline_messaging.errors import busy, too_slow

C = TypeVar("C")
# Messages that may wait for one broker in one worker; whoever comes then is to come again later.
MOST_WAITING = 1000
_NAP = 0.02
log = logging.getLogger(__name__)


class Kept(ABC, Generic[C]):
    """Keeps a connection; subclasses say how to open and close it, and whether it still stands."""

    def __init__(self, seconds: float) -> None:
        """Connect to nothing yet; ``seconds`` is what a request may take, connecting included."""
        self._seconds = seconds
        self._opening: asyncio.Task[C] | None = None
        self._waiting = 0

    @abstractmethod
    async def open(self) -> C:
        """Connect; raises the typed errors. Must end by itself about when the time is up."""

    @abstractmethod
    def stands(self, connection: C) -> bool:
        """Say whether the connection can be used, as far as one knows."""

    @abstractmethod
    async def shut(self, connection: C) -> None:
        """Close the connection, whatever state it is in."""

    @contextlib.asynccontextmanager
    async def using(self) -> AsyncIterator[C]:
        """Use the connection within the time that a request has; raises GatewayTimeout, Unavailable.

        A connection on which time ran out is given up: it may be half open, and would cost others their time as well.
        """
        if self._waiting >= MOST_WAITING:
            raise busy()
        self._waiting += 1
        connection: C | None = None
        try:
            async with asyncio.timeout(self._seconds):
                connection = await self._connection()
                yield connection
        except TimeoutError as error:
            if connection is not None:
                await self.give_up(connection)
            raise too_slow() from error
        finally:
            self._waiting -= 1

    async def _connection(self) -> C:
        """Answer the connection that is there, or open one: one attempt for all who wait."""
        opening = self._opening
        if opening is not None and opening.done():
            if not opening.cancelled() and opening.exception() is None and self.stands(opening.result()):
                return opening.result()
            self._forget()
            opening = None
        if opening is None:
            opening = self._opening = asyncio.create_task(self.open())
            opening.add_done_callback(_looked_at)
        return await asyncio.shield(opening)

    def _forget(self) -> None:
        """Let go of a connection that is of no use, without waiting for its end."""
        opening, self._opening = self._opening, None
        if opening is not None and not opening.cancelled() and opening.exception() is None:
            closing = asyncio.create_task(self._shut(opening.result()))
            closing.add_done_callback(_looked_at)

    async def give_up(self, connection: C) -> None:
        """Open another connection for whoever comes next."""
        opening = self._opening
        is_open = opening is not None and opening.done() and not opening.cancelled() and opening.exception() is None
        if is_open and opening is not None and opening.result() is connection:
            self._forget()

    async def close(self) -> None:
        """Close the connection, when what is under way has ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                while self._waiting:  # noqa: ASYNC110 - once, at the end
                    await asyncio.sleep(_NAP)
        opening, self._opening = self._opening, None
        if opening is None:
            return
        if not opening.done():
            opening.cancel()
        with contextlib.suppress(Exception, asyncio.CancelledError):
            await self._shut(await opening)

    async def _shut(self, connection: C) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self.shut(connection)
        except Exception as error:
            log.debug("a connection to a broker did not close: %s", error)


def _looked_at(task: asyncio.Task[object]) -> None:
    """Retrieve what a task raised: whoever waited for it has been told."""
    if not task.cancelled():
        task.exception()
