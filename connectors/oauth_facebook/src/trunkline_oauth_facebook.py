"""Logging in with an account at Facebook."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from urllib.parse import urlencode

from trunkline_oauth import Endpoints, Identity, OAuth2Service, OAuthConfig, Tokens
from trunkline_oauth.claims import text

_GRAPH = "https://graph.facebook.com/v23.0"


class FacebookLogin(OAuth2Service):
    """Asks the Graph API, with a proof that it is the application that asks."""

    label = "Facebook OAuth"
    description = "Lets users log in with their accounts at Facebook."
    origin = ("oauth_provider", "facebook")
    usual = Endpoints(
        "https://www.facebook.com/v23.0/dialog/oauth",
        f"{_GRAPH}/oauth/access_token",
        f"{_GRAPH}/me",
        ("public_profile", "email"),
        pkce=False,
    )
    config: OAuthConfig

    async def identity(self, given: Tokens, _begun: dict[str, Any]) -> Identity:
        """Answer who it is; Facebook does not say that an address is verified."""
        secret = self.config.client_secret.get_secret_value().encode()
        proof = hmac.new(secret, given.access.encode(), hashlib.sha256).hexdigest()
        query = urlencode({"fields": "id,name,first_name,last_name,email", "appsecret_proof": proof})
        told = await self.asked.get(f"{(await self.endpoints()).user}?{query}", given.access)
        return Identity(
            subject=text(told, "id") or "",
            email=text(told, "email"),
            name=text(told, "name"),
            first_name=text(told, "first_name"),
            last_name=text(told, "last_name"),
        )
