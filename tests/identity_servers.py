"""The identity providers of a test run."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from object_servers import NODE, OwnProcess, node_package
from servers import Server, serving

from trunkline_oauth.testing import CALLBACKS, Browser

CLIENT = {"client_id": "trunkline", "client_secret": "a secret of the tests"}


class OidcProvider(OwnProcess):
    """oidc-provider, a certified OpenID provider, with the pages that it brings for development."""

    name = "oidc-provider"
    programs = ("node", "npm")

    def prepare(self) -> None:
        """Put the program beside the packages that it imports."""
        (self.folder / "node_modules").symlink_to(node_package(self, "oidc-provider").parent)
        shutil.copy(NODE / "op.mjs", self.folder)

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [self.program("node"), str(self.folder / "op.mjs"), str(self.port), *CALLBACKS]

    @property
    def address(self) -> str:
        """The issuer."""
        return f"http://127.0.0.1:{self.port}"

    def config(self, container: str = "") -> dict[str, Any]:
        """Answer the configuration of an OAuth service on it, without where its users' profiles are."""
        return {**CLIENT, "authorize_url": f"{self.address}/auth", "token_url": f"{self.address}/token"}


class Profiles(OwnProcess):
    """The stand-in for what vendors tell of their users."""

    name = "the profiles"
    programs = ("python3",)
    provider: int

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [
            sys.executable, str(Path(__file__).with_name("profile_target.py")), str(self.port), str(self.provider)
        ]  # fmt: skip

    def config(self, container: str = "") -> dict[str, Any]:
        """Answer where the profiles of a vendor are."""
        return {"user_url": f"http://127.0.0.1:{self.port}/{container}"}


class OAuth1Provider(OwnProcess):
    """An OAuth 1.0a provider made of oauthlib's server."""

    name = "the OAuth 1 provider"
    programs = ("python3",)

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [sys.executable, str(Path(__file__).with_name("oauth1_target.py")), str(self.port)]

    def config(self, container: str = "") -> dict[str, Any]:
        """Answer the configuration of a service on it."""
        at = f"http://127.0.0.1:{self.port}"
        return {
            **CLIENT, "token_url": f"{at}/oauth",
            "user_url": f"{at}/1.1/account/verify_credentials.json?include_email=true&skip_status=true",
        }  # fmt: skip


@pytest.fixture(scope="session")
def oidc_provider() -> Iterator[Server]:
    """An OpenID provider of this test run's own."""
    with serving(OidcProvider) as server:
        yield server


@pytest.fixture(scope="session")
def profiles(oidc_provider: Server) -> Iterator[Server]:
    """Profiles for the accounts of that provider."""
    Profiles.provider = oidc_provider.port
    with serving(Profiles) as server:
        yield server


@pytest.fixture(scope="session")
def oauth1_provider() -> Iterator[Server]:
    """An OAuth 1 provider of this test run's own."""
    with serving(OAuth1Provider) as server:
        yield server


def dev_pages(browser: Browser, address: str, account: str) -> str:
    """Log in on the two pages of oidc-provider and answer the address that it sends the browser back to."""
    reply = browser.get(address)
    for form in ({"prompt": "login", "login": account, "password": "x"}, {"prompt": "consent"}):
        assert reply.status_code == 200, reply.text[:500]
        reply = browser.post(str(reply.url), form)
        if reply.is_redirect:
            return str(reply.headers["location"])
    raise AssertionError(reply.text[:500])


@pytest.fixture(scope="session")
def log_in_at_provider() -> Any:
    """How people log in there: a function of a browser, an address and the name of an account."""
    return dev_pages
