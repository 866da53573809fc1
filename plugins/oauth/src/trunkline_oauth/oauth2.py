"""Logins by OAuth 2.0: the authorization code flow with PKCE (RFC 6749, 7636, 9207)."""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from trunkline.call import Call
from trunkline.errors import Unauthorized
from trunkline_oauth.config import OAuthConfig
from trunkline_oauth.provider import Endpoints, Tokens
from trunkline_oauth.service import Begun, OAuthService, required

_FORM = "application/x-www-form-urlencoded"


class CodeFlow(OAuthService):
    """The flow, wherever the provider is."""

    @abstractmethod
    async def endpoints(self) -> Endpoints:
        """Answer where the provider is."""

    async def begin(self) -> Begun:
        """Make the address of the provider's page; state, nonce and verifier are known to us alone."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        at = await self.endpoints()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        extra: dict[str, str] = dict(at.extra)
        if at.pkce:
            extra |= {"code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256"}
        if "openid" in at.scopes:
            extra["nonce"] = nonce
        url: str = prepare_grant_uri(
            at.authorize,
            client_id=self.config.client_id,
            response_type="code",
            redirect_uri=self.config.redirect_url,
            scope=" ".join(at.scopes) or None,
            state=state,
            **extra,
        )
        return Begun(url, state, {"nonce": nonce, "verifier": verifier})

    async def issuer(self) -> str | None:
        """Answer the provider's name for itself, where it is known; what comes back must not bear another."""
        return None

    async def exchange(self, call: Call, begun: dict[str, Any]) -> Tokens:
        """Exchange the code, with the verifier that was kept, for tokens."""
        said, expected = call.option("iss"), await self.issuer()
        if said is not None and expected is not None and said != expected:
            raise Unauthorized("Authentication failed. Another identity provider answered than was asked.")
        at = await self.endpoints()
        form = {"code": required(call, "code"), "redirect_uri": self.config.redirect_url}
        if at.pkce:
            form["code_verifier"] = begun["verifier"]
        return Tokens.of(await self._token(at, "authorization_code", form))

    async def renewed(self, held: Tokens) -> Tokens | None:
        """Use the refresh token."""
        if held.refresh is None:
            return None
        try:
            told = await self._token(await self.endpoints(), "refresh_token", {"refresh_token": held.refresh})
        except Unauthorized:
            return None
        return Tokens.of(told, held)

    async def _token(self, at: Endpoints, grant: str, form: Mapping[str, str]) -> dict[str, Any]:
        from authlib.oauth2.auth import ClientAuth
        from authlib.oauth2.rfc6749.parameters import prepare_token_request

        secret = self.config.client_secret.get_secret_value()
        method = at.client_auth if secret else "none"
        client = ClientAuth(self.config.client_id, secret, method)
        body = prepare_token_request(grant, **form)
        url, headers, body = client.prepare("POST", at.token, {"Content-Type": _FORM}, body)
        return await self.asked.told("POST", url, list(headers.items()), body.encode())


class OAuth2Service(CodeFlow):
    """A connector says where its provider is (``usual``) and who somebody is (``identity``)."""

    usual: ClassVar[Endpoints]
    config: OAuthConfig

    async def endpoints(self) -> Endpoints:
        """Answer where the provider is: the usual place, unless the configuration says otherwise."""
        config, usual = self.config, self.usual
        return replace(
            usual,
            authorize=config.authorize_url or usual.authorize,
            token=config.token_url or usual.token,
            user=config.user_url or usual.user,
            scopes=tuple(config.scopes.replace(",", " ").split()) if config.scopes else usual.scopes,
        )
