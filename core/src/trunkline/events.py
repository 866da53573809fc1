"""Events: something happened. Subscribers observe through the ``on_event`` hook and never change a call."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
class CallRefused:
    """The front door let a call not pass, for its credentials, its role or a limit; ``reply`` says why."""

    call: Call
    reply: Reply


@dataclass(frozen=True, slots=True)
class RecordChanged:
    """A stored record of a system resource was created, updated or deleted.

    ``fields`` are the names of what the client sent, as far as the record has them; never values.
    """

    resource: str
    action: str
    id: int
    by_user_id: int | None = None
    fields: tuple[str, ...] = ()
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class NamedEvent:
    """Something that a plugin tells under a dotted name of its own, such as ``system.limit.1.exceeded``."""

    name: str
    content: Mapping[str, Any] = field(default_factory=dict)


class Events:
    """Hands events to subscribers after the reply is on its way."""

    def __init__(self, app: App) -> None:
        """Subscribe nobody."""
        self._app = app
        self._tasks: set[asyncio.Task[None]] = set()

    def publish(self, event: object) -> None:
        """Tell the subscribers, if there are any; never waits and never raises."""
        if self._app.plugins.callers("on_event"):
            asyncio.get_running_loop().call_soon(self._deliver, event)

    def _deliver(self, event: object) -> None:
        """Tell one after the other; a task is made only for those that are asynchronous."""
        arguments = {"app": self._app, "event": event}
        for function, argnames in self._app.plugins.callers("on_event"):
            try:
                answer = function(*(arguments[name] for name in argnames))
            except Exception:
                self._failed(event)
                continue
            if inspect.isawaitable(answer):
                task = asyncio.ensure_future(self._awaited(answer, event))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _awaited(self, answer: Awaitable[Any], event: object) -> None:
        try:
            await answer
        except Exception:
            self._failed(event)

    @staticmethod
    def _failed(event: object) -> None:
        log.exception("a subscriber failed on %s", type(event).__name__)
