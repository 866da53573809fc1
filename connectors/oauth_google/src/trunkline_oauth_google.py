"""Logging in with an account at Google, whose groups may decide about roles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import BaseModel, field_validator

from trunkline import Field
from trunkline.errors import BadGateway
from trunkline_oauth import Endpoints, Identity, OAuth2Service, OAuthConfig, Tokens
from trunkline_oauth.claims import identity_of, text
from trunkline_oauth.config import address

_GROUPS = "https://www.googleapis.com/auth/cloud-identity.groups.readonly"
_MOST_PAGES = 20


class GroupRole(BaseModel):
    """The role of those who are in a group."""

    role_id: int = Field(title="Role", description="Id of the role.")
    group_email: str = Field(title="Google Group", description="Address of the group.", min_length=3)


class GoogleConfig(OAuthConfig):
    """Who we are to Google, and what groups mean (connectors 13.1)."""

    map_group_to_role: bool = Field(
        default=False,
        title="Map Google Groups to Roles",
        description="Let the user's groups decide about the role, by the Cloud Identity API.",
    )
    group_role_map: list[GroupRole] = Field(
        default=[],
        title="Google Group to Role Mapping",
        description="Roles of groups; the first whose group the user is in counts.",
    )
    groups_url: str | None = Field(
        default=None, title="Groups URL", description="Endpoint for a user's groups, instead of the usual one."
    )

    form: ClassVar[tuple[str, ...]] = (
        *("default_role", "client_id", "client_secret", "redirect_url", "icon_class", "custom_provider"),
        *("allow_new_users", "map_group_to_role", "app_role_map", "group_role_map"),
    )

    @field_validator("groups_url")
    @classmethod
    def _is_an_address(cls, text: str | None) -> str | None:
        return address(text)


class GoogleLogin(OAuth2Service):
    """Asks the userinfo endpoint, and for groups where these decide."""

    label = "Google OAuth"
    description = "Lets users log in with their accounts at Google."
    origin = ("oauth_provider", "google")
    usual = Endpoints(
        "https://accounts.google.com/o/oauth2/v2/auth",
        "https://oauth2.googleapis.com/token",
        "https://openidconnect.googleapis.com/v1/userinfo",
        ("openid", "profile", "email"),
        extra={"access_type": "offline"},
    )
    config: GoogleConfig

    async def endpoints(self) -> Endpoints:
        """Ask for the right to read groups where these decide."""
        at = await super().endpoints()
        if self.config.map_group_to_role and not self.config.scopes:
            return replace(at, scopes=(*at.scopes, _GROUPS))
        return at

    async def identity(self, given: Tokens, _begun: dict[str, Any]) -> Identity:
        """Answer who it is, with the role of a group."""
        found = identity_of(await self.asked.get((await self.endpoints()).user, given.access))
        if not self.config.map_group_to_role or not found.email_is_verified:
            return found
        groups = await self._groups(str(found.email), given.access)
        roles = [one.role_id for one in self.config.group_role_map if one.group_email.lower() in groups]
        return replace(found, role_id=roles[0] if roles else None)

    async def _groups(self, email: str, token: str) -> set[str]:
        """Answer the addresses of the groups that a user is in; raises BadGateway where Google does not tell."""
        url = self.config.groups_url or (
            "https://cloudidentity.googleapis.com/v1/groups/-/memberships:searchDirectGroups"
        )
        found: set[str] = set()
        # The address was verified by Google, but is still nothing but a value here.
        escaped = email.replace("\\", "\\\\").replace("'", "\\'")
        query = {"query": f"member_key_id == '{escaped}'", "pageSize": "200"}
        for _page in range(_MOST_PAGES):
            told = await self.asked.get_any(f"{url}?{urlencode(query)}", token)
            if not isinstance(told, dict):
                raise BadGateway("The identity provider does not tell the user's groups.")
            for one in told.get("memberships") or []:
                key = one.get("groupKey") if isinstance(one, dict) else None
                if isinstance(key, dict) and (name := text(key, "id")):
                    found.add(name.lower())
            following = text(told, "nextPageToken")
            if following is None:
                break
            query["pageToken"] = following
        return found
