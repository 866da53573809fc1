"""The suites on moto, which is quick, and on Ceph, which is real."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from object_servers import Ceph, s3
from servers import Server, serving

from trunkline.errors import BadRequest
from trunkline.testing import Gateway
from trunkline_aws_s3 import AwsS3Config
from trunkline_aws_s3.service import REGIONS
from trunkline_aws_s3.store import S3Store
from trunkline_files.testing import FilesSuite, StreamingSuite
from trunkline_files.testing.objects import Objects, ObjectsSuite, pieces, whole


class S3Suite(FilesSuite):
    service_type = "aws_s3"
    zips_whole_paths = False


class TestMoto(S3Suite):
    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, moto_server: Server) -> dict[str, Any]:
        return moto_server.new_config()


@pytest.mark.live
class TestCeph(S3Suite):
    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, ceph_server: Server) -> dict[str, Any]:
        return ceph_server.new_config()


@pytest.mark.live
class TestObjects(ObjectsSuite):
    service_type = "aws_s3"
    wrong_credentials: ClassVar = {"secret": "not the right secret"}

    @pytest.fixture
    def config(self, ceph_server: Server) -> dict[str, Any]:
        return ceph_server.new_config()

    @pytest.fixture
    def own_server(self) -> Iterator[Server]:
        with serving(Ceph) as server:
            yield server

    async def unfinished(self, store: Any) -> int:
        client = await store.connection.client()
        return len((await client.list_multipart_uploads(Bucket=store.container)).get("Uploads", []))

    def test_large_objects_are_copied_in_parts(self, objects: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(S3Store, "copied_at_once", 10 << 20)
        monkeypatch.setattr(S3Store, "copied_part", 6 << 20)

        async def story(store: Any) -> None:
            await store.write("big.bin", pieces(20), "application/x-big")
            await store.set_properties("big.bin", {"colour": "red"}, is_folder=False)
            await store.copy("big.bin", "copy.bin")
            found = await store.file("copy.bin")
            assert (found.media_type, found.more["metadata"]) == ("application/x-big", {"colour": "red"})
            assert found.etag.endswith("-4")
            assert await whole(store, "copy.bin") == b"".join([piece async for piece in pieces(20)])
            assert await self.unfinished(store) == 0

        objects.run(story)

    def test_a_key_that_is_not_known_is_told_as_a_secret_that_is_wrong(
        self, gateway: Gateway, config: dict[str, Any]
    ) -> None:
        service = Objects(gateway, "aws_s3", {**config, "key": "nobody"}).name
        assert gateway.admin.get(f"/{service}/a.txt").status_code == 502

    def test_credentials_may_come_from_the_environment(
        self, gateway: Gateway, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", config["key"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", config["secret"])
        service = Objects(gateway, "aws_s3", {**config, "key": "", "secret": None}).name
        assert gateway.admin.post(f"/{service}/a.txt", content=b"x").status_code == 201


@pytest.mark.live
class TestStreaming(StreamingSuite):
    service_type = "aws_s3"

    @pytest.fixture
    def config(self, ceph_server: Server) -> dict[str, Any]:
        return ceph_server.new_config()


def test_requests_take_the_way_through_a_proxy(gateway: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        asked: list[bytes] = []

        def answer() -> None:
            connection, _ = proxy.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        config = s3(1, "bucket", "key", "secret") | {"endpoint": "http://s3.example.invalid"}
        config["proxy"] = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        service = Objects(gateway, "aws_s3", config).name
        assert gateway.admin.get(f"/{service}/").status_code == 403
        answering.join(timeout=5)
    assert asked[0].startswith(b"GET http://s3.example.invalid/bucket?")


def test_fields_stand_in_the_order_that_clients_know() -> None:
    """Connectors 4.13."""
    entries = AwsS3Config.schema_entries()
    assert [one["name"] for one in entries] == [
        "key", "secret", "region", "proxy", "public_path", "container", "endpoint", "path_style",
    ]  # fmt: skip
    region = entries[2]
    assert region["type"] == "picklist"
    assert [one["name"] for one in region["values"]] == list(REGIONS)
    assert [one["name"] for one in entries if one["required"]] == []


@pytest.mark.parametrize(
    "config",
    [
        {"region": "us-east-1"}, {"container": "x"}, {"container": " ", "region": "us-east-1"},
        {"container": "x", "region": ""}, {"container": "x", "region": "r", "endpoint": "file:///etc"},
    ],
)  # fmt: skip
def test_what_would_not_work_is_not_saved(config: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        AwsS3Config.check(config)


def test_any_region_is_taken() -> None:
    assert AwsS3Config.check({"container": "x", "region": "moon-1"}).region == "moon-1"
