"""Logging in with an account at GitHub."""

from __future__ import annotations

from typing import Any

from trunkline_oauth import Endpoints, Identity, OAuth2Service, OAuthConfig, Tokens
from trunkline_oauth.claims import text


class GithubLogin(OAuth2Service):
    """Asks for the profile and, since addresses may be private, for the addresses."""

    label = "GitHub OAuth"
    description = "Lets users log in with their accounts at GitHub."
    origin = ("oauth_provider", "github")
    usual = Endpoints(
        "https://github.com/login/oauth/authorize",
        "https://github.com/login/oauth/access_token",
        "https://api.github.com/user",
        ("read:user", "user:email"),
    )
    config: OAuthConfig

    async def identity(self, given: Tokens, _begun: dict[str, Any]) -> Identity:
        """Answer who it is, with the primary address if that is verified."""
        at = await self.endpoints()
        profile = await self.asked.get(at.user, given.access)
        addresses = await self.asked.get_any(f"{at.user.rstrip('/')}/emails", given.access)
        primary = [
            one["email"]
            for one in (addresses if isinstance(addresses, list) else [])
            if isinstance(one, dict) and one.get("primary") is True and one.get("verified") is True and one.get("email")
        ]
        return Identity(
            subject=text(profile, "id") or "",
            email=primary[0] if primary else None,
            email_is_verified=bool(primary),
            name=text(profile, "name") or text(profile, "login"),
        )
