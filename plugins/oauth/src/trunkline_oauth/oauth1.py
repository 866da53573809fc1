"""Logins by OAuth 1.0a (RFC 5849): request token, page, access token, every request signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from trunkline.call import Call
from trunkline.errors import BadGateway
from trunkline_oauth.config import OAuthConfig
from trunkline_oauth.provider import Endpoints, Tokens
from trunkline_oauth.service import Begun, OAuthService, required


class OAuth1Service(OAuthService):
    """A connector says where its provider is (``usual``) and who somebody is (``identity``)."""

    usual: ClassVar[Endpoints]
    config: OAuthConfig
    answers_to = "oauth_token"

    def endpoints(self) -> Endpoints:
        """Answer where the provider is; the configuration's token URL is the folder of the three endpoints."""
        config, usual = self.config, self.usual
        if config.token_url is None:
            return usual
        base = config.token_url.rstrip("/")
        return Endpoints(
            config.authorize_url or f"{base}/authenticate",
            f"{base}/access_token",
            config.user_url or usual.user,
            request_token=f"{base}/request_token",
        )

    async def begin(self) -> Begun:
        """Ask for a request token, which goes with the browser; its secret stays here."""
        at = self.endpoints()
        told = await self._signed("POST", at.request_token, callback=self.config.redirect_url)
        token, secret = _pair(told)
        if told.get("oauth_callback_confirmed") != "true":
            raise BadGateway("The identity provider did not answer as it should.")
        join = "&" if "?" in at.authorize else "?"
        return Begun(f"{at.authorize}{join}oauth_token={quote(token, safe='')}", token, {"secret": secret})

    async def exchange(self, call: Call, begun: dict[str, Any]) -> Tokens:
        """Exchange the request token and the verifier for an access token."""
        token, verifier = required(call, "oauth_token"), required(call, "oauth_verifier")
        told = await self._signed(
            "POST", self.endpoints().token, token=token, secret=begun["secret"], verifier=verifier
        )
        access, secret = _pair(told)
        return Tokens(access, secret=secret, extra={key: value for key, value in told.items() if "token" not in key})

    async def profile(self, given: Tokens, url: str) -> dict[str, Any]:
        """Ask who somebody is."""
        return await self._signed("GET", url, token=given.access, secret=given.secret)

    async def _signed(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        secret: str | None = None,
        callback: str | None = None,
        verifier: str | None = None,
    ) -> dict[str, Any]:
        from authlib.oauth1 import ClientAuth

        client = ClientAuth(
            self.config.client_id,
            client_secret=self.config.client_secret.get_secret_value(),
            token=token,
            token_secret=secret,
            redirect_uri=callback,
            verifier=verifier,
        )
        url, headers, _body = client.prepare(method, url, {}, "")
        sent = [(str(name), str(value)) for name, value in headers.items()]
        return await self.asked.told(method, url, sent, b"" if method == "POST" else None)


def _pair(told: Mapping[str, Any]) -> tuple[str, str]:
    token, secret = told.get("oauth_token"), told.get("oauth_token_secret")
    if not isinstance(token, str) or not isinstance(secret, str) or not token:
        raise BadGateway("The identity provider gave no token.")
    return token, secret
