"""FsspecStore: any filesystem of fsspec as a store, for types that need no more than that."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from trunkline.errors import BadRequest
from trunkline.threads import in_thread_to_the_end
from trunkline_files.ahead import gathered
from trunkline_files.errors import FileMissing, translated
from trunkline_files.paths import RESERVED, joined, name_of, parent_of
from trunkline_files.store import CHUNK, Entry, Store

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# One request for each piece: fewer and larger ones where every piece is a round trip.
_PIECE = 4 * CHUNK
_TIMES = ("mtime", "LastModified", "last_modified", "modified", "created")
_TAGS = ("ETag", "etag", "content_md5")


class FsspecStore(Store):
    """A folder of a filesystem of fsspec, asynchronous (made with ``asynchronous=True``) or not, then in threads.

    Files are written beside and renamed where there are folders; stores without folders show what is put into them
    only when it is complete, by themselves.
    """

    def __init__(self, filesystem: AbstractFileSystem, root: str) -> None:
        """Serve what is below ``root``, which must be there."""
        self._fs = filesystem
        self._root = root.rstrip("/")

    @property
    def container(self) -> str:
        """The last part of the root."""
        return name_of(self._root)

    def full(self, path: str) -> str:
        """Answer the path as the filesystem knows it."""
        return f"{self._root}/{path}" if path else self._root

    async def run(self, method: str, *arguments: Any, **more: Any) -> Any:
        """Call a method of the filesystem."""
        if self._fs.async_impl and self._fs.asynchronous:
            return await getattr(self._fs, f"_{method}")(*arguments, **more)
        return await in_thread_to_the_end(lambda: getattr(self._fs, method)(*arguments, **more))

    async def file(self, path: str) -> Entry | None:
        """Answer what is known of a file."""
        return await self._known(path, is_folder=False)

    async def folder(self, path: str) -> Entry | None:
        """Answer what is known of a folder."""
        return await self._known(path, is_folder=True)

    async def _known(self, path: str, *, is_folder: bool) -> Entry | None:
        try:
            with translated(path):
                found = self.entry(path, await self.run("info", self.full(path)))
        except FileMissing:
            return None
        return found if found.is_folder == is_folder else None

    def entry(self, path: str, info: dict[str, Any]) -> Entry:
        """Make an entry of what the filesystem says of something; its words differ."""
        modified = next((info[name] for name in _TIMES if info.get(name) is not None), None)
        if isinstance(modified, datetime):
            modified = modified.timestamp()
        etag = next((info[name] for name in _TAGS if isinstance(info.get(name), str)), None)
        if info["type"] == "directory":
            return Entry(path, is_folder=True, modified=modified if isinstance(modified, int | float) else None)
        return Entry(
            path,
            size=info["size"],
            modified=modified if isinstance(modified, int | float) else None,
            media_type=info.get("ContentType") or info.get("content_type"),
            etag=etag.strip('"') if etag else None,
        )

    async def list(self, folder: str, *, deep: bool = False) -> AsyncGenerator[Entry, None]:
        """List a folder."""
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            try:
                with translated(current):
                    found = await self.run("ls", self.full(current), detail=True)
            except FileMissing:
                continue
            for info in found:
                name = name_of(str(info["name"]).rstrip("/"))
                path = joined(current, name)
                if not name or name.startswith(RESERVED) or info["name"].strip("/") == self.full(current).strip("/"):
                    continue
                entry = self.entry(path, info)
                if deep and entry.is_folder:
                    waiting.append(path)
                yield entry

    async def read(self, path: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Read a file piece by piece."""
        if length is None:
            found = await self.file(path)
            if found is None:
                raise FileMissing(path)
            length = (found.size or 0) - start
        async with self._opened(path) as piece:
            end = start + length
            while start < end:
                with translated(path):
                    got = await piece(start, min(start + _PIECE, end))
                if not got:
                    break
                start += len(got)
                yield got

    @asynccontextmanager
    async def _opened(self, path: str) -> AsyncIterator[Any]:
        """Answer a function that reads from one byte to another."""
        if self._fs.async_impl and self._fs.asynchronous:
            yield lambda start, end: self._fs._cat_file(self.full(path), start=start, end=end)
            return
        with translated(path):
            file = await self.run("open", self.full(path), "rb", block_size=_PIECE)
        try:

            def piece(start: int, end: int) -> bytes:
                file.seek(start)
                content: bytes = file.read(end - start)
                return content

            yield lambda start, end: in_thread_to_the_end(piece, start, end)
        finally:
            await in_thread_to_the_end(file.close)

    async def write(self, path: str, content: AsyncIterable[bytes], media_type: str, size: int | None = None) -> None:
        """Collect what comes in a file of this machine, and hand that over when all is there."""
        target = joined(parent_of(path), f"{RESERVED}{secrets.token_hex(8)}") if self.has_folders else path
        with tempfile.NamedTemporaryFile() as spool:
            async for pieces in gathered(content, CHUNK):
                await in_thread_to_the_end(spool.writelines, pieces)
            await in_thread_to_the_end(spool.flush)
            try:
                with translated(path):
                    await self.run("put_file", spool.name, self.full(target))
                    if target != path:
                        await self._replace(target, path)
            except BaseException:
                if target != path:
                    with contextlib.suppress(Exception):
                        await self.run("rm_file", self.full(target))
                raise

    async def _replace(self, draft: str, path: str) -> None:
        """Put a draft in the place of a file; overridden where the store has a way that is never without either."""
        await self.run("mv", self.full(draft), self.full(path))

    async def make_folder(self, path: str) -> None:
        """Create a folder."""
        with translated(path):
            await self.run("mkdir", self.full(path), create_parents=False)

    async def remove_file(self, path: str) -> None:
        """Remove a file."""
        with contextlib.suppress(FileMissing), translated(path):
            await self.run("rm_file", self.full(path))

    async def remove_folder(self, path: str) -> None:
        """Remove an empty folder."""
        with contextlib.suppress(FileMissing), translated(path):
            left = [info["name"] for info in await self.run("ls", self.full(path), detail=True)]
            for name in left:
                if not name_of(name).startswith(RESERVED):
                    raise BadRequest("The folder is not empty.")
                await self.run("rm_file", name)
            await self.run("rmdir", self.full(path))

    async def move(self, source: str, target: str) -> None:
        """Rename a file."""
        with translated(source):
            await self.run("mv", self.full(source), self.full(target))

    async def copy(self, source: str, target: str) -> None:
        """Copy a file within the filesystem."""
        with translated(source):
            await self.run("cp_file", self.full(source), self.full(target))
