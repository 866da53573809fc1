"""GitLab passes the suite of its family on the stand-in."""

from __future__ import annotations

from typing import Any

import pytest
from remote_servers import Forges

from trunkline.testing import Gateway
from trunkline_scm.testing import ScmSuite

pytestmark = pytest.mark.live


class TestGitlab(ScmSuite):
    service_type = "gitlab"

    @pytest.fixture
    def config(self, forges: Forges) -> dict[str, Any]:
        return {**forges.config("gitlab/api/v4/"), "namespace": "acme"}

    def test_without_a_namespace_it_is_that_of_the_token(self, gateway: Gateway, config: dict[str, Any]) -> None:
        gateway.create_service("own", "gitlab", {**config, "namespace": ""})
        assert gateway.admin.get("/own/_repo?as_list=true").json()["resource"] == ["demo", "old"]
        assert gateway.admin.get("/own/_repo/old/old.txt?content=true").text == "old"

    def test_a_namespace_may_be_a_group(self, gateway: Gateway, config: dict[str, Any]) -> None:
        gateway.create_service("guild", "gitlab", {**config, "namespace": "guild"})
        assert gateway.admin.get("/guild/_repo?as_list=true").json()["resource"] == ["g"]
