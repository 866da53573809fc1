"""Logging in with an account at LinkedIn, by its OpenID Connect, since the older API is gone."""

from __future__ import annotations

from typing import Any

from trunkline_oauth import Endpoints, Identity, OAuth2Service, OAuthConfig, Tokens
from trunkline_oauth.claims import identity_of


class LinkedinLogin(OAuth2Service):
    """Asks the userinfo endpoint."""

    label = "LinkedIn OAuth"
    description = "Lets users log in with their accounts at LinkedIn."
    origin = ("oauth_provider", "linkedin")
    # LinkedIn refuses a verifier in its usual flow.
    usual = Endpoints(
        "https://www.linkedin.com/oauth/v2/authorization",
        "https://www.linkedin.com/oauth/v2/accessToken",
        "https://api.linkedin.com/v2/userinfo",
        ("openid", "profile", "email"),
        pkce=False,
    )
    config: OAuthConfig

    async def identity(self, given: Tokens, _begun: dict[str, Any]) -> Identity:
        """Answer who it is."""
        return identity_of(await self.asked.get((await self.endpoints()).user, given.access))
