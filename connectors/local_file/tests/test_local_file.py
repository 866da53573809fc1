"""The suites on a folder of this machine, and what only that has: links, and places that are not to be served."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from trunkline.errors import BadRequest
from trunkline.testing import Client, Gateway
from trunkline_files.content import once
from trunkline_files.testing import FilesSuite, StreamingSuite
from trunkline_files.testing.base import Files
from trunkline_local_file import LocalFileConfig
from trunkline_local_file.store import LocalStore


class TestLocalFile(FilesSuite):
    service_type = "local_file"
    lacks = frozenset({"types", "properties"})

    @pytest.fixture
    def config(self) -> dict[str, Any]:
        return {"container": "suite"}

    def snapshot(self, files: Files) -> Any:
        """What is outside of the container counts as well."""
        storage = files.gateway.storage
        outside = [
            (str(one.relative_to(storage)), 0 if "sqlite" in one.suffix else one.stat().st_size)
            for one in storage.rglob("*")
            if "suite" not in one.parts and not _is_shared_memory(one)
        ]
        return super().snapshot(files), sorted(outside)


def _is_shared_memory(path: Path) -> bool:
    """Say whether a file beside a database comes and goes, as those of SQLite do."""
    return "cache" in path.name or path.suffix.endswith(("-wal", "-shm", "-journal"))


class TestStreaming(StreamingSuite):
    service_type = "local_file"
    every_way = True

    @pytest.fixture
    def config(self) -> dict[str, Any]:
        return {"container": "suite"}


class TestLinks:
    """Checklist 21: no link leads out of the folder, whoever made it, nor anywhere within."""

    @pytest.fixture
    def client(self, fresh_gateway: Gateway, tmp_path: Path) -> Client:
        root, outside = tmp_path / "root", tmp_path / "outside"
        root.mkdir()
        outside.mkdir()
        (outside / "secret.txt").write_text("secret")
        (root / "real").mkdir()
        (root / "real" / "a.txt").write_text("a")
        (root / "file").symlink_to(outside / "secret.txt")
        (root / "folder").symlink_to(outside)
        (root / "inner").symlink_to(root / "real")
        (root / "nowhere").symlink_to("/nowhere")
        (root / "loop").symlink_to(root / "loop")
        (root / "real" / "up").symlink_to("../..")
        os.mkfifo(root / "pipe")
        fresh_gateway.create_service("links", "local_file", {"container": str(root)})
        return fresh_gateway.admin

    LINKS = ("file", "folder", "inner", "nowhere", "loop", "pipe", "real/up")

    def test_they_are_not_listed(self, client: Client) -> None:
        rows = client.get("/links/", params={"full_tree": "true", "as_list": "true"}).json()["resource"]
        assert rows == ["real/", "real/a.txt"]
        assert client.get("/links/", params={"as_access_list": "true"}).json()["resource"] == [
            "",
            "*",
            "real/",
            "real/*",
        ]

    def test_they_are_not_followed(self, client: Client) -> None:
        for link in self.LINKS:
            for path in (link, f"{link}/", f"{link}/secret.txt", f"{link}/outside/secret.txt", f"{link}/a.txt"):
                for method in ("GET", "PATCH", "DELETE"):
                    body = {"a": "b"} if method == "PATCH" else None
                    reply = client.request(method, f"/links/{path}", json=body)
                    assert reply.status_code == 404, (method, path, reply.text)
                assert "secret" not in client.get(f"/links/{path}", params={"zip": "true"}).text.replace(
                    "secret.txt", ""
                )

    def test_nothing_is_written_through_them(self, client: Client, tmp_path: Path) -> None:
        for link in self.LINKS:
            assert client.post(f"/links/{link}/new.txt", content=b"x").status_code == 404
            assert client.post(f"/links/{link}/new/", json=None).status_code in (400, 404)
        one = {"type": "folder", "name": "stolen", "source_path": "folder"}
        row = client.post("/links/", json={"resource": [one]}).json()["resource"][0]
        assert row["error"]["code"] == 404
        assert [one.name for one in (tmp_path / "outside").iterdir()] == ["secret.txt"]

    def test_a_file_may_take_the_place_of_one_and_leaves_alone_what_it_led_to(
        self, client: Client, tmp_path: Path
    ) -> None:
        assert client.put("/links/file", content=b"new").status_code == 201
        assert client.get("/links/file").content == b"new"
        assert (tmp_path / "outside" / "secret.txt").read_text() == "secret"

    def test_they_go_with_their_folder(self, client: Client, tmp_path: Path) -> None:
        assert client.delete("/links/real/", params={"force": "true"}).status_code == 200
        assert client.delete("/links/", params={"content_only": "true"}).status_code == 200
        assert list((tmp_path / "root").iterdir()) == []
        assert (tmp_path / "outside" / "secret.txt").read_text() == "secret"


@pytest.mark.parametrize(
    "place",
    ["/", "/etc", "/etc/ssl", "/dev", "/bin", "/lib", "/proc/self", "/sys", "../x", "a/../../b", "x\0y"],
)
def test_places_of_the_machine_are_not_served(place: str) -> None:
    """Connectors 4.13."""
    with pytest.raises(BadRequest, match=r"config\.container"):
        LocalFileConfig.check({"container": place})


@pytest.mark.parametrize("place", [".", "", "./."])
def test_the_folder_with_the_keys_is_not_served(fresh_gateway: Gateway, place: str) -> None:
    storage = fresh_gateway.storage
    for number, container in enumerate((f"{storage}/{place}", str(storage.parent), f"{storage.parent}/link")):
        if container.endswith("link"):
            (storage.parent / "link").symlink_to(storage)
        fresh_gateway.create_service(f"keys{number}", "local_file", {"container": container})
        reply = fresh_gateway.admin.get(f"/keys{number}/")
        assert (reply.status_code, "keys" in reply.json()["error"]["message"]) == (400, True)
        assert str(storage) not in reply.text


def test_names_that_no_client_could_tell_are_passed_over(fresh_gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / os.fsdecode(b"\xff\xfe")).mkdir()
    (tmp_path / "root" / "a.txt").touch()
    fresh_gateway.create_service("odd", "local_file", {"container": str(tmp_path / "root")})
    assert [row["name"] for row in fresh_gateway.admin.get("/odd/").json()["resource"]] == ["a.txt"]


def test_thousands_of_files_list_completely(tmp_path: Path) -> None:
    for number in range(5000):
        (tmp_path / f"{number:04}").touch()

    async def story() -> list[str]:
        return [entry.path async for entry in LocalStore(tmp_path, "x", make_parents=False).list("")]

    assert asyncio.run(story()) == [f"{number:04}" for number in range(5000)]


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No disk can be filled here, so the system's answer is made."""
    store = LocalStore(tmp_path, "x", make_parents=False)

    def full(_file: int, _pieces: Any) -> int:
        raise OSError(28, "No space left on device")

    asyncio.run(store.write("a.txt", once(b"old"), "text/plain"))
    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(Exception, match="full") as caught:
        asyncio.run(store.write("a.txt", once(b"new"), "text/plain"))
    assert getattr(caught.value, "status", None) == 507
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]
