"""Logging in with an account of Microsoft Entra ID, formerly Azure Active Directory."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline.config import MULTILINE
from trunkline_oauth import Endpoints, Identity, OAuth2Service, OAuthConfig, Tokens
from trunkline_oauth.claims import text

_TENANT = re.compile(r"[A-Za-z0-9.-]{1,128}")
# Not one directory, but many, in which anybody may be anybody.
_SHARED = frozenset({"common", "organizations", "consumers"})


class AzureAdConfig(OAuthConfig):
    """Who we are to which directory (connectors 13.1)."""

    client_secret: Annotated[Secret, MULTILINE] = Field(
        default=Secret(""), title="Client Secret", description="Secret of this application; public clients have none."
    )
    tenant_id: str = Field(
        default="common", title="Tenant ID", description="Id or domain of the directory, or `common` for all."
    )
    resource: str | None = Field(
        default="https://graph.microsoft.com/", title="Resource", description="Kept, without effect: the scopes say it."
    )

    form: ClassVar[tuple[str, ...]] = (
        *("default_role", "client_id", "client_secret", "redirect_url", "icon_class", "tenant_id", "resource"),
        "app_role_map",
    )

    @field_validator("tenant_id")
    @classmethod
    def _is_one(cls, tenant: str) -> str:
        if not _TENANT.fullmatch(tenant):
            raise ValueError("it must be the id or domain of a directory")
        return tenant


class AzureAdLogin(OAuth2Service):
    """Asks Microsoft Graph who somebody is."""

    label = "Azure AD OAuth"
    description = "Lets users log in with their accounts of Microsoft Entra ID (Azure Active Directory)."
    origin = ("oauth_provider", "azure-ad")
    usual = Endpoints(
        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        "https://graph.microsoft.com/v1.0/me",
        ("openid", "profile", "offline_access", "User.Read"),
    )
    config: AzureAdConfig

    async def endpoints(self) -> Endpoints:
        """Put the directory where the addresses have a place for it."""
        at, tenant = await super().endpoints(), self.config.tenant_id
        authorize, token = (one.replace("{tenant}", tenant) for one in (at.authorize, at.token))
        return replace(at, authorize=authorize, token=token)

    async def identity(self, given: Tokens, _begun: dict[str, Any]) -> Identity:
        """Answer who it is; only one directory's own administrators answer for its names."""
        told = await self.asked.get((await self.endpoints()).user, given.access)
        name = text(told, "userPrincipalName")
        return Identity(
            subject=text(told, "id") or "",
            email=name,
            email_is_verified=self.config.tenant_id.lower() not in _SHARED and name is not None and "#EXT#" not in name,
            name=text(told, "displayName"),
            first_name=text(told, "givenName"),
            last_name=text(told, "surname"),
        )
