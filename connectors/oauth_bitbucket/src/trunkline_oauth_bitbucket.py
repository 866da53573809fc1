"""Logging in with an account at Bitbucket, by OAuth 2.0, since its OAuth 1.0a is gone."""

from __future__ import annotations

from typing import Any

from trunkline_oauth import Endpoints, Identity, OAuth2Service, OAuthConfig, Tokens
from trunkline_oauth.claims import text


class BitbucketLogin(OAuth2Service):
    """Asks for the profile and for the address that is primary and confirmed."""

    label = "Bitbucket OAuth"
    description = "Lets users log in with their accounts at Bitbucket."
    origin = ("oauth_provider", "bitbucket")
    usual = Endpoints(
        "https://bitbucket.org/site/oauth2/authorize",
        "https://bitbucket.org/site/oauth2/access_token",
        "https://api.bitbucket.org/2.0/user",
        ("account", "email"),
        pkce=False,
        client_auth="client_secret_basic",
    )
    config: OAuthConfig

    async def identity(self, given: Tokens, _begun: dict[str, Any]) -> Identity:
        """Answer who it is; users may change their names, so the UUID it is that counts."""
        at = await self.endpoints()
        profile = await self.asked.get(at.user, given.access)
        told = await self.asked.get_any(f"{at.user.rstrip('/')}/emails", given.access)
        values = told.get("values") if isinstance(told, dict) else None
        primary = [
            one["email"]
            for one in (values if isinstance(values, list) else [])
            if isinstance(one, dict) and one.get("is_primary") is True and one.get("is_confirmed") is True
            if isinstance(one.get("email"), str)
        ]
        return Identity(
            subject=text(profile, "uuid") or "",
            email=primary[0] if primary else None,
            email_is_verified=bool(primary),
            name=text(profile, "display_name") or text(profile, "nickname"),
        )
