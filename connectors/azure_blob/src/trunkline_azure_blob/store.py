"""A container of blobs as a store."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from trunkline.errors import Forbidden, InternalError
from trunkline_azure_blob.connection import Connection, translated
from trunkline_files.errors import FileMissing
from trunkline_files.object_store import ObjectStore, Page, Part, Upload, chunked, in_time
from trunkline_files.store import Entry

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties
    from azure.storage.blob.aio import BlobClient, ContainerClient

_MOST_DELETED = 256
# The library sends a small blob as bytes, all at once, during which nothing else happens; blocks it sends in pieces.
_MOST_AT_ONCE = 1 << 20


class BlobStore(ObjectStore[Connection]):
    """A container of blobs."""

    container_name: ClassVar = re.compile(r"\$root|[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]")

    async def _all(self) -> ContainerClient:
        return (await self.connection.client()).get_container_client(self.container)

    async def _blob(self, key: str) -> BlobClient:
        return (await self._all()).get_blob_client(key)

    async def head(self, key: str) -> Entry:
        """Answer what is known of a blob."""
        return _entry(await self._properties(key))

    async def _properties(self, key: str) -> BlobProperties:
        blob = await self._blob(key)
        with translated(key):
            return await blob.get_blob_properties()

    async def pages(self, prefix: str, *, deep: bool, most: int | None = None) -> AsyncGenerator[Page, None]:
        """List blobs, a thousand with each request."""
        from azure.storage.blob.aio import BlobPrefix

        container, size = await self._all(), most or 1000
        if deep:
            listed: Any = container.list_blobs(name_starts_with=prefix, results_per_page=size)
        else:
            listed = container.walk_blobs(name_starts_with=prefix, delimiter="/", results_per_page=size)
        pages = listed.by_page()
        while True:
            with translated(prefix):
                page = await anext(pages, None)
                found = [] if page is None else [one async for one in page]
            if page is None:
                return
            prefixes = [one.name for one in found if isinstance(one, BlobPrefix)]
            yield Page([_entry(one) for one in found if not isinstance(one, BlobPrefix)], prefixes)

    async def read(self, path: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Read a blob, each piece with a request that fails when the blob is no longer the same."""
        if length == 0:
            return
        blob = await self._blob(path)
        with translated(path):
            reply = await blob.download_blob(start, length) if start or length else await blob.download_blob()
            async for piece in reply.chunks():
                if piece:
                    yield piece

    async def put(self, key: str, content: Part, media_type: str) -> None:
        """Create or replace a blob at once."""
        from azure.storage.blob import ContentSettings

        blob, settings = await self._blob(key), ContentSettings(content_type=media_type)
        content.seek(0)
        if content.size > _MOST_AT_ONCE:
            upload = _Blocks(blob, media_type)
            await upload.add(0, content)
            await upload.complete()
            return
        with translated(key):
            async with in_time(content):
                await blob.upload_blob(content, length=content.size, overwrite=True, content_settings=settings)

    async def begin(self, key: str, media_type: str) -> Upload:
        """Begin to stage blocks; nothing is there before they are committed."""
        container = await self._all()
        with translated(key):
            # Blocks can be staged only where the container is, and a part is too much to send for learning that.
            await container.get_container_properties()
        return _Blocks(await self._blob(key), media_type)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove blobs, many with each request."""
        if len(keys) == 1:
            blob = await self._blob(keys[0])
            with contextlib.suppress(FileMissing), translated(keys[0]):
                await blob.delete_blob(delete_snapshots="include")
            return
        container = await self._all()
        for some in chunked(keys, _MOST_DELETED):
            with translated(""):
                done = await container.delete_blobs(*some, delete_snapshots="include", raise_on_any_failure=False)
                statuses = [one.status_code async for one in done]
            if any(status >= 400 and status != 404 for status in statuses):
                raise Forbidden("The storage does not permit to remove all of this.")

    async def create_container(self) -> None:
        """Create the container."""
        from azure.core.exceptions import ResourceExistsError

        container = await self._all()
        with translated(""):
            try:
                await container.create_container()
            except ResourceExistsError as error:
                if getattr(error, "error_code", "") != "ContainerAlreadyExists":
                    raise

    async def copy(self, source: str, target: str) -> None:
        """Let the server copy a blob."""
        origin, blob = await self._blob(source), await self._blob(target)
        with translated(source):
            begun = await blob.start_copy_from_url(origin.url)
            status, number = str(begun["copy_status"]), str(begun["copy_id"])
            try:
                while status == "pending":
                    await asyncio.sleep(0.5)
                    status = (await blob.get_blob_properties()).copy.status or ""
            except BaseException:
                await self.undone(lambda: _ended(blob, number))
                raise
        if status != "success":
            raise InternalError("The storage failed to copy the file.")

    async def describe_container(self, values: dict[str, str]) -> None:
        """Keep metadata of the container."""
        container = await self._all()
        with translated(""):
            known = (await container.get_container_properties()).metadata
            await container.set_container_metadata(_joined(known, values))

    async def describe(self, key: str, values: dict[str, str]) -> None:
        """Keep metadata of a blob, unless the blob changes meanwhile."""
        from azure.core import MatchConditions

        known, blob = await self._properties(key), await self._blob(key)
        with translated(key):
            await blob.set_blob_metadata(
                _joined(known.metadata, values), etag=known.etag, match_condition=MatchConditions.IfNotModified
            )


class _Blocks(Upload):
    """Blocks that become a blob when their list is committed.

    Azure has no way to remove blocks that were not: it does so by itself after a week.
    """

    def __init__(self, blob: BlobClient, media_type: str) -> None:
        self._blob = blob
        self._media_type = media_type
        # Two uploads of one blob at a time must not take each other's blocks.
        self._start = secrets.token_hex(8)
        self._numbers: list[str] = []

    async def add(self, number: int, part: Part) -> None:
        name = f"{self._start}{number:06}"
        with translated(""):
            async with in_time(part):
                await self._blob.stage_block(name, part, part.size)
        self._numbers.append(name)

    async def complete(self) -> None:
        from azure.storage.blob import BlobBlock, ContentSettings

        blocks, settings = [BlobBlock(one) for one in self._numbers], ContentSettings(content_type=self._media_type)
        with translated(""):
            await self._blob.commit_block_list(blocks, content_settings=settings)

    async def abort(self) -> None:
        """Do nothing: nobody sees the blocks."""


def _entry(found: BlobProperties) -> Entry:
    settings = found.content_settings
    more: dict[str, Any] = {
        "content_encoding": settings.content_encoding,
        "content_language": settings.content_language,
    }
    if found.metadata:
        more["metadata"] = dict(found.metadata)
    return Entry(
        found.name,
        size=found.size,
        modified=found.last_modified.timestamp(),
        media_type=settings.content_type,
        etag=found.etag.strip('"') if found.etag else None,
        more=more,
    )


def _joined(known: dict[str, str] | None, given: dict[str, str]) -> dict[str, str]:
    """Put properties beside those that are there; case does not tell their names apart."""
    changed = {name.lower() for name in given}
    return {name: value for name, value in (known or {}).items() if name.lower() not in changed} | given


async def _ended(blob: BlobClient, number: str) -> None:
    with translated(""):
        await blob.abort_copy(number)
