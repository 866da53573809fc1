"""What the SDK's OAuth endpoints ask: clients, codes and tokens of one server."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    AuthorizeError,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    TokenError,
)
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from trunkline.errors import TrunklineError
from trunkline.threads import in_thread
from trunkline_mcp.oauth.clients import SCOPES, Clients
from trunkline_mcp.oauth.seals import Seals

if TYPE_CHECKING:
    from trunkline.db.records import User
    from trunkline_mcp.service import Mcp

REQUEST_SECONDS = 600
_CODE_SECONDS = 60
_ACCESS_SECONDS = 3600
_REFRESH_SECONDS = 7 * 24 * 3600
_REQUEST, _CODE = "request", "code"
_USED = "mcp:used:"


class Code(AuthorizationCode):
    """A code, the user who gave it, and the family of all tokens that will come from it."""

    user_id: int
    family: str


class Refresh(RefreshToken):
    """A refresh token, and its family."""

    user_id: int
    family: str


class Access(AccessToken):
    """An access token, and its family."""

    family: str


class Provider(OAuthAuthorizationServerProvider[Code, Refresh, Access]):
    """Judges and issues; ``base`` is the address under which the client has reached the server."""

    def __init__(self, server: Mcp, base: str) -> None:
        """Serve one request."""
        self._app = server.app
        self._server = server
        self.resource = f"{base}/mcp/{server.name}"
        self._seals = Seals(server.app.vault, server.record.id)
        self._clients = Clients(server, self._seals)

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        """Find a client."""
        return self._clients.find(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        """Take a client in, under an id that the handler did not think of."""
        self._clients.register(client_info)

    async def authorize(self, client: OAuthClientInformationFull, params: AuthorizationParams) -> str:
        """Answer the page on which the user decides."""
        if params.resource is not None and params.resource.rstrip("/") not in (self.resource, self._server.endpoint):
            raise AuthorizeError("invalid_target", "The resource is not this server.")
        request = {"client_id": client.client_id, "params": params.model_dump(mode="json")}
        sealed = self._seals.seal(_REQUEST, request, REQUEST_SECONDS)
        return f"{self.resource}/login?{urlencode({'request': sealed})}"

    def request(self, sealed: str) -> tuple[OAuthClientInformationFull, AuthorizationParams] | None:
        """Answer a request that waits for its user; None for one that has ended or was never made."""
        found = self._seals.open(_REQUEST, sealed)
        client = self._clients.find(found["client_id"]) if found is not None else None
        return (client, AuthorizationParams.model_validate(found["params"])) if client is not None else None

    def code(self, client: OAuthClientInformationFull, params: AuthorizationParams, user: User) -> str:
        """Make the code with which a client gets its tokens."""
        code = {
            "client_id": client.client_id,
            "scopes": params.scopes or SCOPES,
            "code_challenge": params.code_challenge,
            "redirect_uri": str(params.redirect_uri),
            "redirect_uri_provided_explicitly": params.redirect_uri_provided_explicitly,
            "expires_at": time.time() + _CODE_SECONDS,
            "user_id": user.id,
            "family": secrets.token_hex(16),
        }
        return self._seals.seal(_CODE, code, _CODE_SECONDS)

    async def load_authorization_code(self, client: OAuthClientInformationFull, authorization_code: str) -> Code | None:
        """Read a code, if it was given to this client."""
        found = self._seals.open(_CODE, authorization_code)
        if found is None or found["client_id"] != client.client_id:
            return None
        return Code(code=authorization_code, **found)

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: Code
    ) -> OAuthToken:
        """Answer tokens for a code, once: a second time ends what the first has brought (RFC 6749 10.5)."""
        family = authorization_code.family
        await self._use(authorization_code.code, family, _CODE_SECONDS)
        return await self._tokens(client, authorization_code.user_id, family, authorization_code.scopes)

    async def load_refresh_token(self, client: OAuthClientInformationFull, refresh_token: str) -> Refresh | None:
        """Read a refresh token of this client; None for one that is not good (any more)."""
        audience = self._refresh_audience(client)
        try:
            session, user = await self._app.sessions.verify(refresh_token, audience)
        except TrunklineError:
            return None
        family = session.jti.partition(".")[0]
        if session.audience != audience or await self._app.sessions.is_revoked(family):
            return None
        return Refresh(
            token=refresh_token, client_id=client.client_id or "", scopes=SCOPES, expires_at=session.expires,
            user_id=user.id, family=family,
        )  # fmt: skip

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: Refresh, scopes: list[str]
    ) -> OAuthToken:
        """Answer new tokens for a refresh token, once: whoever uses one again has stolen it, or was stolen from."""
        await self._use(refresh_token.token, refresh_token.family, _REFRESH_SECONDS)
        return await self._tokens(client, refresh_token.user_id, refresh_token.family, scopes)

    async def load_access_token(self, token: str) -> Access | None:
        """Read an access token of this server."""
        try:
            session, user = await self._app.sessions.verify(token, self._server.audience)
        except TrunklineError:
            return None
        if session.audience is None:
            return None
        return Access(
            token=token, client_id="", scopes=SCOPES, expires_at=session.expires, subject=str(user.id),
            family=session.jti,
        )  # fmt: skip

    async def revoke_token(self, token: Access | Refresh) -> None:
        """End a token and all others of its family."""
        await self._app.sessions.revoke_id(token.family, _REFRESH_SECONDS)

    async def _use(self, once: str, family: str, seconds: int) -> None:
        """Note that something was used; raises TokenError, and ends its family, when it was before."""
        key = _USED + hashlib.sha256(once.encode()).hexdigest()
        if not await in_thread(self._app.cache.add, key, 1, seconds):
            await self._app.sessions.revoke_id(family, _REFRESH_SECONDS)
            raise TokenError("invalid_grant", "It was used before.")

    async def _tokens(
        self, client: OAuthClientInformationFull, user_id: int, family: str, scopes: list[str]
    ) -> OAuthToken:
        user = await self._app.directory.user(user_id)
        if user is None or not user.is_active:
            raise TokenError("invalid_grant", "The user may not log in.")
        issue = self._app.sessions.issue
        access = issue(user, audience=self._server.audience, token_id=family, seconds=_ACCESS_SECONDS)
        refresh = None
        if "refresh_token" in client.grant_types:
            token_id = f"{family}.{secrets.token_hex(16)}"
            audience = self._refresh_audience(client)
            refresh = issue(user, audience=audience, token_id=token_id, seconds=_REFRESH_SECONDS)
        return OAuthToken(
            access_token=access, expires_in=_ACCESS_SECONDS, scope=" ".join(scopes), refresh_token=refresh
        )

    def _refresh_audience(self, client: OAuthClientInformationFull) -> str:
        digest = hashlib.sha256((client.client_id or "").encode()).hexdigest()[:32]
        return f"{self._server.audience}#refresh:{digest}"
