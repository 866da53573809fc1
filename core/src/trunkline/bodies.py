"""Reading request bodies: by media type, within the size allowed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.datastructures import Headers
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from trunkline.call import Call
from trunkline.errors import BadRequest, TooLarge, TooSlow
from trunkline.query import parse_query

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

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
    limit = app.settings.max_body
    if length is not None and length.isdigit() and int(length) > limit:
        raise TooLarge(f"The request body is larger than {limit} bytes.")
    call.raw = await _received(receive, limit, app.settings.body_timeout)
    call.media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if call.raw.strip():
        call.body = await _parsed(app, call)


async def _received(receive: Receive, limit: int, patience: float) -> bytes:
    """Read the body; whoever sends it too slowly holds a connection for nothing (checklist 31)."""
    data = bytearray()
    latest = asyncio.get_running_loop().time() + patience
    try:
        async with asyncio.timeout_at(latest) as allowed:
            async for chunk in _chunks(receive):
                data += chunk
                if len(data) > limit:
                    raise TooLarge(f"The request body is larger than {limit} bytes.")
                allowed.reschedule(latest + len(data) / _LEAST_RATE)
    except TimeoutError:
        raise TooSlow("The request body took too long to come.") from None
    return bytes(data)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("The request body ended early.")
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _parsed(app: App, call: Call) -> Any:
    if call.media_type == "application/x-www-form-urlencoded":
        return await _form(FormParser(Headers(call.headers), _once(call.raw)))
    if call.media_type == "multipart/form-data":
        # Files stay in ``call.raw`` for services that take uploads; here only the fields count.
        return await _form(MultiPartParser(Headers(call.headers), _once(call.raw)))
    return app.formats.parse(call.media_type, call.raw)


async def _once(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data


async def _form(parser: FormParser | MultiPartParser) -> dict[str, Any]:
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError) as error:
        raise BadRequest("Invalid form data in request body.") from error
    # The same rules as in a query: ``name[key]`` nests, the last of equal names wins.
    return parse_query(urlencode([(name, one) for name, one in form.multi_items() if isinstance(one, str)]).encode())
