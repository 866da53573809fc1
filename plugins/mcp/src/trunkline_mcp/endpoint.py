"""``/mcp/{service}``: streamable HTTP (connectors 12.3). Who asks is found out as for every call of the API."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.responses import Response

from trunkline import bodies, json
from trunkline.call import Call, Caller
from trunkline.errors import BadRequest, TooLarge, TrunklineError
from trunkline.identify import identify, role_of
from trunkline.pipeline import failed
from trunkline_mcp.exchange import Exchange
from trunkline_mcp.guards import Guards, headers_for
from trunkline_mcp.server import server_for
from trunkline_mcp.service import Mcp, server_of
from trunkline_mcp.session_ids import SessionIds

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from trunkline.app import App

_SESSION = "mcp-session-id"
_UNAUTHORIZED, _NOT_FOUND, _INVALID, _PARSE, _FAILED = -32001, -32004, -32600, -32700, -32000
_METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS")
# The SDK tells of each server that starts, which here is each request.
logging.getLogger("mcp.server").setLevel(logging.WARNING)


class Refused(Exception):
    """A request that does not get as far as the protocol: status, code of JSON-RPC, and words."""

    def __init__(self, status: int, code: int, words: str, **headers: str) -> None:
        """Say what to answer; names of headers have underscores."""
        super().__init__(words)
        body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": words}}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.response = Response(json.dumps(body), status, named, "application/json")


class Endpoint:
    """Serves all servers of an application; nothing of a client is kept between its requests."""

    def __init__(self, app: App) -> None:
        """Stand behind the route."""
        self._app = app
        self._guards = Guards(app)
        self._ids = SessionIds(app.vault.signing_key())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        added: list[tuple[bytes, bytes]] = [(b"x-request-id", secrets.token_hex(8).encode())]
        call = self._call(scope, headers)
        try:
            # First of all, as clients read what they are told only when they have sent everything.
            if bodies.has_body(call):
                await bodies.read(self._app, call, receive)
            answer = await self._answer(scope, call, added)
        except Refused as error:
            answer = error.response
        except (BadRequest, TooLarge) as error:
            answer = Refused(error.status, _PARSE, error.message).response
        except TrunklineError as error:
            answer = Refused(error.status, _FAILED, failed(call, error).content["error"]["message"]).response
        await answer(scope, _replayed(call.raw, receive), _marking(send, added))

    def _call(self, scope: Scope, headers: Mapping[str, str]) -> Call:
        name = str(scope["path_params"]["service"]).lower()
        base = f"{scope.get('scheme', 'http')}://{headers.get('host', 'localhost')}"
        client = scope.get("client")
        # Nothing from the query: a credential there would stand in logs.
        return Call(
            scope["method"], name, headers=headers, client=client[0] if client else None, base_url=base,
            request_id=secrets.token_hex(8),
        )  # fmt: skip

    async def _answer(self, scope: Scope, call: Call, added: list[tuple[bytes, bytes]]) -> ASGIApp:
        headers = call.headers
        await self._app.directory.fresh()
        if not await self._guards.host_is_known(headers):
            raise Refused(421, _INVALID, "This server is not known by that Host. Set APP_URL to its external address.")
        if not await self._guards.origin_is_known(headers, scope["path"]):
            raise Refused(403, _INVALID, "Pages of that Origin may not use this server; a CORS rule can allow it.")
        if (origin := headers.get("origin")) is not None:
            added += headers_for(origin)
        if call.method == "OPTIONS":
            return _preflight(headers)
        if call.method not in _METHODS:
            raise Refused(405, _FAILED, "Method not allowed.", Allow="POST, DELETE")
        exchange = await self._exchange(call)
        await self._check_session(exchange)
        if call.method in ("GET", "HEAD"):
            if "text/event-stream" not in headers.get("accept", "") and "*/*" not in headers.get("accept", ""):
                raise Refused(
                    406, _FAILED, "Not Acceptable: there is nothing here but event streams, and these are off."
                )
            raise Refused(405, _FAILED, "Method not allowed: this server sends nothing unasked.", Allow="POST, DELETE")
        if call.method == "DELETE":
            if (session_id := headers.get(_SESSION)) is not None:
                await self._ids.end(session_id, exchange)
            return Response(status_code=204)
        if isinstance(call.body, dict) and call.body.get("method") == "initialize":
            added.append((_SESSION.encode(), self._ids.make(exchange).encode()))
        elif (session_id := headers.get(_SESSION)) is not None:
            added.append((_SESSION.encode(), session_id.encode("latin-1")))
        return _protocol(exchange)

    async def _exchange(self, call: Call) -> Exchange:
        """Find out who asks which server; raises Refused, for strangers before anything is said of the server."""
        server = server_of(self._app, call.service)
        caller = await identify(self._app, call, server.audience if server is not None else None)
        if caller.problem is not None:
            raise self._unauthorized(call, caller.problem.message)
        if caller.user is None and (caller.app is None or caller.role is None):
            raise self._unauthorized(call, "Bearer token required")
        if server is None:
            raise Refused(404, _NOT_FOUND, "There is no such server.")
        if caller.user is None and not server.config.allow_api_key_auth:
            raise self._unauthorized(call, "this server wants a session; an API key alone is not enough.")
        caller = self._with_app(caller, server)
        if server.config.require_role_access and not caller.any_access(server.record):
            raise Refused(403, _INVALID, f"Access Forbidden. Your role grants nothing on service '{server.name}'.")
        return Exchange(self._app, server, caller, call.client, call.base_url, call.headers)

    def _with_app(self, caller: Caller, server: Mcp) -> Caller:
        """Give a session without an API key the role that it has in the server's own application, or anywhere."""
        if caller.user is None or caller.app is not None:
            return caller
        snapshot = self._app.directory.snapshot
        if server.config.app_id is None:
            assigned = next(iter(caller.user.assignments.values()), None)
            return replace(caller, role=snapshot.roles.get(assigned)) if assigned is not None else caller
        record = snapshot.apps_by_id.get(server.config.app_id)
        if record is None or not record.is_active:
            return caller
        return replace(caller, app=record, role=role_of(snapshot, caller.user, record))

    def _unauthorized(self, call: Call, words: str) -> Refused:
        """Say where tokens are to be had (RFC 9728), whether there is such a server or not."""
        base = self._guards.base(call.headers, call.base_url.partition(":")[0])
        place = f"{base}/.well-known/oauth-protected-resource/mcp/{call.service}"
        challenge = 'Bearer realm="MCP"' + (f', resource_metadata="{place}"' if base is not None else "")
        return Refused(401, _UNAUTHORIZED, f"Unauthorized: {words}", WWW_Authenticate=challenge)

    async def _check_session(self, exchange: Exchange) -> None:
        session_id = exchange.headers.get(_SESSION)
        if session_id is not None and not await self._ids.is_good(session_id, exchange):
            raise Refused(404, _NOT_FOUND, "Session not found. Initialize a new one.")


def _protocol(exchange: Exchange) -> ASGIApp:
    """Let the SDK speak: without a session of its own, in plain JSON."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        manager = StreamableHTTPSessionManager(server_for(exchange), json_response=True, stateless=True)
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    return answer


def _preflight(headers: Mapping[str, str]) -> Response:
    asked = headers.get("access-control-request-headers", "")
    return Response(
        status_code=204,
        headers={
            "Allow": "POST, DELETE, OPTIONS",
            "Access-Control-Allow-Methods": "POST, DELETE, OPTIONS",
            **({"Access-Control-Allow-Headers": asked} if asked and "\n" not in asked else {}),
        },
    )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Hand out a body that was read already, and then what comes after it."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _marking(send: Send, added: list[tuple[bytes, bytes]]) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            names: set[Any] = {name for name, _ in added}
            kept = [one for one in message.get("headers", []) if one[0] not in names]
            message = {**message, "headers": [*kept, *added]}
        await send(message)

    return marked
