"""Oidc on a real, certified OpenID provider."""

from typing import Any

import pytest
from identity_servers import CLIENT

from trunkline.testing import Gateway
from trunkline_oauth.testing import PAGE, LogIn, LoginSuite

pytestmark = pytest.mark.live
ENDPOINTS = {"auth_endpoint": "https://idp.example/a", "token_endpoint": "https://idp.example/t"}


class TestOidc(LoginSuite):
    """The suite, by the provider's discovery document."""

    service_type = "oidc"
    fields = (
        *("default_role", "discovery_document", "auth_endpoint", "token_endpoint", "user_endpoint"),
        *("validate_id_token", "jwks_uri", "scopes", "client_id", "client_secret", "redirect_url", "icon_class"),
        "app_role_map",
    )

    @pytest.fixture
    def config(self, oidc_provider: Any) -> dict[str, Any]:
        discovery = f"{oidc_provider.address}/.well-known/openid-configuration"
        return {**CLIENT, "client_id": "trunkline-basic", "discovery_document": discovery}

    @pytest.fixture
    def log_in(self, log_in_at_provider: LogIn) -> LogIn:
        return log_in_at_provider

    @pytest.mark.parametrize(
        "given",
        [
            {},
            {"auth_endpoint": "https://idp.example/a"},
            {
                "auth_endpoint": "https://idp.example/a",
                "token_endpoint": "https://idp.example/t",
                "accept_tokens": True,
            },
            {
                "auth_endpoint": "https://idp.example/a",
                "token_endpoint": "https://idp.example/t",
                "validate_id_token": True,
            },
            {"discovery_document": "nowhere"},
        ],
        ids=str,
    )
    def test_a_provider_must_be_somewhere(self, gateway: Gateway, given: dict[str, Any]) -> None:
        config = {**CLIENT, "redirect_url": PAGE, **given}
        body = {"resource": [{"name": "bad", "type": "oidc", "config": config}]}
        assert gateway.admin.post("/system/service", json=body).status_code == 400
