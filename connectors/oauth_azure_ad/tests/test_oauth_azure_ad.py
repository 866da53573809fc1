"""TestAzureAd on a real OpenID provider, with the stand-in for profiles."""

from typing import Any

import pytest

from trunkline.testing import Gateway
from trunkline_oauth.testing import PAGE, LogIn, LoginSuite

pytestmark = pytest.mark.live


class TestAzureAd(LoginSuite):
    """The suite, by addresses of this machine."""

    service_type = "oauth_azure_ad"
    has_unverified = False
    fields = (
        "default_role",
        "client_id",
        "client_secret",
        "redirect_url",
        "icon_class",
        "tenant_id",
        "resource",
        "app_role_map",
    )

    @pytest.fixture
    def config(self, oidc_provider: Any, profiles: Any) -> dict[str, Any]:
        return {**oidc_provider.config(), **profiles.config("graph/me"), "tenant_id": "example.org"}

    @pytest.fixture
    def log_in(self, log_in_at_provider: LogIn) -> LogIn:
        return log_in_at_provider

    def test_guests_have_no_address_of_ours(self, service: str, page: Any) -> None:
        assert page("guest").json()["email"].endswith(f"+{service}@{service}.com")

    @pytest.mark.parametrize("tenant", ["common", "Organizations", "consumers"])
    def test_only_one_directory_answers_for_its_names(
        self, gateway: Gateway, config: dict[str, Any], page: Any, tenant: str
    ) -> None:
        """In directories that anybody may make, anybody may have any address."""
        name = self._made(gateway, f"of_{tenant.lower()}", {**config, "tenant_id": tenant}, PAGE)
        assert page("ann", name).json()["email"].endswith(f"+{name}@{name}.com")

    def test_the_directory_is_part_of_the_usual_addresses(self, gateway: Gateway, config: dict[str, Any]) -> None:
        given = {name: value for name, value in config.items() if not name.endswith("_url")}
        name = self._made(gateway, "usual", {**given, "tenant_id": "8a-b.example"}, PAGE)
        url = self._begun(gateway, name)
        assert url.startswith("https://login.microsoftonline.com/8a-b.example/oauth2/v2.0/authorize?")
        for bad in ("a/b", "../x", "{tenant}", ""):
            reply = gateway.admin.post(
                "/system/service",
                json={
                    "name": "bad",
                    "type": "oauth_azure_ad",
                    "config": {**given, "redirect_url": PAGE, "tenant_id": bad},
                },
            )
            assert reply.status_code == 400, bad
