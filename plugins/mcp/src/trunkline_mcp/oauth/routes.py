"""Where the OAuth endpoints are: below ``/mcp/{service}``, and what describes them below ``/.well-known`` too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from mcp.server.auth.handlers.authorize import AuthorizationHandler
from mcp.server.auth.handlers.metadata import MetadataHandler, ProtectedResourceMetadataHandler
from mcp.server.auth.handlers.register import RegistrationHandler
from mcp.server.auth.handlers.token import TokenHandler
from mcp.server.auth.middleware.client_auth import AuthenticationError, ClientAuthenticator
from mcp.server.auth.routes import build_metadata
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions
from mcp.server.transport_security import DEFAULT_MAX_REQUEST_BODY_SIZE, RequestBodyLimitMiddleware
from mcp.shared.auth import OAuthMetadata, ProtectedResourceMetadata
from pydantic import AnyHttpUrl
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import request_response

from trunkline.errors import NotFound
from trunkline_mcp.guards import Guards
from trunkline_mcp.oauth.clients import SCOPES
from trunkline_mcp.oauth.page import LoginPage
from trunkline_mcp.oauth.provider import Provider
from trunkline_mcp.service import server_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from trunkline.app import App
    from trunkline_mcp.service import Mcp

    Handle = Callable[[Request], Awaitable[Response]]

_REGISTRATION = ClientRegistrationOptions(enabled=True, valid_scopes=SCOPES, default_scopes=SCOPES)
_REVOCATION = RevocationOptions(enabled=True)
# The user's own browser goes there by itself; pages of others have no business with it.
_PAGES = ("authorize", "login")
_METHODS = {"authorize": ("GET", "POST"), "login": ("GET", "POST")}
_AUTHENTICATION = ["none", "client_secret_post", "client_secret_basic"]


class OAuth:
    """Serves the endpoints of all servers of an application."""

    def __init__(self, app: App) -> None:
        """Stand behind the routes."""
        self._app = app
        self._guards = Guards(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; raises NotFound where there is no such server, or none that OAuth is safe with."""
        request = Request(scope)
        await self._app.directory.fresh()
        if not await self._guards.host_is_known(request.headers):
            await PlainTextResponse("This server is not known by that Host.", 421)(scope, receive, send)
            return
        server = server_of(self._app, scope["path_params"]["service"])
        base = self._guards.base(request.headers, scope.get("scheme", "http"))
        if server is None or base is None:
            raise NotFound("There is nothing here.")
        place = scope["path_params"]["place"].removeprefix(".well-known/")
        handle = _handlers(server, base).get(place)
        if handle is None:
            raise NotFound("There is nothing here.")
        methods = _METHODS.get(place) or (("GET",) if place.startswith("oauth-") else ("POST",))
        if request.method not in methods and request.method not in ("HEAD", "OPTIONS"):
            allow = {"Allow": ", ".join(methods)}
            await PlainTextResponse("Method not allowed.", 405, allow)(scope, receive, send)
            return
        answer: ASGIApp = RequestBodyLimitMiddleware(request_response(handle), DEFAULT_MAX_REQUEST_BODY_SIZE)
        if place not in _PAGES:
            answer = CORSMiddleware(answer, "*", [*methods, "OPTIONS"], ["*"])
        await answer(scope, receive, send)


class Revocation:
    """Ends tokens (RFC 7009). The SDK's own wants a secret even of clients that have none."""

    def __init__(self, provider: Provider, authenticator: ClientAuthenticator) -> None:
        """Serve one request."""
        self._provider = provider
        self._authenticator = authenticator

    async def handle(self, request: Request) -> Response:
        """Answer 200 whether the token was good or not; 401 for a client that is not who it says."""
        try:
            client = await self._authenticator.authenticate_request(request)
        except AuthenticationError as error:
            return JSONResponse({"error": "invalid_client", "error_description": error.message}, 401)
        text = str((await request.form()).get("token", ""))
        token = await self._provider.load_access_token(text) or await self._provider.load_refresh_token(client, text)
        if token is not None:
            await self._provider.revoke_token(token)
        return Response(headers={"Cache-Control": "no-store"})


def _handlers(server: Mcp, base: str) -> dict[str, Handle]:
    provider = Provider(server, base)
    issuer = AnyHttpUrl(provider.resource)
    authenticator = ClientAuthenticator(provider)
    return {
        "oauth-protected-resource": ProtectedResourceMetadataHandler(_resource(server, issuer)).handle,
        "oauth-authorization-server": MetadataHandler(_metadata(issuer)).handle,
        "register": RegistrationHandler(provider, _REGISTRATION).handle,
        "authorize": AuthorizationHandler(provider).handle,
        "login": LoginPage(server, provider).handle,
        "token": TokenHandler(provider, authenticator).handle,
        "revoke": Revocation(provider, authenticator).handle,
    }


def _resource(server: Mcp, issuer: AnyHttpUrl) -> ProtectedResourceMetadata:
    return ProtectedResourceMetadata(
        resource=issuer, authorization_servers=[issuer], scopes_supported=SCOPES, resource_name=server.record.label
    )


def _metadata(issuer: AnyHttpUrl) -> OAuthMetadata:
    metadata = build_metadata(issuer, None, _REGISTRATION, _REVOCATION)
    metadata.token_endpoint_auth_methods_supported = _AUTHENTICATION
    metadata.revocation_endpoint_auth_methods_supported = _AUTHENTICATION
    metadata.authorization_response_iss_parameter_supported = True
    return metadata
