"""TestGoogle on a real OpenID provider, with the stand-in for profiles."""

from typing import Any

import pytest
import sqlalchemy as sa

from trunkline.db import tables
from trunkline.testing import Gateway
from trunkline_oauth.testing import PAGE, LogIn, LoginSuite

pytestmark = pytest.mark.live


class TestGoogle(LoginSuite):
    """The suite, by addresses of this machine."""

    service_type = "oauth_google"
    fields = (
        *("default_role", "client_id", "client_secret", "redirect_url", "icon_class", "custom_provider"),
        *("allow_new_users", "map_group_to_role", "app_role_map", "group_role_map"),
    )

    @pytest.fixture
    def config(self, oidc_provider: Any, profiles: Any) -> dict[str, Any]:
        return {**oidc_provider.config(), **profiles.config("google/userinfo")}

    @pytest.fixture
    def log_in(self, log_in_at_provider: LogIn) -> LogIn:
        return log_in_at_provider

    def test_groups_decide_about_the_role(
        self, gateway: Gateway, config: dict[str, Any], profiles: Any, page: Any
    ) -> None:
        """The first row whose group the user is in counts, whichever page of the answer the group is on."""
        admins, staff, usual = (gateway.create_role([]) for _ in range(3))
        app = gateway.create_app()["id"]
        rows = [
            {"role_id": admins, "group_email": "admins@example.org"},
            {"role_id": staff, "group_email": "Staff@example.org"},
        ]
        at = profiles.config("google/groups")["user_url"]
        given = {"map_group_to_role": True, "group_role_map": rows, "groups_url": at, "default_role": usual}
        name = self._made(gateway, "grouped", {**config, **given}, PAGE)
        found = [
            self._roles(gateway, page(one, name).json()["id"])[app] for one in ("ann", "bob", "carl", "unverified")
        ]
        assert found == [admins, staff, usual, usual]

    def test_the_role_of_a_group_goes_with_it(
        self, gateway: Gateway, config: dict[str, Any], profiles: Any, page: Any
    ) -> None:
        role, app = gateway.create_role([]), gateway.create_app()["id"]
        at = profiles.config("google/groups")["user_url"]
        given = {"map_group_to_role": True, "groups_url": at, "group_role_map": []}
        name = self._made(gateway, "left", {**config, **given}, PAGE)
        user_id = page("bob", name).json()["id"]
        row = {"user_id": user_id, "app_id": app, "role_id": role}
        gateway.app.database.change(lambda connection: connection.execute(sa.insert(tables.user_to_app_to_role), row))
        page("bob", name)
        assert self._roles(gateway, user_id) == {}
