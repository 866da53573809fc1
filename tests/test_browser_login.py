"""One whole login with a browser: button, the provider's pages, back with a session, a request for data with it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from identity_servers import CLIENT, OidcProvider
from processes import TRUNKLINE, answering, clean_environment, free_port, interrupt, log_in, started
from servers import serving

pytestmark = [pytest.mark.live, pytest.mark.slow]
SERVICE = "company"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A demo that may reach this machine."""
    folder, port = tmp_path_factory.mktemp("demo"), free_port()
    environment = clean_environment(TRUNKLINE_OUTGOING_NETWORKS="127.0.0.0/8", APP_URL=f"http://127.0.0.1:{port}")
    command = (TRUNKLINE, "demo", "--json", "--port", str(port), "--dir", "d")
    with started(*command, cwd=folder, env=environment) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline()) | {"port": port}
        interrupt(process)


@pytest.fixture(scope="module")
def callback(demo: dict[str, Any]) -> str:
    return f"http://127.0.0.1:{demo['port']}/api/v2/{SERVICE}/sso"


@pytest.fixture(scope="module")
def provider(callback: str) -> Iterator[Any]:
    """A provider that sends browsers back to that demo."""

    class Own(OidcProvider):
        def command(self) -> list[str]:
            return [*super().command(), callback]

    with serving(Own) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    executable = Path("/usr/bin/chromium")
    if not executable.exists():
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed; see tests/install-servers")
        pytest.skip("chromium is not installed; see tests/install-servers")
    with playwright.sync_playwright() as running:
        yield running.chromium.launch(executable_path=str(executable), args=["--no-sandbox"])


@pytest.fixture(scope="module")
def service(demo: dict[str, Any], provider: Any, callback: str) -> str:
    """The service, made by an administrator as the README says; its users get the role of the demo's key."""
    with answering(demo["url"]) as admin:
        log_in(admin, demo["admin_email"], demo["admin_password"])
        apps = admin.get("/api/v2/system/app", params={"fields": "name,role_id,api_key"}).json()["resource"]
        (role,) = [one["role_id"] for one in apps if one["api_key"] == demo["api_key"]]
        config = {
            **CLIENT, "client_id": "trunkline-basic", "redirect_url": callback, "default_role": role,
            "discovery_document": f"{provider.address}/.well-known/openid-configuration",
        }  # fmt: skip
        row = {"name": SERVICE, "label": "Company", "type": "oidc", "is_active": True, "config": config}
        reply = admin.post("/api/v2/system/service", json={"resource": [row]})
        assert reply.status_code == 201, reply.text
    return SERVICE


def test_a_login_from_button_to_data(demo: dict[str, Any], service: str, browser: Any) -> None:
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda one: problems.append(str(one)))
    page.goto(f"{demo['url']}/docs")
    page.click("text=Log in with Company")
    page.fill("input[name=login]", "ann")
    page.fill("input[name=password]", "x")
    page.click("button[type=submit]")
    page.click("button[type=submit]")
    page.wait_for_selector("#state:has-text('Logged in as ann of the Tests')")
    assert page.url == f"{demo['url']}/docs"
    page.fill("#key", demo["api_key"])
    page.click("#use")
    page.wait_for_selector("#service:not([disabled])")
    with page.expect_request(lambda one: "api_docs/flights" in one.url) as asked:
        page.select_option("#service", "flights")
    assert asked.value.headers["x-dreamfactory-session-token"].count(".") == 2
    block = page.locator("#operations-flights-getFlightsAirlinesRecords")
    block.locator(".opblock-summary-control").click()
    with page.expect_response(lambda one: "/flights/_table/airlines" in one.url) as answered:
        block.locator("button.execute").click()
    assert answered.value.status == 200
    assert answered.value.request.headers["x-dreamfactory-session-token"].count(".") == 2
    assert answered.value.json()["resource"]
    assert problems == []


def test_a_cancelled_login_is_told(demo: dict[str, Any], service: str, browser: Any) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{demo['url']}/docs")
    page.click("text=Log in with Company")
    page.click("text=[ Cancel ]")
    page.wait_for_selector("#state.bad")
    assert "cancelled or refused at the provider" in page.inner_text("#state")
    assert page.url == f"{demo['url']}/docs"
