"""What all parts of the suite share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

import httpx2
import pytest

from trunkline.testing import Client, Gateway

# What a store may lack: ``folders`` (things of their own, not prefixes), ``types`` (kept with files),
# ``times`` (of files), ``properties`` (kept with files), ``containers`` (others, by the same credentials).
Abilities = frozenset[str]
_numbers = itertools.count(1)


class Files:
    """A folder of a service for one test, and the calls on what is in it."""

    def __init__(self, gateway: Gateway, service: str, client: Client | None = None, folder: str | None = None) -> None:
        """Make a folder that no other test uses."""
        self.gateway = gateway
        self.service = service
        self.client = client or gateway.admin
        self.folder = f"t{next(_numbers)}" if folder is None else folder
        if folder is None:
            self.ok(self.client.post(f"/{service}/{self.folder}/"), 201)

    def by(self, client: Client) -> Files:
        """Answer the same folder for another client."""
        return Files(self.gateway, self.service, client, self.folder)

    def url(self, path: str = "") -> str:
        """Answer the URL of something in the folder, below ``/api/v2``."""
        return f"/{self.service}/{self.folder}/{path}"

    def path(self, path: str = "") -> str:
        """Answer the path below the container."""
        return f"{self.folder}/{path}"

    def put(self, path: str, content: bytes | str = b"hello", **more: Any) -> None:
        """Store a file."""
        self.ok(self.client.post(self.url(path), content=content, **more), 201)

    def make(self, path: str) -> None:
        """Make a folder."""
        self.ok(self.client.post(self.url(f"{path}/")), 201)

    def bytes(self, path: str) -> bytes | None:
        """Answer what a file holds, None where there is none; with all rights."""
        reply = self.gateway.admin.get(self.url(path))
        return reply.content if reply.status_code == 200 else None

    def tree(self) -> list[str]:
        """List all paths in the folder, relative to it; with all rights."""
        reply = self.gateway.admin.get(self.url(), params={"full_tree": "true", "as_list": "true"})
        start = len(self.folder) + 1
        return [one[start:] for one in self.ok(reply)["resource"]]

    @staticmethod
    def ok(reply: httpx2.Response, status: int = 200) -> Any:
        """Answer the content of a reply that has this status."""
        assert reply.status_code == status, (reply.status_code, reply.text)
        return reply.json()


def error_of(reply: httpx2.Response, status: int) -> str:
    """Answer the message of an error in the envelope."""
    assert reply.status_code == status, (reply.status_code, reply.text[:500])
    told = reply.json()["error"]
    assert set(told) == {"code", "context", "message", "status_code"}
    message: str = told["message"]
    return message


class FilesTests:
    """The fixtures of the suite's parts."""

    service_type: ClassVar[str]
    #: What the store lacks, of the words of ``Abilities``.
    lacks: ClassVar[Abilities] = frozenset()
    #: The type of a file whose name says nothing.
    unknown_media_type: ClassVar[str] = "application/octet-stream"
    #: Whether names in an archive of a folder begin with the path of the folder.
    zips_whole_paths: ClassVar[bool] = True

    def needs(self, ability: str) -> None:
        """Skip the test where the store lacks something."""
        if ability in self.lacks:
            pytest.skip(f"{self.service_type} lacks {ability}")

    @pytest.fixture
    def files(self, gateway: Gateway, service: str) -> Iterator[Files]:
        """A folder of its own for each test."""
        made = Files(gateway, service)
        yield made
        gateway.admin.delete(made.url(), params={"force": "true"})
