"""Logging in with an account at X, formerly Twitter, by OAuth 1.0a."""

from __future__ import annotations

from typing import Any

from trunkline_oauth import Endpoints, Identity, OAuth1Service, OAuthConfig, Tokens
from trunkline_oauth.claims import text

_API = "https://api.twitter.com"


class TwitterLogin(OAuth1Service):
    """Verifies credentials, which says who somebody is."""

    label = "Twitter OAuth"
    description = "Lets users log in with their accounts at X, formerly Twitter."
    origin = ("oauth_provider", "twitter")
    usual = Endpoints(
        f"{_API}/oauth/authenticate",
        f"{_API}/oauth/access_token",
        f"{_API}/1.1/account/verify_credentials.json?include_email=true&skip_status=true",
        request_token=f"{_API}/oauth/request_token",
    )
    config: OAuthConfig

    async def identity(self, given: Tokens, _begun: dict[str, Any]) -> Identity:
        """Answer who it is; an address is told only if it is verified."""
        told = await self.profile(given, self.endpoints().user)
        return Identity(
            subject=text(told, "id_str") or text(told, "id") or "",
            email=text(told, "email"),
            email_is_verified=text(told, "email") is not None,
            name=text(told, "name") or text(told, "screen_name"),
        )
