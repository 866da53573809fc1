"""The suites on Azurite."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from object_servers import Azurite
from servers import Server, serving

from trunkline.errors import BadRequest, Conflict
from trunkline.testing import Gateway
from trunkline_azure_blob import AzureBlobConfig
from trunkline_files.content import once
from trunkline_files.testing import FilesSuite, StreamingSuite
from trunkline_files.testing.objects import Objects, ObjectsSuite, pieces, whole


class Slow(Azurite):
    """An Azurite that is killed only when what it holds is on the disk: it writes its index every five seconds."""

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            time.sleep(6)
        super().kill()


@pytest.mark.live
class TestAzurite(FilesSuite):
    service_type = "azure_blob"
    zips_whole_paths = False

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, azurite_server: Server) -> dict[str, Any]:
        return azurite_server.new_config()


@pytest.mark.live
class TestObjects(ObjectsSuite):
    service_type = "azure_blob"
    wrong_credentials: ClassVar = {"account_key": base64.b64encode(b"not the right key").decode()}

    @pytest.fixture
    def config(self, azurite_server: Server) -> dict[str, Any]:
        return azurite_server.new_config()

    @pytest.fixture
    def own_server(self) -> Iterator[Server]:
        with serving(Slow) as server:
            yield server

    def test_lists_tell_what_only_this_store_knows(self, gateway: Gateway, objects: Objects) -> None:
        """Connectors 4.12."""
        assert gateway.admin.post(f"/{objects.name}/a.txt", content=b"x").status_code == 201
        (row,) = gateway.admin.get(f"/{objects.name}/").json()["resource"]
        assert (row["content_encoding"], row["content_language"]) == (None, None)

    def test_blobs_of_other_kinds_are_read_and_replaced_by_small_files(self, objects: Objects) -> None:
        async def story(store: Any) -> None:
            await store.create_container()
            blob = (await store.connection.client()).get_blob_client(store.container, "log.txt")
            await blob.create_append_blob()
            await blob.append_block(b"one\n")
            assert await whole(store, "log.txt") == b"one\n"
            with pytest.raises(Conflict):
                await store.write("log.txt", pieces(20), "text/plain")
            assert await whole(store, "log.txt") == b"one\n"
            await store.write("log.txt", once(b"two"), "text/plain")
            assert await whole(store, "log.txt") == b"two"

        objects.run(story)

    def test_a_container_has_properties(self, gateway: Gateway, objects: Objects) -> None:
        reply = gateway.admin.patch(f"/{objects.name}/", json={"colour": "red"})
        assert (reply.status_code, reply.json()) == (200, {"success": True})


@pytest.mark.live
class TestStreaming(StreamingSuite):
    service_type = "azure_blob"

    @pytest.fixture
    def config(self, azurite_server: Server) -> dict[str, Any]:
        return azurite_server.new_config()


def test_fields_stand_in_the_order_that_clients_know() -> None:
    """Connectors 4.13."""
    entries = AzureBlobConfig.schema_entries()
    assert [one["name"] for one in entries] == [
        "account_name", "account_key", "protocol", "public_path", "container", "endpoint",
    ]  # fmt: skip
    assert [one["name"] for one in entries[2]["values"]] == ["http", "https"]
    assert [one["name"] for one in entries if one["required"]] == []


GOOD = {"account_name": "shop", "account_key": "a2V5", "protocol": "https", "container": "files"}


@pytest.mark.parametrize(
    "change",
    [
        {"account_name": None}, {"account_name": "evil.example/"}, {"account_name": "a@b"}, {"account_key": ""},
        {"protocol": None}, {"protocol": "ftp"}, {"container": None}, {"endpoint": "unix:/x"},
    ],
)  # fmt: skip
def test_what_would_not_work_is_not_saved(change: dict[str, Any]) -> None:
    assert AzureBlobConfig.check(GOOD).protocol == "https"
    with pytest.raises(BadRequest):
        AzureBlobConfig.check({**GOOD, **change})
