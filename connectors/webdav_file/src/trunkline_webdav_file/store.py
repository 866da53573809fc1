"""A folder of a WebDAV server as a store."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from trunkline.errors import BadGateway, BadRequest, NotFound, TrunklineError
from trunkline_files.ending import to_the_end
from trunkline_files.errors import FileExists, FileMissing, unavailable
from trunkline_files.paths import RESERVED, joined, name_of, parent_of
from trunkline_files.store import CHUNK, Entry, Store
from trunkline_webdav_file.answers import QUESTION, Row, rows_of
from trunkline_webdav_file.client import Client, Settings, refusal

if TYPE_CHECKING:
    from httpx2 import Auth

# What is not finished: our drafts, and those of Apache, which would show.
_UNFINISHED = (RESERVED, ".davfs.tmp")
# Seconds after which drafts are looked for that were not there yet.
_LATER = (0.2, 0.8, 2.0)


class WebdavStore(Store):
    """A folder of a WebDAV server."""

    unknown_media_type: ClassVar[str] = "text/plain"

    def __init__(self, settings: Settings) -> None:
        """Remember where to log in."""
        self._container = settings.container
        self._client = Client(settings)
        self._root_is_there = False
        self._forgetting: set[asyncio.Task[None]] = set()

    @property
    def container(self) -> str:
        """The last part of the root folder."""
        return name_of(self._container.rstrip("/"))

    async def _asked(
        self, path: str, depth: int = 0, *, slash: bool = False, login: Auth | None = None
    ) -> Sequence[Row] | None:
        """Ask what is known of something, and of what is in it; None where it is not there.

        Without a slash at the end, since servers fail in many ways where a file is asked for as a folder.
        """
        if not self._root_is_there:
            self._root_is_there = True
            try:
                if await self._asked("", slash=True) is None:
                    raise BadGateway("The root folder of this service is not there.")
            except BaseException:
                self._root_is_there = False
                raise
        url = self._client.url(path, is_folder=slash or not path)
        headers = {"Depth": str(depth), "Content-Type": "application/xml; charset=utf-8"}
        async with self._client.answer("PROPFIND", url, login, content=QUESTION, headers=headers) as response:
            if response.status_code == 207:
                return await rows_of(self._client.pieces(response, CHUNK))
            if response.status_code in (404, 405, 409, 410):
                return None
            if not response.is_redirect or slash:
                raise refusal(response.status_code, path)
        return await self._asked(path, depth, slash=True, login=login)

    async def _known(self, path: str, *, is_folder: bool, login: Auth | None = None) -> Entry | None:
        rows = await self._asked(path, login=login)
        if not rows or rows[0].is_folder != is_folder:
            return None
        return rows[0].entry(path)

    async def file(self, path: str) -> Entry | None:
        """Answer what is known of a file."""
        return await self._known(path, is_folder=False)

    async def folder(self, path: str) -> Entry | None:
        """Answer what is known of a folder."""
        return await self._known(path, is_folder=True)

    async def list(self, folder: str, *, deep: bool = False) -> AsyncGenerator[Entry, None]:
        """List a folder; the protocol knows no pages, and deep lists are refused by many, so each is asked for."""
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            rows = await self._rows(current)
            found = [row.entry(joined(current, row.name)) for row in rows if not row.name.startswith(_UNFINISHED)]
            for entry in found:
                yield entry
            if deep:
                waiting += [entry.path for entry in reversed(found) if entry.is_folder]

    async def _rows(self, folder: str) -> Sequence[Row]:
        rows = await self._asked(folder, 1) or []
        # The folder itself is one of them, by whatever name a proxy gives it: the one that all others begin with.
        itself = min(rows, key=lambda row: len(row.path), default=None)
        return sorted(
            (row for row in rows if row is not itself and row.name and _is_text(row.name)), key=lambda row: row.name
        )

    async def read(self, path: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Read a file or a part of it."""
        if length == 0:
            return
        url, headers = self._client.url(path), self._client.download_headers(start, length)
        async with self._client.answer("GET", url, headers=headers) as response:
            if response.status_code == 416:
                return
            if response.is_redirect:
                raise FileMissing(path)
            if not response.is_success:
                raise refusal(response.status_code, path)
            # Whoever knows no ranges sends all.
            skip = start if response.status_code != 206 else 0
            left = length
            async for piece in self._client.pieces(response, CHUNK):
                if skip:
                    skip, piece = max(skip - len(piece), 0), piece[skip:]
                if left is not None:
                    piece = piece[:left]
                    left -= len(piece)
                if piece:
                    yield piece
                if left == 0:
                    return

    async def write(self, path: str, content: AsyncIterable[bytes], media_type: str, size: int | None = None) -> None:
        """Write beside and move when the server has all."""
        folder, login = parent_of(path), self._client.fresh_login()
        if await self._known(folder, is_folder=True, login=login) is None:
            raise NotFound(f"Folder '{folder}/' does not exist.")
        draft = joined(folder, f"{RESERVED}{secrets.token_hex(8)}")
        url = self._client.url(draft)
        headers = {"Content-Type": media_type}
        if size is not None:
            headers["Content-Length"] = str(size)
        count = 0

        async def counted() -> AsyncGenerator[bytes, None]:
            nonlocal count
            async for piece in content:
                count += len(piece)
                yield piece

        try:
            await self._client.ask("PUT", url, path, login, content=counted(), headers=headers)
            put = await self.file(draft)
            if put is None or put.size != count:
                raise unavailable("The storage did not take all of the file.")
            await to_the_end(self._client.move("MOVE", url, self._client.url(path), path, replace=True))
        except BaseException:
            await to_the_end(self._forget(url))
            raise

    async def _forget(self, url: str) -> None:
        """Remove what was not finished; where the server is gone, it stays, and nobody sees it.

        Some servers keep what has come when a client leaves, and only when they notice that, so it is looked for again.
        """
        if not await self._removed(url):
            task = asyncio.create_task(self._forget_later(url))
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)

    async def _forget_later(self, url: str) -> None:
        for seconds in _LATER:
            await asyncio.sleep(seconds)
            if await self._removed(url):
                return

    async def _removed(self, url: str) -> bool:
        """Remove a draft; say False where it is not there, or still in use."""
        try:
            await self._client.ask("DELETE", url, "")
        except TrunklineError:
            return False
        return True

    async def copy(self, source: str, target: str) -> None:
        """Have the server copy, beside first since that may take a while."""
        draft = self._client.url(joined(parent_of(target), f"{RESERVED}{secrets.token_hex(8)}"))
        try:
            await self._client.move("COPY", self._client.url(source), draft, source, replace=True)
            await to_the_end(self._client.move("MOVE", draft, self._client.url(target), target, replace=False))
        except BaseException:
            await to_the_end(self._forget(draft))
            raise

    async def move(self, source: str, target: str) -> None:
        """Rename a file."""
        await self._client.move("MOVE", self._client.url(source), self._client.url(target), target, replace=False)

    async def move_folder(self, source: str, target: str) -> bool:
        """Rename a folder."""
        there = self._client.url(target, is_folder=True)
        await self._client.move("MOVE", self._client.url(source, is_folder=True), there, target, replace=False)
        return True

    async def make_folder(self, path: str) -> None:
        """Create a folder; that somebody else has just done so is no error."""
        try:
            await self._client.ask("MKCOL", self._client.url(path, is_folder=True), path)
        except (FileExists, NotFound):
            if await self.folder(path) is None:
                raise

    async def remove_file(self, path: str) -> None:
        """Remove a file."""
        with contextlib.suppress(FileMissing):
            await self._client.ask("DELETE", self._client.url(path), path)

    async def remove_folder(self, path: str) -> None:
        """Remove an empty folder; the protocol itself removes full ones as well, so it is looked at before."""
        if any(not row.name.startswith(_UNFINISHED) for row in await self._rows(path)):
            raise BadRequest("The folder is not empty.")
        with contextlib.suppress(FileMissing):
            await self._client.ask("DELETE", self._client.url(path, is_folder=True), path)

    async def close(self) -> None:
        """Close all connections, when what was not finished is gone."""
        if self._forgetting:
            await asyncio.wait(self._forgetting)
        await self._client.close()


def _is_text(name: str) -> bool:
    """Say whether a name can be told at all."""
    return all(not "\udc80" <= letter <= "\udcff" for letter in name)
