"""A container of OpenStack's storage as a store; large files are segments with a manifest (static large objects)."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from trunkline_files import dates
from trunkline_files.errors import FileMissing
from trunkline_files.object_store import ContainerMissing, ObjectStore, Page, Part, Upload, in_time
from trunkline_files.store import CHUNK, Entry
from trunkline_files.swift.connection import Connection

_PAGE = 10_000
_AT_ONCE = 16
_META = "x-object-meta-"
# Where the segments of a container's large files are; tools of OpenStack use the same name.
_SEGMENTS = "_segments"
_MANIFEST = {"multipart-manifest": "put"}


class SwiftStore(ObjectStore[Connection]):
    """A container."""

    container_name: ClassVar = re.compile(r"(?!\.{1,2}$)[^/\x00-\x1f\x7f]{1,256}")
    # How many segments clusters take in a manifest, unless they were told otherwise.
    most_parts: ClassVar[int] = 1000
    folder_media_type: ClassVar[str] = "application/directory"

    async def head(self, key: str) -> Entry:
        """Answer what is known of an object."""
        async with self.connection.asked("HEAD", self.container, key) as reply:
            found = reply.headers
            metadata = {
                name.removeprefix(_META): unquote(value) for name, value in found.items() if name.startswith(_META)
            }
            return Entry(
                key,
                size=int(found.get("content-length", 0)),
                modified=dates.read(found.get("last-modified", "")),
                media_type=found.get("content-type"),
                etag=found.get("etag", "").strip('"') or None,
                more={"metadata": metadata} if metadata else {},
            )

    async def pages(self, prefix: str, *, deep: bool, most: int | None = None) -> AsyncGenerator[Page, None]:
        """List keys, ten thousand with each request."""
        limit = most or _PAGE
        asked = {"format": "json", "prefix": prefix, "limit": str(limit)}
        if not deep:
            asked["delimiter"] = "/"
        while True:
            async with self.connection.asked("GET", self.container, params=asked) as reply:
                rows = json.loads(await reply.aread() or b"[]")
            if not rows:
                return
            objects = [_entry(row) for row in rows if "name" in row]
            yield Page(objects, [row["subdir"] for row in rows if "subdir" in row])
            asked["marker"] = rows[-1].get("name") or rows[-1]["subdir"]

    async def read(self, path: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Read an object as it comes; what is asked for is one request."""
        if length == 0:
            return
        headers = {"Accept-Encoding": "identity"}
        if start or length is not None:
            headers["Range"] = f"bytes={start}-{'' if length is None else start + length - 1}"
        async with self.connection.asked("GET", self.container, path, headers=headers) as reply:
            async for piece in reply.aiter_raw(CHUNK):
                yield piece

    async def put(self, key: str, content: Part, media_type: str) -> None:
        """Create or replace an object at once."""
        old = await self._segments_of(key)
        async with in_time(content):
            await self._put(self.container, key, content, media_type)
        await self._removed(old)

    async def _put(self, container: str, key: str, content: Part, media_type: str) -> str:
        """Send an object with its digest, so that it is what was sent; answer the digest."""
        data = content.getvalue()
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        headers = {"Content-Type": media_type, "ETag": etag}
        async with self.connection.asked("PUT", container, key, content=data, headers=headers):
            return etag

    async def begin(self, key: str, media_type: str) -> Upload:
        """Begin a large object."""
        segments = f"{self.container}{_SEGMENTS}"
        await self._create(segments)
        async with self.connection.asked("HEAD", self.container):
            pass
        return _Segments(self, segments, key, media_type)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, with their segments where they have some."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(key: str) -> None:
            async with gate:
                try:
                    wanted = {"multipart-manifest": "delete"} if await self._is_manifest(key) else {}
                    async with self.connection.asked("DELETE", self.container, key, params=wanted) as reply:
                        await reply.aread()
                except FileMissing:
                    return

        async with asyncio.TaskGroup() as together:
            for key in keys:
                together.create_task(one(key))

    async def create_container(self) -> None:
        """Create the container."""
        await self._create(self.container)

    async def _create(self, container: str) -> None:
        async with self.connection.asked("PUT", container):
            pass

    async def copy(self, source: str, target: str) -> None:
        """Copy an object by the storage; a large one by its bytes, as two manifests would share their segments."""
        if await self._is_manifest(source):
            kept = (await self.head(source)).more.get("metadata")
            await super().copy(source, target)
            if kept:
                await self.describe(target, kept)
            return
        old = await self._segments_of(target)
        headers = {"X-Copy-From": quote(f"{self.container}/{source}"), "Content-Length": "0"}
        try:
            async with self.connection.asked("PUT", self.container, target, headers=headers):
                pass
        except ContainerMissing:
            raise FileMissing(source) from None
        await self._removed(old)

    async def describe(self, key: str, values: dict[str, str]) -> None:
        """Keep metadata of an object beside what is there."""
        kept = (await self.head(key)).more.get("metadata", {}) | values
        headers = {f"{_META}{name}": quote(value) for name, value in kept.items()}
        async with self.connection.asked("POST", self.container, key, headers=headers):
            pass

    async def describe_container(self, values: dict[str, str]) -> None:
        """Keep metadata of the container."""
        headers = {f"x-container-meta-{name}": quote(value) for name, value in values.items()}
        async with self.connection.asked("POST", self.container, headers=headers):
            pass

    async def _is_manifest(self, key: str) -> bool:
        async with self.connection.asked("HEAD", self.container, key) as reply:
            return "x-static-large-object" in reply.headers

    async def _segments_of(self, key: str) -> list[tuple[str, str]]:
        """List the segments of what an upload will replace: nobody else removes them."""
        try:
            if not await self._is_manifest(key):
                return []
            wanted = {"multipart-manifest": "get"}
            async with self.connection.asked("GET", self.container, key, params=wanted) as reply:
                rows = json.loads(await reply.aread())
        except FileMissing:
            return []
        return [(container, name) for container, _, name in (row["name"].strip("/").partition("/") for row in rows)]

    async def _removed(self, segments: Sequence[tuple[str, str]]) -> None:
        for container, name in segments:
            try:
                async with self.connection.asked("DELETE", container, name):
                    pass
            except FileMissing:
                continue


class _Segments(Upload):
    """A large object: its segments lie under a name of their own until the manifest puts them into its place."""

    def __init__(self, store: SwiftStore, container: str, key: str, media_type: str) -> None:
        self._store = store
        self._container = container
        self._key = key
        self._media_type = media_type
        self._prefix = f"{key}/{secrets.token_hex(8)}"
        self._sent: list[dict[str, Any]] = []

    def _name(self, number: int) -> str:
        return f"{self._prefix}/{number:08}"

    async def add(self, number: int, part: Part) -> None:
        """Send a segment."""
        name = self._name(number)
        # Told before it is sent, so that it is removed whatever becomes of the sending.
        told: dict[str, Any] = {"path": f"/{self._container}/{name}", "size_bytes": part.size}
        self._sent.append(told)
        async with in_time(part):
            told["etag"] = await self._store._put(self._container, name, part, "application/octet-stream")

    async def complete(self) -> None:
        """Put the manifest."""
        store, old = self._store, await self._store._segments_of(self._key)
        body = json.dumps(self._sent).encode()
        headers = {"Content-Type": self._media_type}
        async with store.connection.asked(
            "PUT", store.container, self._key, params=_MANIFEST, content=body, headers=headers
        ) as reply:
            await reply.aread()
        self._sent = []
        await store._removed(old)

    async def abort(self) -> None:
        """Remove the segments."""
        await self._store._removed([(self._container, self._name(number)) for number in range(len(self._sent))])


def _entry(row: dict[str, Any]) -> Entry:
    modified = datetime.fromisoformat(row["last_modified"]).replace(tzinfo=UTC).timestamp()
    return Entry(
        row["name"], size=row["bytes"], modified=modified, media_type=row.get("content_type"), etag=row.get("hash")
    )
