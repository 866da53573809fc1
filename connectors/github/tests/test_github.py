"""GitHub passes the suite of its family on the stand-in; its calls fit its description, its forms what was recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from object_servers import node_package
from remote_servers import Forges, PrismGithub, scripted

from trunkline.testing import Gateway
from trunkline.testing.fixtures import _copied, settings_for
from trunkline_scm.testing import ScmSuite

pytestmark = pytest.mark.live


class TestGithub(ScmSuite):
    service_type = "github"

    @pytest.fixture
    def config(self, forges: Forges) -> dict[str, Any]:
        return {**forges.config("github"), "vendor": "acme"}

    def test_a_token_must_be_given(self, gateway: Gateway) -> None:
        record = {"name": "no_token", "type": "github", "config": {"vendor": "acme"}}
        reply = gateway.admin.post("/system/service", json={"resource": [record]})
        assert "a token must be given" in reply.text

    def test_without_an_owner_it_says_so(self, gateway: Gateway, config: dict[str, Any]) -> None:
        gateway.create_service("nobodys", "github", {**config, "vendor": ""})
        reply = gateway.admin.get("/nobodys/_repo")
        assert reply.status_code == 500
        assert reply.json()["error"]["message"] == "No account/organization name provided for GitHub client."


@pytest.fixture(scope="module")
def reaching(_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that may reach this machine."""
    storage = _copied(_template, tmp_path_factory.mktemp("gateway") / "storage")
    with Gateway(settings_for(storage, outgoing_networks="127.0.0.0/8")) as started:
        yield started


@pytest.mark.slow
def test_calls_fit_the_description_of_the_maker(reaching: Gateway, prism_github: PrismGithub) -> None:
    """Prism answers with an example for a call that fits, and refuses others."""
    reaching.create_service("prism", "github", prism_github.config())
    listed = reaching.admin.get("/prism/_repo?per_page=5")
    assert listed.status_code == 200, listed.text
    assert {"id", "name", "full_name", "private"} <= set(listed.json()["resource"][0])
    told = reaching.admin.get("/prism/_repo/hello/README.md?branch=main")
    assert told.status_code == 200, told.text
    assert {"name", "path", "sha"} <= set(str(told.json()).replace("'", " ").split())


def test_a_recorded_answer_is_read(reaching: Gateway) -> None:
    """GitHub's own bytes, as octokit has recorded them."""
    folder = node_package(PrismGithub, "@octokit/fixtures") / "scenarios" / "api.github.com" / "get-content"
    recorded = json.loads((folder / "raw-fixture.json").read_text())[0]
    body = json.dumps(recorded["response"]).encode()
    names, values = recorded["rawHeaders"][::2], recorded["rawHeaders"][1::2]
    left_out = ("content-length", "transfer-encoding", "connection", "content-encoding")
    lines = [f"{name}: {value}" for name, value in zip(names, values, strict=True) if name.lower() not in left_out]
    head = "\r\n".join(["HTTP/1.1 200 OK", *lines, f"Content-Length: {len(body)}", "Connection: close", "", ""])
    with scripted(head.encode() + body) as remote:
        config = {"base_url": f"http://127.0.0.1:{remote.port}", "vendor": "octokit-fixture-org", "token": "0" * 40}
        reaching.create_service("recorded", "github", config)
        found = reaching.admin.get("/recorded/_repo/hello-world")
        assert found.json()["resource"] == recorded["response"]
        asked = remote.asked[0].decode()
        assert asked.startswith("GET /repos/octokit-fixture-org/hello-world/contents?ref=master HTTP/1.1")
        assert f"Authorization: Bearer {'0' * 40}" in asked
