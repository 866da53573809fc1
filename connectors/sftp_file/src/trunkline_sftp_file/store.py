"""A folder of an SSH server as a store."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from trunkline.errors import BadRequest, InternalError, NotFound
from trunkline_files.ending import to_the_end
from trunkline_files.errors import FileExists, FileMissing
from trunkline_files.paths import RESERVED, above, joined, name_of, parent_of
from trunkline_files.store import CHUNK, Entry, Store
from trunkline_sftp_file.connection import Connections, Settings, translated

if TYPE_CHECKING:
    from asyncssh import SFTPAttrs, SFTPClient, SFTPClientFile

T = TypeVar("T")
# Types of the protocol (draft-ietf-secsh-filexfer-13, 7.2).
_FILE, _FOLDER = 1, 2


class SftpStore(Store):
    """A folder of an SSH server."""

    unknown_media_type: ClassVar[str] = "text/plain"

    def __init__(self, settings: Settings) -> None:
        """Remember where to log in."""
        self._container = settings.container
        self._root = settings.container.rstrip("/")
        self._timeout = settings.timeout
        self._connections = Connections(settings)

    @property
    def container(self) -> str:
        """The last part of the root folder."""
        return name_of(self._root)

    def _full(self, path: str) -> bytes:
        """Answer a path as the server knows it; bytes, since names on servers need not be text."""
        return (f"{self._root}/{path}" if path else self._container).encode()

    async def _wait(self, path: str, answer: Awaitable[T]) -> T:
        """Wait for the server, no longer than it may take; raises typed errors."""
        with translated(path):
            async with asyncio.timeout(self._timeout):
                return await answer

    async def _known(self, sftp: SFTPClient, path: str) -> SFTPAttrs | None:
        """Answer what is known of something; what is behind a link is not there.

        Some servers describe links as what these lead to, others leave them in real paths; so both are asked for.
        """
        asked = [sftp.lstat(self._full(one)) for one in (*above(path), path)]
        places = [sftp.realpath(self._full(one)) for one in ("", path)]
        found = await self._wait(path, asyncio.gather(*asked, *places, return_exceptions=True))
        try:
            for one in found:
                if isinstance(one, BaseException):
                    with translated(path):
                        raise one
        except FileMissing:
            return None
        *folders, last, root, place = found
        if not all(_is(one, _FOLDER) for one in folders) or _plain(place) != _plain(root) + _plain(path):
            return None
        return cast("SFTPAttrs", last)

    async def _is_folder(self, sftp: SFTPClient, path: str) -> bool:
        return not path or _is(await self._known(sftp, path), _FOLDER)

    async def _demand_folder(self, sftp: SFTPClient, path: str) -> None:
        if not await self._is_folder(sftp, path):
            raise NotFound(f"Folder '{path}/' does not exist.")

    async def file(self, path: str) -> Entry | None:
        """Answer what is known of a file."""
        async with self._connections.used() as sftp:
            found = await self._known(sftp, path)
        return _entry(path, found) if found is not None and _is(found, _FILE) else None

    async def folder(self, path: str) -> Entry | None:
        """Answer what is known of a folder."""
        async with self._connections.used() as sftp:
            found = await self._known(sftp, path)
        return _entry(path, found) if found is not None and _is(found, _FOLDER) else None

    async def list(self, folder: str, *, deep: bool = False) -> AsyncGenerator[Entry, None]:
        """List a folder as the server tells of it, some names at a time."""
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            async with self._connections.used() as sftp:
                if not await self._is_folder(sftp, current):
                    continue
                async for name, attributes in self._names(sftp, current):
                    entry = _entry(joined(current, name), attributes)
                    if entry is None or name.startswith(RESERVED):
                        continue
                    if deep and entry.is_folder:
                        waiting.append(entry.path)
                    yield entry

    async def _names(self, sftp: SFTPClient, folder: str) -> AsyncIterator[tuple[str, SFTPAttrs]]:
        """List all that is in a folder, links too; names that are no text cannot be told or asked for."""
        listed = sftp.scandir(self._full(folder))
        while True:
            try:
                found = await self._wait(folder, anext(listed, None))
            except FileMissing:
                return
            if found is None:
                return
            with contextlib.suppress(UnicodeDecodeError):
                name = found.filename.decode() if isinstance(found.filename, bytes) else found.filename
                if name not in (".", "..") and "/" not in name:
                    yield name, found.attrs

    async def read(self, path: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Read a file; each piece is asked for when the last one has gone."""
        async with self._connections.used() as sftp:
            if not _is(await self._known(sftp, path), _FILE):
                raise FileMissing(path)
            file = await self._opened(sftp, path, "rb")
            try:
                left = length
                while left is None or left > 0:
                    count = CHUNK if left is None else min(CHUNK, left)
                    piece: Any = await to_the_end(self._wait(path, file.read(count, start)))
                    if not piece:
                        break
                    start += len(piece)
                    left = None if left is None else left - len(piece)
                    yield piece
            finally:
                await to_the_end(self._closed(file))

    async def _opened(self, sftp: SFTPClient, path: str, mode: str) -> SFTPClientFile:
        """Open a file; if whoever asked has left when it is open, it is closed again."""
        task = asyncio.create_task(self._wait(path, sftp.open(self._full(path), mode)))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is None:
                await self._closed(task.result())
            raise

    async def _closed(self, file: SFTPClientFile) -> None:
        with contextlib.suppress(Exception):
            await self._wait("", file.close())

    async def write(self, path: str, content: AsyncIterable[bytes], media_type: str, size: int | None = None) -> None:
        """Write beside and rename when the server has all."""
        draft = joined(parent_of(path), f"{RESERVED}{secrets.token_hex(8)}")
        try:
            async with self._connections.used() as sftp:
                await self._demand_folder(sftp, parent_of(path))
                file = await self._opened(sftp, draft, "xb")
                try:
                    start = 0
                    async for piece in content:
                        await to_the_end(self._wait(path, file.write(piece, start)))
                        start += len(piece)
                except BaseException:
                    await to_the_end(self._closed(file))
                    raise
                # Here the server may still tell that there was no room.
                await to_the_end(self._wait(path, file.close()))
                await to_the_end(self._replace(sftp, draft, path))
        except BaseException:
            await to_the_end(self._forget(draft))
            raise

    async def _replace(self, sftp: SFTPClient, draft: str, path: str) -> None:
        """Put a draft in its place: at once where the server can, else what is there makes room for a moment."""
        if await self._renamed(sftp, draft, path):
            return
        aside = joined(parent_of(path), f"{RESERVED}{secrets.token_hex(8)}")
        if not _is(await self._known(sftp, path), _FILE):
            raise InternalError("The storage did not take the file.")
        await self._rename(sftp, path, aside)
        try:
            await self._rename(sftp, draft, path)
        except BaseException:
            await self._rename(sftp, aside, path)
            raise
        await self._wait(path, sftp.remove(self._full(aside)))

    async def _renamed(self, sftp: SFTPClient, source: str, target: str) -> bool:
        """Rename, also over a file that is there; say False where the server does not do so."""
        import asyncssh

        try:
            await self._wait(source, sftp.posix_rename(self._full(source), self._full(target)))
        except InternalError as error:
            if not isinstance(error.__cause__, asyncssh.SFTPOpUnsupported):
                raise
            try:
                await self._rename(sftp, source, target)
            except InternalError:
                return False
        return True

    async def _rename(self, sftp: SFTPClient, source: str, target: str) -> None:
        await self._wait(source, sftp.rename(self._full(source), self._full(target)))

    async def _forget(self, draft: str) -> None:
        """Remove what was not finished; where the server is gone, it stays, and nobody sees it."""
        with contextlib.suppress(Exception):
            async with self._connections.used() as sftp:
                await self._wait(draft, sftp.remove(self._full(draft)))

    async def move(self, source: str, target: str) -> None:
        """Rename a file."""
        async with self._connections.used() as sftp:
            await self._demand_folder(sftp, parent_of(target))
            if await self._known(sftp, source) is None:
                raise FileMissing(source)
            await to_the_end(self._rename(sftp, source, target))

    async def move_folder(self, source: str, target: str) -> bool:
        """Rename a folder."""
        await self.move(source, target)
        return True

    async def make_folder(self, path: str) -> None:
        """Create a folder; that somebody else has just done so is no error."""
        async with self._connections.used() as sftp:
            await self._demand_folder(sftp, parent_of(path))
            try:
                await self._wait(path, sftp.mkdir(self._full(path)))
            except (InternalError, FileExists):
                found = await self._known(sftp, path)
                if found is None:
                    raise
                if not _is(found, _FOLDER):
                    raise FileExists(path) from None

    async def remove_file(self, path: str) -> None:
        """Remove a file."""
        async with self._connections.used() as sftp:
            if await self._is_folder(sftp, parent_of(path)):
                with contextlib.suppress(FileMissing):
                    await self._wait(path, sftp.remove(self._full(path)))

    async def remove_folder(self, path: str) -> None:
        """Remove an empty folder; drafts that were left in it do not count."""
        async with self._connections.used() as sftp:
            if not await self._is_folder(sftp, path):
                return
            for name in [name async for name, _ in self._names(sftp, path)]:
                if not name.startswith(RESERVED):
                    raise BadRequest("The folder is not empty.")
                with contextlib.suppress(FileMissing):
                    await self._wait(path, sftp.remove(self._full(joined(path, name))))
            await self._dropped(sftp, path)

    async def _dropped(self, sftp: SFTPClient, path: str) -> None:
        with contextlib.suppress(FileMissing):
            try:
                await self._wait(path, sftp.rmdir(self._full(path)))
            except InternalError:
                if [name async for name, _ in self._names(sftp, path)]:
                    raise BadRequest("The folder is not empty.") from None
                raise

    async def remove_all(self, folder: str, entries: Sequence[Entry]) -> None:
        """Remove what is in a folder, links too: they are not listed, and what they lead to stays."""
        async with self._connections.used() as sftp:
            if await self._is_folder(sftp, folder):
                await self._emptied(sftp, folder)

    async def _emptied(self, sftp: SFTPClient, folder: str) -> None:
        for name, attributes in [one async for one in self._names(sftp, folder)]:
            path = joined(folder, name)
            if _is(attributes, _FOLDER):
                await self._emptied(sftp, path)
                await self._dropped(sftp, path)
            else:
                with contextlib.suppress(FileMissing):
                    await self._wait(path, sftp.remove(self._full(path)))

    async def close(self) -> None:
        """Log out."""
        await self._connections.close()


def _is(found: Any, kind: int) -> bool:
    """Say whether attributes are those of a file or folder."""
    return getattr(found, "type", None) == kind


def _plain(path: Any) -> str:
    """Answer a path in a form in which equal ones are equal."""
    text = path.decode(errors="surrogateescape") if isinstance(path, bytes) else str(path)
    return unicodedata.normalize("NFC", "/" + text.strip("/")).removesuffix("/")


def _entry(path: str, found: SFTPAttrs) -> Entry | None:
    """Make an entry of a file or folder; links, devices and the like are none."""
    if _is(found, _FOLDER):
        return Entry(path, is_folder=True, modified=found.mtime)
    if _is(found, _FILE):
        etag = None if found.mtime is None or found.size is None else f"{int(found.mtime):x}-{found.size:x}"
        return Entry(path, size=found.size, modified=found.mtime, etag=etag)
    return None
