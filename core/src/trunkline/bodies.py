"""Reading request bodies: by media type, within the size allowed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from trunkline.call import Call
from trunkline.errors import BadRequest, TooLarge, TooSlow
from trunkline.query import parse_query

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Receive

    from trunkline.app import App

# Bytes a second below which a body is too slow, after a while.
_LEAST_RATE = 500


class ClientGone(BadRequest):
    """The client closed the connection before its body was complete."""


async def read(app: App, call: Call, receive: Receive) -> None:
    """Read and parse the body into ``call.raw`` and ``call.body``; raises TooLarge or BadRequest."""
    headers = call.headers
    length = headers.get("content-length")
    if (
        length in (None, "0")
        and "transfer-encoding" not in headers
        and call.method in ("GET", "HEAD", "DELETE", "OPTIONS")
    ):
        return
    call.media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if app.takes_streams(call):
        call.incoming = _received(receive, length, app.settings.max_upload, app.settings.body_timeout)
        return
    whole = bytearray()
    async for chunk in _received(receive, length, app.settings.max_body, app.settings.body_timeout):
        whole += chunk
    call.raw = bytes(whole)
    if call.raw.strip():
        call.body = await _parsed(app, call)


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
    received, waited, clock = 0, 0.0, asyncio.get_running_loop().time
    more = True
    while more:
        begun = clock()
        try:
            async with asyncio.timeout_at(begun + patience + received / _LEAST_RATE - waited):
                message = await receive()
        except TimeoutError:
            raise TooSlow("The request body took too long to come.") from None
        waited += clock() - begun
        if message["type"] == "http.disconnect":
            raise ClientGone("The request body ended early.")
        chunk = message.get("body", b"")
        received += len(chunk)
        if received > limit:
            raise TooLarge(f"The request body is larger than {limit} bytes.")
        more = message.get("more_body", False)
        if chunk:
            yield chunk


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
