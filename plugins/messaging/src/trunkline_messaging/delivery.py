"""From a message to an answered call: in whose name, again when it failed, and not again when it was done."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline import json
from trunkline.call import Reply
from trunkline.errors import BadRequest
from trunkline.pipeline import failed, perform
from trunkline.threads import in_thread
from trunkline_messaging.endpoint import endpoint_of
from trunkline_messaging.table import handled, listener

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline_messaging.subscriptions import Subscription

log = logging.getLogger(__name__)
# Seconds for a call to end in when listening does.
_LAST_CALL = 10.0
# Seconds to wait before each further attempt; then the message is given up.
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
# Refusals that may pass by themselves, beside all statuses of 500 and more.
_PASSING = frozenset({408, 423, 425, 429})
# Handled messages to remember for each service, more than any broker has under way to one client at once.
_REMEMBERED = 500
_NO_ENDPOINT = BadRequest("The subscription names no service.")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message. ``identity`` is what it has again when it is sent again, None where nothing is; ``again`` says so."""

    body: bytes
    identity: str | None = None
    again: bool = False

    def told(self) -> Mapping[str, Any]:
        """Answer what is added to the body of the call: the text, in base64 where it is none."""
        try:
            return {"message": self.body.decode()}
        except UnicodeDecodeError:
            return {"message": base64.b64encode(self.body).decode("ascii"), "encoding": "base64"}


class Inbox:
    """Where a listener puts the messages of a service, and what it must remember of the broker."""

    def __init__(self, app: App, service_id: int, subscriptions: Sequence[Subscription], held: Sequence[str]) -> None:
        """Know the subscriptions; ``held`` is what the broker keeps for this service from earlier."""
        self._app = app
        self._service_id = service_id
        self.subscriptions = subscriptions
        self.held = tuple(held)
        self._written = 0
        self._ends = asyncio.Event()

    async def hold(self, what: Sequence[str]) -> None:
        """Remember what the broker keeps for this service from now on."""
        self.held = tuple(what)
        await in_thread(self._hold, json.dumps(list(what)).decode() if what else None)

    def _hold(self, held: str | None) -> None:
        change = sa.update(listener).where(listener.c.service_id == self._service_id).values(held=held)
        self._app.database.change(lambda connection: connection.execute(change), which=None)

    async def take(self, message: Incoming, *which: int) -> bool:
        """Make the calls of the subscriptions with these places; returns when they have been answered.

        False when one was given up: refused, or failed again and again. Of what was handled before nothing is done.
        Cancelled, it brings a call that is under way to its end: the broker is not told, but the next listener knows.
        """
        working = asyncio.create_task(self._take(message, which))
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            self._ends.set()
            await asyncio.wait([working], timeout=_LAST_CALL)
            working.cancel()
            raise

    async def _take(self, message: Incoming, which: Sequence[int]) -> bool:
        key = self._key(message, which)
        if message.again and key is not None and await in_thread(self._is_handled, key):
            return True
        outcomes = [await self._called(self.subscriptions[place], message) for place in which]
        if key is not None:
            await in_thread(self._note, key)
        return all(outcomes)

    async def _called(self, one: Subscription, message: Incoming) -> bool:
        for pause in (*PAUSES, None):
            reply = await answer(self._app, one, message)
            if reply.status < 400:
                return True
            if pause is None or (reply.status < 500 and reply.status not in _PASSING):
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ends.wait(), pause)
            if self._ends.is_set():
                raise asyncio.CancelledError
        told = {"status": reply.status, "endpoint": one.item.get("service")}
        log.error("a message was given up: the call that it makes answers %(status)s (%(endpoint)s)", told)
        return False

    def _key(self, message: Incoming, which: Sequence[int]) -> str | None:
        if message.identity is None:
            return None
        parts = (message.identity.encode(), str(which).encode(), message.body)
        return hashlib.sha256(b"".join(len(one).to_bytes(8, "big") + one for one in parts)).hexdigest()

    def _is_handled(self, key: str) -> bool:
        query = sa.select(handled.c.id).where(handled.c.service_id == self._service_id, handled.c.message == key)
        return self._app.database.read(lambda connection: connection.execute(query).first()) is not None

    def _note(self, key: str) -> None:
        self._written += 1
        mine = handled.c.service_id == self._service_id

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.insert(handled).values(service_id=self._service_id, message=key))
            if self._written % 100 == 0:
                latest = sa.select(handled.c.id).where(mine).order_by(handled.c.id.desc()).offset(_REMEMBERED).limit(1)
                oldest = connection.scalar(latest)
                if oldest is not None:
                    connection.execute(sa.delete(handled).where(mine, handled.c.id <= oldest))

        self._app.database.change(work, which=None)

    async def forget_handled(self) -> None:
        """Forget what was handled: the broker begins to count anew."""
        gone = sa.delete(handled).where(handled.c.service_id == self._service_id)
        await in_thread(lambda: self._app.database.change(lambda c: c.execute(gone), which=None))


async def answer(app: App, one: Subscription, message: Incoming) -> Reply:
    """Make the call of a subscription in the name of who made it; never raises."""
    call = endpoint_of(one.item.get("service"), _NO_ENDPOINT).call(message.told())
    try:
        call.caller = await one.owner.caller(app)
        return await perform(app, call)
    except Exception as error:
        return failed(call, error)
