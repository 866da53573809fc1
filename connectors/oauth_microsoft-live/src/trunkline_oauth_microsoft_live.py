"""Logging in with a personal Microsoft account, by the identity platform, since Live Connect is gone."""

from __future__ import annotations

from typing import Any

from trunkline_oauth import Endpoints, Identity, OAuth2Service, OAuthConfig, Tokens
from trunkline_oauth.claims import text

_LOGIN = "https://login.microsoftonline.com/consumers/oauth2/v2.0"


class MicrosoftLiveLogin(OAuth2Service):
    """Asks Microsoft Graph; only personal accounts get in, whose addresses Microsoft verifies."""

    label = "Microsoft Live OAuth"
    description = "Lets users log in with their personal Microsoft accounts."
    origin = ("oauth_provider", "microsoft-live")
    usual = Endpoints(
        f"{_LOGIN}/authorize",
        f"{_LOGIN}/token",
        "https://graph.microsoft.com/v1.0/me",
        ("openid", "profile", "email", "offline_access", "User.Read"),
    )
    config: OAuthConfig

    async def identity(self, given: Tokens, _begun: dict[str, Any]) -> Identity:
        """Answer who it is."""
        told = await self.asked.get((await self.endpoints()).user, given.access)
        return Identity(
            subject=text(told, "id") or "",
            email=text(told, "mail") or text(told, "userPrincipalName"),
            email_is_verified=True,
            name=text(told, "displayName"),
            first_name=text(told, "givenName"),
            last_name=text(told, "surname"),
        )
