"""Reading request bodies: by media type, within the size allowed."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from trunkline.call import Call
from trunkline.errors import BadRequest, TooLarge, TooSlow
from trunkline.query import parse_query

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable

    from starlette.types import Message, Receive

    from trunkline.app import App

# Bytes a second below which a body is too slow, after a while.
_LEAST_RATE = 500
# What is taken in of a body that nobody wants, so that the client comes to read why.
_LINGER_BYTES, _LINGER_SECONDS = 64 * 2**20, 5.0


class ClientGone(BadRequest):
    """The client closed the connection before its body was complete."""


def has_body(call: Call) -> bool:
    """Say whether there is a body to read."""
    headers = call.headers
    none_told = headers.get("content-length") in (None, "0") and "transfer-encoding" not in headers
    return not (none_told and call.method in ("GET", "HEAD", "DELETE", "OPTIONS"))


async def read(app: App, call: Call, receive: Receive) -> None:
    """Read and parse the body into ``call.raw`` and ``call.body``; raises TooLarge or BadRequest.

    Where the service takes streams nothing is read but what it asks for.
    """
    length = call.headers.get("content-length")
    call.media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    await app.directory.fresh()
    if app.takes_streams(call):
        call.incoming = _received(receive, length, app.settings.max_upload, app.settings.body_timeout)
        return
    whole = bytearray()
    async for chunk in _received(receive, length, app.settings.max_body, app.settings.body_timeout):
        whole += chunk
    call.raw = bytes(whole)
    if call.raw.strip():
        call.body = await _parsed(app, call)


class Incoming:
    """What comes of a body, and what becomes of the rest when the reply is there before it was read.

    Clients read the reply only when they have sent all, so a little is taken in; then the connection ends. What the
    server waits to hand over must be taken even then: Hypercorn would wait for ever.
    """

    def __init__(self, receive: Receive) -> None:
        """Stand between the server and whoever reads."""
        self._receive = receive
        self.is_over = False

    async def receive(self) -> Message:
        """Hand on what comes."""
        message = await self._receive()
        self.is_over = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    @asynccontextmanager
    async def discarded(self) -> AsyncIterator[None]:
        """Take in what is left, for a while, and what comes after that until the block ends."""
        taken = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while not self.is_over and taken < _LINGER_BYTES:
                    taken += len((await self.receive()).get("body", b""))
        rest = asyncio.ensure_future(self._emptied())
        try:
            yield
        finally:
            rest.cancel()

    async def _emptied(self) -> None:
        while not self.is_over:
            await self.receive()


async def parse_incoming(app: App, call: Call) -> None:
    """Read and parse the body of a call that came as a stream after all, as ``read`` does for others."""
    if call.incoming is None:
        return
    whole = bytearray()
    async for chunk in call.incoming:
        whole += chunk
        if len(whole) > app.settings.max_body:
            raise TooLarge(f"The request body is larger than {app.settings.max_body} bytes.")
    call.raw, call.incoming = bytes(whole), None
    if call.raw.strip():
        call.body = await _parsed(app, call)


async def _received(receive: Receive, length: str | None, limit: int, patience: float) -> AsyncGenerator[bytes, None]:
    """Read the body in pieces; whoever sends it too slowly holds a connection for nothing (checklist 31).

    Only the time counts in which the client is waited for, not that in which a piece is made use of.
    """
    if length is not None and length.isdigit() and int(length) > limit:
        raise TooLarge(f"The request body is larger than {limit} bytes.")
    received, patient = 0, _Patience(patience)
    more = True
    try:
        while more:
            message = await patient.waiting(receive(), received)
            if message["type"] == "http.disconnect":
                raise ClientGone("The request body ended early.")
            chunk = message.get("body", b"")
            received += len(chunk)
            if received > limit:
                raise TooLarge(f"The request body is larger than {limit} bytes.")
            more = message.get("more_body", False)
            if chunk:
                yield chunk
    finally:
        patient.end()


class _Patience:
    """Cancels whoever waits for a client too long; one timer for a whole body, since one for each piece costs more."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._left = seconds
        self._task: asyncio.Task[Any] | None = None
        self._begun = 0.0
        self._allowed = 0.0
        self._timer = self._loop.call_later(seconds, self._look)
        self._is_late = False

    async def waiting(self, work: Awaitable[Message], received: int) -> Message:
        """Wait for the next piece; raises TooSlow."""
        self._task, self._begun = asyncio.current_task(), self._loop.time()
        self._allowed = self._left + received / _LEAST_RATE
        try:
            return await work
        except asyncio.CancelledError:
            if not self._is_late or self._task is None or self._task.uncancel():
                raise
            raise TooSlow("The request body took too long to come.") from None
        finally:
            self._task = None
            self._left -= self._loop.time() - self._begun

    def end(self) -> None:
        """Watch no more."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        if self._task is None:
            # Just now the piece before is made use of.
            self._timer = self._loop.call_later(max(self._left, 0.1), self._look)
        elif now < self._begun + self._allowed:
            self._timer = self._loop.call_at(self._begun + self._allowed, self._look)
        else:
            self._is_late = True
            self._task.cancel()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a multipart body: its form field, the name that the client gave it, and what it holds."""

    field: str
    name: str
    media_type: str
    content: bytes


async def uploads(call: Call) -> list[Upload]:
    """Answer the files of a multipart body, in their order; none for other bodies."""
    if call.media_type != "multipart/form-data":
        return []
    form = await _read_form(MultiPartParser(Headers(call.headers), _once(call.raw)))
    found = []
    try:
        for field, one in form.multi_items():
            if isinstance(one, UploadFile):
                found.append(Upload(field, one.filename or "", one.content_type or "", await one.read()))
    finally:
        await form.close()
    return found


async def _parsed(app: App, call: Call) -> Any:
    if call.media_type == "application/x-www-form-urlencoded":
        return await _form(FormParser(Headers(call.headers), _once(call.raw)))
    if call.media_type == "multipart/form-data":
        # Files stay in ``call.raw`` for services that take uploads; here only the fields count.
        return await _form(MultiPartParser(Headers(call.headers), _once(call.raw)))
    return app.formats.parse(call.media_type, call.raw)


async def _once(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data


async def _read_form(parser: FormParser | MultiPartParser) -> FormData:
    try:
        return await parser.parse()
    except (MultiPartException, ValueError) as error:
        raise BadRequest("Invalid form data in request body.") from error


async def _form(parser: FormParser | MultiPartParser) -> dict[str, Any]:
    form = await _read_form(parser)
    await form.close()
    # The same rules as in a query: ``name[key]`` nests, the last of equal names wins.
    return parse_query(urlencode([(name, one) for name, one in form.multi_items() if isinstance(one, str)]).encode())
