"""Oidc on a real, certified OpenID provider."""

from typing import Any

import pytest
from identity_servers import CLIENT

from trunkline_oauth.testing import LogIn, LoginSuite

pytestmark = pytest.mark.live


class TestOidc(LoginSuite):
    """The suite, by the provider's discovery document."""

    service_type = "oidc"

    @pytest.fixture
    def config(self, oidc_provider: Any) -> dict[str, Any]:
        discovery = f"{oidc_provider.address}/.well-known/openid-configuration"
        return {**CLIENT, "client_id": "trunkline-basic", "discovery_document": discovery}

    @pytest.fixture
    def log_in(self, log_in_at_provider: LogIn) -> LogIn:
        return log_in_at_provider
