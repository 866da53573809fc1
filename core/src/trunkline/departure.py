"""Noticing that a client has left, so that nobody goes on working for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Receive

# Quick answers are not worth a look: until then a request pays for a timer and no more.
_AFTER_SECONDS = 0.1


class Departure:
    """Cancels the task in which it is made when the client goes away; ``noticed`` then tells why.

    It reads from the connection, so the body must have been read before.
    """

    def __init__(self, receive: Receive) -> None:
        """Begin to look in a moment."""
        self.noticed = False
        self._receive = receive
        self._request = asyncio.current_task()
        self._looking: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_AFTER_SECONDS, self.look)

    def look(self) -> None:
        """Begin to look now."""
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._wait())

    def forget(self) -> None:
        """Look no more."""
        self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._request is not None and not self._request.done():
            self.noticed = True
            self._request.cancel()
