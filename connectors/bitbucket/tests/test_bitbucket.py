"""Bitbucket passes the suite of its family on the stand-in, and its calls fit its description."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from remote_servers import Forges, PrismBitbucket

from trunkline.testing import Gateway
from trunkline.testing.fixtures import _copied, settings_for
from trunkline_scm.testing import ScmSuite

pytestmark = pytest.mark.live


class TestBitbucket(ScmSuite):
    service_type = "bitbucket"

    @pytest.fixture
    def config(self, forges: Forges) -> dict[str, Any]:
        return {**forges.config("bitbucket"), "vendor": "acme"}

    def test_a_password_logs_in_as_well(self, gateway: Gateway, config: dict[str, Any]) -> None:
        login = {**config, "token": None, "username": "ana", "password": "t0ken"}
        gateway.create_service("by_password", "bitbucket", login)
        assert gateway.admin.get("/by_password/_repo").status_code == 200

    def test_entries_have_the_forms_of_the_original(self, at: Any) -> None:
        folder, file = at("src").json()["resource"]
        commit = "0123456789abcdef0123456789abcdef01234567"
        assert folder == {"name": "lib", "path": "src/", "type": "dir", "node": commit}
        assert file == {
            "size": 12, "path": "src/app.py", "timestamp": "2026-01-02T03:04:05Z",
            "utctimestamp": "2026-01-02 03:04:05+00:00", "revision": commit, "name": "src/app.py", "type": "file",
            "node": commit,
        }  # fmt: skip
        assert set(at("src/app.py").json()) == {"node", "path", "content", "encoding", "size"}
        assert at("src", content="true").text == "lib\nsrc/app.py"


@pytest.fixture
def reaching(_template: Path, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that may reach this machine."""
    storage = _copied(_template, tmp_path / "storage")
    with Gateway(settings_for(storage, outgoing_networks="127.0.0.0/8")) as gateway:
        yield gateway


@pytest.mark.slow
def test_calls_fit_the_description_of_the_maker(reaching: Gateway, prism_bitbucket: PrismBitbucket) -> None:
    """Prism answers with what the description allows for a call that fits, and refuses others."""
    reaching.create_service("prism", "bitbucket", prism_bitbucket.config())
    listed = reaching.admin.get("/prism/_repo?per_page=5")
    assert listed.status_code == 200, listed.text
    assert isinstance(listed.json()["resource"], list)
    # Prism knows no empty segment, which is how Bitbucket is asked for the root.
    told = reaching.admin.get("/prism/_repo/hello/README.md?branch=main")
    assert told.status_code == 200, told.text
    assert {"path", "node", "content", "encoding", "size"} == set(told.json())
