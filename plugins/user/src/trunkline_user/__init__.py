"""The ``user`` service: what users do with their own account."""

from __future__ import annotations

from trunkline import Open, Service
from trunkline.call import VERBS
from trunkline_system.password import PasswordResource
from trunkline_system.profile import ProfileResource
from trunkline_user.alternate import UserSession
from trunkline_user.config import UserConfig
from trunkline_user.custom import UserCustom
from trunkline_user.register import Register

__all__ = ["UserConfig", "UserService"]


class UserService(Service):
    """Sessions, passwords and profiles of users."""

    label = "User Management"
    description = "Log in, register, change the password, read and change the profile."
    group = "User"
    singleton = True
    open_paths = (
        Open("session"),
        Open("password", VERBS["POST"]),
        Open("register", VERBS["POST"]),
        Open("profile", VERBS["GET"] | VERBS["POST"] | VERBS["PUT"] | VERBS["PATCH"]),
    )
    session_paths = frozenset({"session"})
    resources = (PasswordResource, ProfileResource, Register, UserSession, UserCustom)
    config: UserConfig
