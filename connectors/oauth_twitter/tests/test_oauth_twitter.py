"""TwitterLogin on a real OAuth 1.0a server."""

from typing import Any

import httpx2
import pytest

from trunkline_oauth.testing import Browser, LogIn, LoginSuite

pytestmark = pytest.mark.live


class TestTwitter(LoginSuite):
    """The suite, by addresses of this machine."""

    service_type = "oauth_twitter"

    @pytest.fixture
    def config(self, oauth1_provider: Any) -> dict[str, Any]:
        return oauth1_provider.config()

    @pytest.fixture
    def log_in(self) -> LogIn:
        def there(browser: Browser, address: str, account: str) -> str:
            reply = browser.get(str(httpx2.URL(address).copy_merge_params({"login": account})))
            assert reply.is_redirect, reply.text
            return str(reply.headers["location"])

        return there
