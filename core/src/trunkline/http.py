"""The ASGI edge: an HTTP request becomes a Call, a Reply becomes bytes."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from trunkline import bodies, render
from trunkline.call import VERBS, Call, Records, Reply
from trunkline.departure import Departure
from trunkline.errors import BadRequest, MethodNotAllowed, NotAcceptable, TrunklineError
from trunkline.pipeline import answer, describe, failed
from trunkline.query import parse_query

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from trunkline.app import App

log = logging.getLogger(__name__)
_VERSION = re.compile(r"v[0-9.]+")
_SERVICE = re.compile(r"[a-z0-9_.\-]+")
# What the log says where no reply went out.
CLIENT_GONE = 499
# Key of the ASGI scope under which the call is found.
CALL = "trunkline.call"
_OVERRIDES = ("x-http-method", "x-method-override", "x-http-method-override")


class Edge:
    """Serves ``/api`` itself and hands everything else to ``inner``."""

    def __init__(self, app: App, inner: ASGIApp) -> None:
        """Stand in front of the other routes."""
        self._app = app
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path.startswith("/api/") or path == "/api"):
            await self._inner(scope, receive, send)
            return
        started = time.perf_counter()
        call = Call(scope["method"], "", request_id=secrets.token_hex(8), over_http=True)
        # For middleware round this application: once it returns, the call says who asked for what.
        scope[CALL] = call
        departure: Departure | None = None
        incoming: bodies.Incoming | None = None
        try:
            _head(call, scope, self._app.settings.max_url)
            if scope["method"] == "OPTIONS":
                reply = Reply(None, 204, {"Allow": ", ".join((*VERBS, "HEAD", "OPTIONS"))})
            else:
                if bodies.has_body(call):
                    incoming = bodies.Incoming(receive)
                    await bodies.read(self._app, call, incoming.receive)
                if call.method in ("GET", "HEAD"):
                    # What a write has begun is brought to its end, whoever waits for it.
                    departure = Departure(receive)
                reply = await self._answer(call)
        except asyncio.CancelledError:
            if departure is None or not departure.noticed:
                raise
            reply = Reply(None, CLIENT_GONE)
        except Exception as error:
            reply = failed(call, error)
        try:
            if reply.status != CLIENT_GONE:
                await _send(
                    self._app, call, reply, _before_the_end(send, incoming), departure, head=scope["method"] == "HEAD"
                )
        except asyncio.CancelledError:
            if departure is None or not departure.noticed:
                raise
            reply.status = CLIENT_GONE
        finally:
            if departure is not None:
                departure.forget()
        if log.isEnabledFor(logging.INFO):
            self._log(call, reply, started)

    async def _answer(self, call: Call) -> Reply:
        app = self._app
        if call.method == "HEAD":
            # D4: HEAD is GET without a body and needs GET's right.
            call.method = "GET"
        if call.method not in VERBS:
            raise MethodNotAllowed(f"Method {call.method[:20]} is not allowed.")
        if call.method != "GET":
            # A write whose result cannot be told is not begun; a read may still answer a type of its own.
            await self._check_accept(call)
        if not call.service:
            return await app.front_page(call)
        return await answer(app, call)

    async def _check_accept(self, call: Call) -> None:
        """Raise NotAcceptable unless there is a format to answer in, or the handler answers in a type of its own."""
        accept = render.accept_of(self._app, call)
        try:
            self._app.formats.choose(accept)
        except NotAcceptable:
            await self._app.directory.fresh()
            kind = self._app.kind_of(call)
            if kind is None or not any(one in accept for one in kind.own_media_types.get(call.component, ())):
                raise

    def _log(self, call: Call, reply: Reply, started: float) -> None:
        log.info(
            "request",
            extra={
                "request_id": call.request_id,
                "call": describe(call),
                "status": reply.status,
                "ms": round((time.perf_counter() - started) * 1000, 2),
                "app_id": call.caller.app.id if call.caller.app else None,
                "user_id": call.caller.user.id if call.caller.user else None,
                "client": call.client,
            },
        )


def _head(call: Call, scope: Scope, max_url: int) -> None:
    """Fill in what stands before the body: path, query, headers and the verb in effect."""
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    if len(raw_path) + len(query) > max_url:
        raise BadRequest("The URL is too long.")
    # By hand, since headers are read once a request and building starlette's object costs as much as all reads.
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    call.headers = headers
    _path(call, raw_path.partition(b"?")[0])
    if query:
        call.query = query
        call.params = parse_query(query)
    if (client := scope.get("client")) is not None:
        call.client = client[0]
    call.base_url = f"{scope.get('scheme', 'http')}://{headers.get('host', 'localhost')}"
    if call.method == "POST":
        _override(call)


def _path(call: Call, raw: bytes) -> None:
    segments = split_path(raw)[1:]
    call.trailing_slash = bool(segments) and raw.endswith(b"/")
    if segments and _VERSION.fullmatch(segments[0]):
        call.version = segments.pop(0)[1:]
    if segments:
        call.service = segments[0].lower()
        if not _SERVICE.fullmatch(call.service):
            raise BadRequest("The path has a service name with characters that are not allowed.")
        call.path = tuple(segments[1:])


def split_path(raw: bytes) -> list[str]:
    """Split before decoding, so that an encoded slash stays inside its segment; raises BadRequest for dot segments."""
    segments = [_decoded(piece) if b"%" in piece else piece.decode("latin-1") for piece in raw.split(b"/") if piece]
    if any(one in (".", "..") or "\0" in one for one in segments):
        raise BadRequest("The path has a segment that is not allowed.")
    return segments


def _decoded(piece: bytes) -> str:
    try:
        return unquote_to_bytes(piece).decode()
    except UnicodeDecodeError:
        raise BadRequest("The path is not valid UTF-8.") from None


def _override(call: Call) -> None:
    """Let a POST become another verb (system-api 1.2); MERGE is PATCH."""
    for name in _OVERRIDES:
        if verb := call.headers.get(name):
            break
    else:
        verb = call.params.get("method") or call.params.get("_method") or ""
    if verb:
        verb = str(verb).strip().upper()
        call.method = "PATCH" if verb == "MERGE" else verb


def _before_the_end(send: Send, incoming: bodies.Incoming | None) -> Send:
    """Let a reply that comes before its request was read out completely, before the server is told that it ends."""
    if incoming is None or incoming.is_over:
        return send

    async def sending(message: Message) -> None:
        if message["type"] != "http.response.body" or message.get("more_body"):
            await send(message)
            return
        await send({**message, "more_body": True})
        async with incoming.discarded():
            await send({"type": "http.response.body", "body": b""})

    return sending


async def _send(app: App, call: Call, reply: Reply, send: Send, departure: Departure | None, *, head: bool) -> None:
    try:
        body, headers = render.rendered(app, call, reply)
    except TrunklineError as error:
        reply = failed(call, error)
        body, headers = render.rendered(app, call, reply)
    headers["x-request-id"] = call.request_id
    if isinstance(body, bytes) and reply.status != 204:
        headers["content-length"] = str(len(body))
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    if isinstance(body, bytes):
        await send({"type": "http.response.body", "body": b"" if head else body})
        return
    if departure is not None:
        departure.look()
    try:
        if not head:
            async for chunk in body:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        # However it ended, what the content comes from is let go at once.
        if isinstance(body, AsyncGenerator):
            await body.aclose()
        if isinstance(reply.content, Records):
            await reply.content.batches.aclose()
