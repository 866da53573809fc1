"""TestFacebook on a real OpenID provider, with the stand-in for profiles."""

from typing import Any

import pytest

from trunkline_oauth.testing import LogIn, LoginSuite

pytestmark = pytest.mark.live


class TestFacebook(LoginSuite):
    """The suite, by addresses of this machine."""

    service_type = "oauth_facebook"
    tells_verified = False

    @pytest.fixture
    def config(self, oidc_provider: Any, profiles: Any) -> dict[str, Any]:
        return {**oidc_provider.config(), **profiles.config("facebook/me")}

    @pytest.fixture
    def log_in(self, log_in_at_provider: LogIn) -> LogIn:
        return log_in_at_provider
