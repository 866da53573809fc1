"""Where the bytes of a write come from: the body, the parts of a form, a URL, text in JSON."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from trunkline import bodies
from trunkline.call import Call
from trunkline.errors import BadRequest

if TYPE_CHECKING:
    from trunkline.app import App

_MOST_FIELD = 64 * 1024
_MOST_PARTS = 1000


def size_of(call: Call) -> int | None:
    """Answer the size of a body where the client said it."""
    length = call.headers.get("content-length", "")
    return int(length) if length.isdigit() and len(length) < 20 else None


async def body_of(call: Call) -> AsyncGenerator[bytes, None]:
    """Read a body as it comes: in small pieces."""
    if call.incoming is None:
        yield call.raw
        return
    async for piece in call.incoming:
        yield piece


async def parse(app: App, call: Call) -> None:
    """Read a body that is no file but says what to do; raises BadRequest."""
    await bodies.parse_incoming(app, call)


async def once(content: bytes) -> AsyncIterator[bytes]:
    """Make a stream of bytes that are there already."""
    yield content


def decoded(text: object, *, is_base64: bool) -> bytes:
    """Read content that stands in JSON; raises BadRequest that names the field."""
    if not isinstance(text, str):
        raise BadRequest("'content' must be text.")
    if not is_base64:
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("'content' is not valid base64.") from None


@dataclass(slots=True)
class Part:
    """A file of a form: the field, the name that the client gave it, and its bytes, to be read before the next part."""

    field: str
    name: str
    media_type: str
    content: AsyncIterator[bytes]


@dataclass(slots=True)
class Form:
    """A multipart body, read while it comes: ``parts`` are its files, ``fields`` what stood before and between them."""

    call: Call
    fields: dict[str, str] = field(default_factory=dict)

    async def parts(self) -> AsyncGenerator[Part, None]:
        """Yield the files in their order; raises BadRequest for a body that is no form."""
        boundary = parse_options_header(self.call.headers.get("content-type", ""))[1].get("boundary")
        if not boundary:
            raise BadRequest("The form has no boundary.")
        events = self._events(boundary)
        try:
            async for event in events:
                if not isinstance(event, MultipartSegment):
                    continue
                if event.filename is None:
                    self.fields[event.name] = await self._field(events)
                    continue
                rest = _Rest(events)
                kind = event.content_type or "application/octet-stream"
                yield Part(event.name, event.filename, kind.partition(";")[0], rest)
                async for _ in rest:
                    pass  # What nobody wanted is passed over.
        finally:
            await events.aclose()

    async def _events(self, boundary: str) -> AsyncGenerator[MultipartSegment | bytes | bytearray | None, None]:
        try:
            with PushMultipartParser(boundary, max_segment_count=_MOST_PARTS, strict=False) as parser:
                async for piece in body_of(self.call):
                    for event in parser.parse(piece):
                        yield event
                if not parser.closed:
                    for event in parser.parse(b""):
                        yield event
        except MultipartError as error:
            raise BadRequest("Invalid form data in request body.") from error

    @staticmethod
    async def _field(events: AsyncGenerator[MultipartSegment | bytes | bytearray | None, None]) -> str:
        value = bytearray()
        async for piece in _Rest(events):
            value += piece
            if len(value) > _MOST_FIELD:
                raise BadRequest("A field of the form is too long.")
        return value.decode("utf-8", "replace")


class _Rest(AsyncIterator[bytes]):
    """What is left of one part."""

    def __init__(self, events: AsyncGenerator[MultipartSegment | bytes | bytearray | None, None]) -> None:
        self._events: AsyncGenerator[MultipartSegment | bytes | bytearray | None, None] | None = events

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._events is None:
            raise StopAsyncIteration
        event = await anext(self._events, None)
        if isinstance(event, bytes | bytearray):
            return bytes(event)
        self._events = None
        raise StopAsyncIteration
