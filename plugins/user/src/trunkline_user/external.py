"""Logging in with an identity that somebody else vouches for: what OAuth, SAML and directories have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from trunkline import Config, Field
from trunkline.errors import BadRequest, Forbidden, Unauthorized
from trunkline.service import Service
from trunkline.threads import in_thread
from trunkline_system.session import opened
from trunkline_user import pending, shadow
from trunkline_user.config import AppRole

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.call import Call
    from trunkline.db.records import User

_NO_SERVICE = "Invalid login service provided. Please use an OAuth{} service."


class ExternalConfig(Config):
    """The settings that all services have by which users log in; a connector puts them where its form has them."""

    default_role: int | None = Field(
        default=None,
        title="Default Role",
        description="Id of the role that users get with each app for which they have none.",
    )
    app_role_map: list[AppRole] = Field(
        default=[], title="Role per App", description="Roles that replace what users have with these apps, each login."
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, as a provider says: ``subject`` names the account there, for good and for nobody else.

    An address counts only where the provider answers for it (``email_is_verified``). ``role_id`` is a role that follows
    from groups there. ``more`` goes into the session's reply.
    """

    subject: str
    email: str | None = None
    email_is_verified: bool = False
    username: str | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    role_id: int | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


class ExternalService(Service):
    """A service by which users log in: ``user/session?service=NAME`` and its own resources lead here."""

    # Which column of a user says where the account comes from, and what it says there.
    origin: ClassVar[tuple[Literal["oauth_provider", "adldap", "saml"], str]]
    # Whether users come back from elsewhere, so that GET begins a login as well.
    redirects: ClassVar[bool] = False
    # Whether these accounts are administrators.
    makes_administrators: ClassVar[bool] = False
    config: ExternalConfig

    @abstractmethod
    async def login(self, call: Call) -> Any:
        """Answer a session's request: the session (see ``session``), or where the browser has to go."""

    @property
    def takes_new_users(self) -> bool:
        """Whether somebody who comes for the first time gets an account."""
        return True

    @property
    def maps_groups(self) -> bool:
        """Whether groups there decide about roles, so that the role of a group goes when the group does."""
        return bool(getattr(self.config, "map_group_to_role", False))

    async def user(self, call: Call, identity: Identity) -> User:
        """Answer the account of an identity, made at the first login, with the roles that are due (system-api 21).

        Raises Unauthorized for new users where they are not taken, Forbidden for one that is switched off.
        """
        user = await in_thread(shadow.user_of, self, call, identity)
        if user is None:
            raise Unauthorized(
                "New user registration is not allowed for this OAuth service. Please contact your administrator "
                "to create an account or enable new user registration."
            )
        if not user.is_active:
            raise Forbidden("User is not active.")
        if user.is_sys_admin and not self.makes_administrators:
            raise Unauthorized("Invalid credentials supplied.")
        return user

    async def session(self, call: Call, identity: Identity) -> dict[str, Any]:
        """Open a session for an identity and answer its reply."""
        return {**await opened(self.app, call, await self.user(call, identity)), **identity.more}


async def service_for(app: App, call: Call) -> ExternalService | None:
    """Answer the service by which a session is asked for, named or known by what comes back; None where none is.

    Raises BadRequest for one that does not log in.
    """
    name = call.option("service")
    if name is None and call.flag("oauth_callback"):
        begun = await pending.begun(app, call.option("state") or call.option("oauth_token"))
        name = begun["service"] if begun is not None else None
    if name is None or name == "":
        return None
    service = await app.services.named(name) if isinstance(name, str) else None
    if not isinstance(service, ExternalService) or (call.method == "GET" and not service.redirects):
        raise BadRequest(_NO_SERVICE.format("" if call.method == "GET" else " or AD/Ldap"))
    return service
