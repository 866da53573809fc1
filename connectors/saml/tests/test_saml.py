"""Saml on a real identity provider."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from saml_servers import form_of

from trunkline.testing import Gateway, ServiceSuite
from trunkline.testing.fixtures import _copied, settings_for
from trunkline_oauth.testing import XHR, Browser, message, returned

pytestmark = pytest.mark.live


class TestSaml(ServiceSuite):
    """Logging in and out, and what is told of the service."""

    service_type = "saml"

    @pytest.fixture(scope="class")
    @classmethod
    def gateway(cls, _template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
        storage = _copied(_template, tmp_path_factory.mktemp("gateway") / "storage")
        with Gateway(settings_for(storage, app_url="http://testserver")) as started:
            yield started

    @pytest.fixture
    def config(self, saml_provider: Any) -> dict[str, Any]:
        return saml_provider.config()

    @pytest.fixture
    def asserted(self, gateway: Gateway, service: str) -> Callable[..., Any]:
        """Log in at the provider and answer the form that its page would send."""

        def done(
            name: str = service, account: str = "ann", browser: Browser | None = None, **begin: str
        ) -> dict[str, str]:
            browser = browser or Browser()
            begun = gateway.anonymous.get(f"/{name}/sso", params=begin)
            assert begun.status_code == 302, begun.text
            page = browser.get(begun.headers["location"])
            action, fields = form_of(page.text)
            if "password" in fields:
                target = action if action.startswith("http") else str(page.url).partition("?")[0]
                page = browser.post(target, {**fields, "username": account, "password": "secret"})
                action, fields = form_of(page.text)
            assert action == f"http://testserver/api/v2/{name}/acs", page.text[:1000]
            return fields

        return done

    def _post(self, gateway: Gateway, name: str, form: dict[str, str]) -> Any:
        return gateway.anonymous.post(f"/{name}/acs", data=form)

    def test_a_login_gives_a_session(self, gateway: Gateway, service: str, asserted: Any) -> None:
        session = self._post(gateway, service, asserted()).json()
        assert session["email"] == "ann+suite_saml@example.org"
        assert (session["first_name"], session["last_name"]) == ("Ann", "of the Tests")
        token = {"X-DreamFactory-Session-Token": session["session_token"]}
        assert gateway.anonymous.get("/user/session", headers=token).json()["id"] == session["id"]
        assert self._post(gateway, service, asserted()).json()["id"] == session["id"]
        assert self._post(gateway, service, asserted(account="bob")).json()["id"] != session["id"]

    def test_an_assertion_is_good_once(self, gateway: Gateway, service: str, asserted: Any) -> None:
        """Checklist 19."""
        form = asserted()
        assert self._post(gateway, service, form).status_code == 200
        assert message(self._post(gateway, service, form), 401).startswith("Authentication failed.")

    def test_an_assertion_is_for_one_service(self, gateway: Gateway, config: Any, asserted: Any) -> None:
        """Checklist 19: wrongly addressed."""
        self._relaying(gateway, config)
        told = message(self._post(gateway, "relaying", asserted()), 401)
        assert told == "Authentication failed. The assertion is not good."

    def _relaying(self, gateway: Gateway, config: dict[str, Any]) -> None:
        if "relaying" not in gateway.app.directory.snapshot.services:
            page = "https://app.example.com/?jwt=_token_#x"
            gateway.create_service("relaying", "saml", {**config, "relay_state": page})

    def test_encrypted_assertions_are_read(self, gateway: Gateway, config: Any, asserted: Any) -> None:
        gateway.create_service("encrypted", "saml", {**config, "want_encrypted": True})
        form = asserted("encrypted")
        assert self._post(gateway, "encrypted", form).json()["email"] == "ann+encrypted@example.org"

    def test_encryption_can_be_demanded(self, gateway: Gateway, config: Any, asserted: Any) -> None:
        gateway.create_service("everywhere", "saml", {**config, "want_encrypted": True})
        told = message(self._post(gateway, "everywhere", asserted("everywhere")), 401)
        assert told == "Authentication failed. The assertion is not good."

    def test_the_browser_goes_on_to_the_relay_state(self, gateway: Gateway, config: Any, asserted: Any) -> None:
        """As configured, and never as the form says (system-api 21.3)."""
        self._relaying(gateway, config)
        form = asserted("relaying")
        assert form["RelayState"] == "https://app.example.com/?jwt=_token_#x"
        done = self._post(gateway, "relaying", {**form, "RelayState": "https://evil.example.com/?_token_"})
        assert done.status_code == 302
        place, _, rest = done.headers["location"].partition("jwt=")
        assert (place, rest.endswith("#x"), rest.count(".")) == ("https://app.example.com/?", True, 2)

    def test_the_page_is_the_one_that_the_login_named(self, gateway: Gateway, service: str, asserted: Any) -> None:
        """Checklist 19: what comes back with the form is nobody's word."""
        form = {**asserted(redirect="/docs"), "RelayState": "https://evil.example.com/?_token_"}
        done = self._post(gateway, service, form)
        assert done.status_code == 302
        assert done.headers["location"].startswith("/docs?session_token=")
        form = {**asserted(redirect="https://evil.example.com"), "RelayState": "https://evil.example.com/?_token_"}
        assert self._post(gateway, service, form).status_code == 200

    def test_pages_may_ask_by_script(self, gateway: Gateway, service: str, saml_provider: Any) -> None:
        for path in (f"/{service}/sso", f"/user/session?service={service}"):
            answer = gateway.anonymous.get(path, headers=XHR).json()["response"]
            assert answer["url"].startswith(f"{saml_provider.address}/saml2/idp/SSOService.php?SAMLRequest=")
        listed = gateway.anonymous.get("/system/environment").json()["authentication"]["saml"]
        assert [one["path"] for one in listed if one["name"] == service] == [f"{service}/sso"]

    def test_our_metadata_is_a_document(self, gateway: Gateway, service: str) -> None:
        reply = gateway.anonymous.get(f"/{service}/metadata")
        assert reply.headers["content-type"].startswith("application/samlmetadata+xml")
        for part in (
            f"http://testserver/api/v2/{service}/metadata",
            f"/{service}/acs",
            f"/{service}/sls",
            "X509Certificate",
        ):
            assert part in reply.text
        assert "PRIVATE" not in reply.text

    def test_logging_out_ends_both_sessions(self, gateway: Gateway, service: str, asserted: Any) -> None:
        browser = Browser()
        session = self._post(gateway, service, asserted(browser=browser)).json()
        token = {"X-DreamFactory-Session-Token": session["session_token"]}
        begun = gateway.anonymous.get(f"/{service}/slo", params={"redirect": "/docs"}, headers=token)
        assert begun.status_code == 302, begun.text
        assert gateway.anonymous.get("/user/session", headers=token).status_code == 403
        back = browser.get(begun.headers["location"])
        assert back.is_redirect, back.text
        assert back.headers["location"].startswith(f"http://testserver/api/v2/{service}/sls?")
        done = gateway.anonymous.get(back.headers["location"].removeprefix("http://testserver/api/v2"))
        assert done.status_code == 302, done.text
        assert done.headers["location"] == "/docs"
        again = browser.get(gateway.anonymous.get(f"/{service}/sso").headers["location"])
        assert "password" in form_of(again.text)[1]

    def test_the_provider_logs_out(self, gateway: Gateway, service: str, asserted: Any, saml_provider: Any) -> None:
        browser = Browser()
        session = self._post(gateway, service, asserted(browser=browser, account="carl")).json()
        token = {"X-DreamFactory-Session-Token": session["session_token"]}
        leave = f"{saml_provider.address}/saml2/idp/SingleLogoutService.php"
        told = browser.get(f"{leave}?ReturnTo={saml_provider.address}/index.php")
        assert told.is_redirect, told.text
        assert told.headers["location"].startswith(f"http://testserver/api/v2/{service}/sls?SAMLRequest=")
        query = told.headers["location"].removeprefix("http://testserver/api/v2")
        forged = query.replace("Signature=", "Signature=AAAA")
        for bad in (forged, query.partition("&Signature=")[0], query.partition("&SigAlg=")[0]):
            assert gateway.anonymous.get(bad).status_code == 401
        assert gateway.anonymous.get("/user/session", headers=token).status_code == 200
        done = gateway.anonymous.get(query)
        assert done.status_code == 302, done.text
        assert done.headers["location"].startswith(f"{leave}?SAMLResponse=")
        assert gateway.anonymous.get("/user/session", headers=token).status_code == 403
        assert returned(done.headers["location"])["SAMLResponse"]

    @pytest.mark.parametrize("form", [{}, {"SAMLResponse": ""}, {"SAMLResponse": "x"}, {"SAMLResponse": "PHht"}])
    def test_what_is_no_assertion_is_a_bad_request(self, gateway: Gateway, service: str, form: dict[str, str]) -> None:
        assert message(self._post(gateway, service, form), 400) == "Invalid SAML Response provided"
