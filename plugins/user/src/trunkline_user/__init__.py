"""The ``user`` service: what users do with their own account."""

from __future__ import annotations

from trunkline import Config, Field, Open, Service
from trunkline.call import VERBS
from trunkline_system.password import PasswordResource
from trunkline_system.profile import ProfileResource
from trunkline_system.session import SessionResource

__all__ = ["UserConfig", "UserService"]


class UserConfig(Config):
    """Settings of the user service."""

    allow_open_registration: bool = Field(
        default=False, title="Allow Open Registration", description="Whether anybody may register."
    )
    open_reg_role_id: int | None = Field(
        default=None, title="Default Open Reg Role", description="Role of those who registered themselves."
    )


class UserService(Service):
    """Sessions, passwords and profiles of users."""

    label = "User Management"
    description = "Log in, change the password, read and change the profile."
    group = "User"
    singleton = True
    open_paths = (
        Open("session"),
        Open("password", VERBS["POST"]),
        Open("profile", VERBS["GET"] | VERBS["POST"] | VERBS["PUT"] | VERBS["PATCH"]),
    )
    session_paths = frozenset({"session"})
    resources = (PasswordResource, ProfileResource, SessionResource)
    config: UserConfig
