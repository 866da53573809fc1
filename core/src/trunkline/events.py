"""Events: something happened. Subscribers observe through the ``on_event`` hook and never change a call."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.call import Call, Reply

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """A call reached its end, with this reply."""

    call: Call
    reply: Reply


@dataclass(frozen=True, slots=True)
class RecordChanged:
    """A stored record of a system resource was created, updated or deleted."""

    resource: str
    action: str
    id: int
    by_user_id: int | None = None


class Events:
    """Hands events to subscribers after the reply is on its way."""

    def __init__(self, app: App) -> None:
        """Subscribe nobody."""
        self._app = app
        self._tasks: set[asyncio.Task[None]] = set()

    def publish(self, event: object) -> None:
        """Tell the subscribers, if there are any; never waits and never raises."""
        if self._app.plugins.callers("on_event"):
            task = asyncio.ensure_future(self._deliver(event))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, event: object) -> None:
        from trunkline.plugins import every

        try:
            await every(self._app.plugins, "on_event", app=self._app, event=event)
        except Exception:
            log.exception("a subscriber failed on %s", type(event).__name__)
