"""The suite on Swift, behind a stand-in for Rackspace's identity service that follows its published form."""

from __future__ import annotations

from typing import Any

import pytest
from swift_servers import OldIdentity

from trunkline.errors import BadRequest
from trunkline.testing import Gateway
from trunkline_files.testing import FilesSuite
from trunkline_rackspace_cloud_files import RackspaceCloudFilesConfig


@pytest.mark.live
class TestRackspace(FilesSuite):
    service_type = "rackspace_cloud_files"
    zips_whole_paths = False

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, old_identity: OldIdentity) -> dict[str, Any]:
        return old_identity.config("rackspace")


@pytest.mark.live
def test_a_wrong_key_is_not_the_callers_fault(fresh_gateway: Gateway, old_identity: OldIdentity) -> None:
    """Checklist 27 and 28."""
    config = {**old_identity.config("c"), "api_key": "not the right one"}
    fresh_gateway.create_service("wrong", "rackspace_cloud_files", config)
    reply = fresh_gateway.admin.get("/wrong/")
    assert (reply.status_code, "credentials" in reply.json()["error"]["message"]) == (502, True)
    assert "not the right one" not in reply.text


GOOD = {
    "username": "u", "tenant_name": "1", "api_key": "k", "url": "https://id.example/v2.0", "region": "ORD",
    "container": "c",
}  # fmt: skip


def test_fields_stand_in_the_order_that_clients_know() -> None:
    """Connectors 4.13."""
    entries = RackspaceCloudFilesConfig.schema_entries()
    names = [one["name"] for one in entries]
    assert names == ["username", "tenant_name", "api_key", "url", "region", "public_path", "container"]
    assert [one["name"] for one in entries[4]["values"]] == ["ORD", "DFW", "LON", "HKG", "IAD", "SYD"]


@pytest.mark.parametrize("change", [*({name: None} for name in GOOD), {"url": "https://id.example/v3"}])
def test_what_would_not_work_is_not_saved(change: dict[str, Any]) -> None:
    assert RackspaceCloudFilesConfig.check(GOOD).region == "ORD"
    with pytest.raises(BadRequest):
        RackspaceCloudFilesConfig.check({**GOOD, **change})
