"""The suites on Swift behind Keystone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from servers import Server, serving
from swift_servers import OldIdentity, Swift

from trunkline.errors import BadRequest
from trunkline.testing import Gateway
from trunkline_files.testing import FilesSuite, StreamingSuite
from trunkline_files.testing.objects import Objects, ObjectsSuite, pieces
from trunkline_openstack_object_storage import OpenstackObjectStorageConfig


@pytest.mark.live
class TestSwift(FilesSuite):
    service_type = "openstack_object_storage"
    zips_whole_paths = False

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, swift_server: Server) -> dict[str, Any]:
        return swift_server.new_config()


@pytest.mark.live
class TestObjects(ObjectsSuite):
    service_type = "openstack_object_storage"
    wrong_credentials: ClassVar = {"password": "not the right one"}
    address: ClassVar = ("url", "/v3")
    bad_containers: ClassVar = ("../x", "a/b", "", ".", "..", "a\nb")
    # A thousand segments, the largest of four gibibytes.
    most_bytes: ClassVar = 750 << 30

    @pytest.fixture
    def config(self, swift_server: Server) -> dict[str, Any]:
        return swift_server.new_config()

    @pytest.fixture
    def own_server(self) -> Iterator[Server]:
        with serving(Swift) as server:
            yield server


@pytest.mark.live
class TestStreaming(StreamingSuite):
    service_type = "openstack_object_storage"

    @pytest.fixture
    def config(self, swift_server: Server) -> dict[str, Any]:
        return swift_server.new_config()


@pytest.mark.live
def test_segments_go_with_their_file(swift_server: Swift, fresh_gateway: Gateway) -> None:
    """Replaced, copied over or deleted: nobody else would ever remove them."""
    objects = Objects(fresh_gateway, "openstack_object_storage", swift_server.new_config())

    async def story(store: Any) -> None:
        async def left() -> int:
            return len([one async for one in store.other(f"{store.container}_segments").list("", deep=True)])

        await store.write("big.bin", pieces(20), "application/x-big")
        segments = await left()
        assert segments > 3
        await store.write("big.bin", pieces(20), "application/x-big")
        assert await left() == segments
        await store.copy("big.bin", "copy.bin")
        assert await left() > segments
        await store.write("copy.bin", pieces(1), "application/x-big")
        assert await left() == segments
        await store.remove_file("big.bin")
        assert await left() == 0

    objects.run(story)


@pytest.mark.live
def test_the_older_identity_service_is_spoken_to_as_well(fresh_gateway: Gateway, old_identity: OldIdentity) -> None:
    config = {**old_identity.swift.config("older"), "url": old_identity.url}
    fresh_gateway.create_service("older", "openstack_object_storage", config)
    assert fresh_gateway.admin.put("/older/a.txt", content=b"x").status_code == 201
    assert fresh_gateway.admin.get("/older/a.txt").content == b"x"


@pytest.mark.live
def test_a_region_without_storage_is_told(fresh_gateway: Gateway, swift_server: Swift) -> None:
    fresh_gateway.create_service("far", "openstack_object_storage", {**swift_server.config("c"), "region": "Mars"})
    reply = fresh_gateway.admin.get("/far/")
    assert (reply.status_code, "region" in reply.json()["error"]["message"]) == (502, True)


GOOD = {
    "username": "u", "password": "p", "tenant_name": "t", "url": "https://id.example/v3", "region": "R",
    "container": "c",
}  # fmt: skip


def test_fields_stand_in_the_order_that_clients_know() -> None:
    """Connectors 4.13."""
    names = [one["name"] for one in OpenstackObjectStorageConfig.schema_entries()]
    assert names == ["username", "password", "tenant_name", "url", "region", "public_path", "container"]


@pytest.mark.parametrize(
    "change", [*({name: None} for name in GOOD), {"url": "https://id.example"}, {"url": "ftp://x/v3"}, {"region": " "}]
)
def test_what_would_not_work_is_not_saved(change: dict[str, Any]) -> None:
    assert OpenstackObjectStorageConfig.check(GOOD).url == "https://id.example/v3"
    with pytest.raises(BadRequest):
        OpenstackObjectStorageConfig.check({**GOOD, **change})
