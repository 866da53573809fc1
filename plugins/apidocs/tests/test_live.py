"""The demo as programs and people meet it by its documents: a tester, a generated client, and a browser."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import processes
import pytest
from processes import log_in

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
PROGRAMS = Path(sys.executable).parent
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A demo of its own: what is done to its data is nobody's loss."""
    with processes.demo(tmp_path_factory.mktemp("demo")) as told:
        yield told


@pytest.fixture(scope="module")
def admin(demo: dict[str, Any]) -> Iterator[httpx2.Client]:
    """A client that may do everything."""
    with httpx2.Client(base_url=demo["url"], timeout=60) as client:
        log_in(client, demo["admin_email"], demo["admin_password"])
        yield client


def program(name: str) -> str:
    found = PROGRAMS / name
    if not found.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return str(found)


def run(*command: str, cwd: Path) -> str:
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


def examined(admin: httpx2.Client, folder: Path, service: str, version: str, phases: str, *chosen: str) -> None:
    """Let schemathesis send good input and bad, and fail for 5xx and for what the document does not tell of."""
    document = admin.get(f"/api/v2/{service}/_spec", params={"openapi": version}).json()
    for item in document["paths"].values():
        for operation in item.values():
            # With it every status would be told of.
            del operation["responses"]["default"]
    (folder / "document.json").write_text(json.dumps(document))
    said = run(
        program("schemathesis"), "run", "document.json", "--url", str(admin.base_url.join(f"/api/v2/{service}")),
        "-H", f"X-DreamFactory-Session-Token: {admin.headers['X-DreamFactory-Session-Token']}",
        "-c", CHECKS, "--phases", phases, "-n", "4", "--seed", "7", "--suppress-health-check", "all",
        "--continue-on-failure", *chosen, cwd=folder,
    )  # fmt: skip
    assert "generated" in said


@pytest.mark.parametrize(
    ("service", "version", "phases", "chosen"),
    [
        ("flights", "3.1", "coverage,fuzzing", ("--include-path-regex", "_table/?$|airlines")),
        ("flights", "3.0", "fuzzing", ("--include-path-regex", "weather|planes")),
        # Without a mail service a reset is a 500, as recorded (system-api 8.5).
        ("user", "3.1", "fuzzing", ("--exclude-path-regex", "session|password")),
        ("system", "3.1", "fuzzing", ("--include-path-regex", "^/(lookup|custom|environment|service_type|event)")),
        ("api_docs", "3.0", "coverage,fuzzing", ()),
    ],
)
def test_nothing_that_a_tester_sends_breaks_anything(
    admin: httpx2.Client, tmp_path: Path, service: str, version: str, phases: str, chosen: tuple[str, ...]
) -> None:
    examined(admin, tmp_path, service, version, phases, *chosen)


@pytest.mark.parametrize("version", ["3.0", "3.1"])
def test_a_generated_client_works(
    admin: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """Of the public generator openapi-python-client."""
    params = {"openapi": version, "resource_name": "airlines"}
    (tmp_path / "document.json").write_text(admin.get("/api/v2/flights/_spec", params=params).text)
    name = f"airlines_client_{version.replace('.', '_')}"
    command = (program("openapi-python-client"), "generate", "--path", "document.json", "--output-path", name)
    said = run(*command, "--meta", "none", cwd=tmp_path)
    assert "WARNING" not in said, said
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module(name)
    token = admin.headers["X-DreamFactory-Session-Token"]
    client = module.Client(
        base_url=f"{str(admin.base_url).rstrip('/')}/api/v2/flights", headers={"X-DreamFactory-Session-Token": token}
    )

    def call(operation: str, *path: str, **more: Any) -> Any:
        found = importlib.import_module(f"{name}.api.flights.{operation}")
        return found.sync(*path, client=client, **more)

    models = importlib.import_module(f"{name}.models")
    carrier = f"{version[0]}{version[-1]}"
    with client:
        new = models.AirlinesRecordInput(carrier=carrier, name="Made Air")
        assert call("post_flights_airlines_records", body=new).to_dict() == {"carrier": carrier}
        read = call("get_flights_airlines_record", carrier)
        assert (type(read).__name__, read.name) == ("AirlinesRecord", "Made Air")
        change = models.AirlinesRecordChange(name="Changed Air")
        call("patch_flights_airlines_record", carrier, body=change)
        listed = call("get_flights_airlines_records", filter_="name = 'Changed Air'")
        assert [one.carrier for one in listed.resource] == [carrier]
        assert call("delete_flights_airlines_record", carrier).carrier == carrier
        assert type(call("get_flights_airlines_record", carrier)).__name__ == "Error"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, without a screen."""
    playwright = pytest.importorskip("playwright.sync_api")
    executable = Path("/usr/bin/chromium")
    if not executable.exists():
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed; see tests/install-servers")
        pytest.skip("chromium is not installed; see tests/install-servers")
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=str(executable), args=["--no-sandbox"])


def test_the_page_in_a_browser(demo: dict[str, Any], browser: Any) -> None:
    """It opens, takes a key, shows what the key may do, and a request brings rows; nothing comes from elsewhere."""
    page = browser.new_page(viewport={"width": 1280, "height": 1500})
    problems: list[str] = []
    page.on("console", lambda one: problems.append(one.text) if one.type in ("error", "warning") else None)
    page.on("pageerror", lambda one: problems.append(str(one)))
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.goto(f"{demo['url']}/")
    page.click("text=/docs")
    page.fill("#key", "wrong")
    page.click("#use")
    page.wait_for_selector("#state.bad")
    page.fill("#key", demo["api_key"])
    page.click("#use")
    page.wait_for_selector("#operations-flights-getFlightsAirlinesRecords")
    assert page.input_value("#service") == "flights"
    # The demo's key reads.
    assert page.locator(".opblock-post").count() == 0
    page.click("#operations-flights-getFlightsAirlinesRecords .opblock-summary-control")
    block = page.locator("#operations-flights-getFlightsAirlinesRecords")
    block.locator("tr[data-param-name=filter] input").fill("carrier = 'UA'")
    block.locator("button.execute").click()
    shown = block.locator(".live-responses-table .response .microlight, .live-responses-table .response pre").first
    shown.wait_for()
    assert "United Air Lines Inc." in block.locator(".live-responses-table").inner_text()
    block.scroll_into_view_if_needed()
    if picture := os.environ.get("TRUNKLINE_SCREENSHOT"):
        page.screenshot(path=picture, mask=[block.locator(".curl-command")], mask_color="#333333")
    assert {one.partition("//")[2].partition("/")[0] for one in asked if not one.startswith(("data:", "blob:"))} == {
        demo["url"].partition("//")[2]
    }
    assert [one for one in problems if "401" not in one and "400" not in one] == []


def test_the_page_takes_a_login(demo: dict[str, Any], browser: Any) -> None:
    page = browser.new_page()
    page.goto(f"{demo['url']}/docs")
    page.fill("#email", demo["admin_email"])
    page.fill("#password", demo["admin_password"])
    page.click("#use")
    page.wait_for_selector("#operations-flights-postFlightsAirlinesRecords")
    assert page.input_value("#password") == ""
    page.select_option("#service", "system")
    page.wait_for_selector("#operations-system-getSystemRoles")


def test_nothing_that_a_tester_makes_of_the_structure_breaks_anything(admin: httpx2.Client, tmp_path: Path) -> None:
    """The last one, since it drops the tables."""
    examined(admin, tmp_path, "flights", "3.1", "fuzzing", "--include-path-regex", "_schema")
