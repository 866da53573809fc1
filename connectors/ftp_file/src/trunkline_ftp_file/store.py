"""A folder of an FTP server as a store."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

from trunkline.errors import BadRequest, Forbidden, NotFound
from trunkline_files.ending import to_the_end
from trunkline_files.errors import FileExists, FileMissing, unavailable
from trunkline_files.paths import RESERVED, joined, name_of, parent_of
from trunkline_files.store import CHUNK, Entry, Store
from trunkline_ftp_file.pool import Pool
from trunkline_ftp_file.session import Refused, Session, Settings, translated


class FtpStore(Store):
    """A folder of an FTP server."""

    unknown_media_type: ClassVar[str] = "text/plain"

    def __init__(self, settings: Settings) -> None:
        """Remember where to log in."""
        self._container = settings.container
        self._pool = Pool(lambda: Session.opened(settings), settings.timeout)
        # Whoever copies takes a second connection while holding one; if all did so at once, all would wait.
        self._copying = asyncio.Semaphore(1)

    @property
    def container(self) -> str:
        """The last part of the root folder."""
        return name_of(self._container.rstrip("/"))

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        async with self._pool.lent() as session:
            with translated():
                yield session

    async def file(self, path: str) -> Entry | None:
        """Answer what is known of a file."""
        async with self._session() as session:
            row = await session.known(path)
        return row.entry(parent_of(path)) if row is not None and row.kind == "file" else None

    async def folder(self, path: str) -> Entry | None:
        """Answer what is known of a folder; servers without MLST tell no time."""
        async with self._session() as session:
            if not await session.enter(path):
                return None
            return Entry(path, is_folder=True, modified=await session.time_of_folder(path))

    async def list(self, folder: str, *, deep: bool = False) -> AsyncGenerator[Entry, None]:
        """List a folder; each is read whole, so that no connection waits for whoever reads the list."""
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            async with self._session() as session:
                rows = await session.rows(current) or []
            found = [
                row.entry(current)
                for row in sorted(rows, key=lambda row: row.name)
                if row.kind != "other" and not row.name.startswith(RESERVED)
            ]
            for entry in found:
                yield entry
            if deep:
                waiting += [entry.path for entry in reversed(found) if entry.is_folder]

    async def read(self, path: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Read a file through a data connection of its own."""
        async with self._pool.lent() as session:
            with translated():
                row = await session.known(path)
                if row is None or row.kind != "file":
                    raise FileMissing(path)
                await session.stream(f"RETR {session.full(path)}", start)
            count = 0
            while length is None or count < length:
                with translated():
                    piece = await session.receive(CHUNK if length is None else min(CHUNK, length - count))
                if not piece:
                    break
                count += len(piece)
                yield piece
            with translated():
                if length is None or row.size is None or start + count >= row.size:
                    await session.finish()
                else:
                    await session.leave()

    async def write(self, path: str, content: AsyncIterable[bytes], media_type: str, size: int | None = None) -> None:
        """Write beside and rename when the server has all."""
        draft = joined(parent_of(path), f"{RESERVED}{secrets.token_hex(8)}")
        try:
            async with self._pool.lent() as session:
                with translated():
                    await self._begin(session, draft)
                count = 0
                async for piece in content:
                    with translated():
                        await session.send(piece)
                    count += len(piece)
                with translated():
                    await session.finish()
                    # An end of the connection looks like an end of the file to a server.
                    if await session.size(draft) not in (count, None):
                        raise unavailable("The storage did not take all of the file.")
                    await to_the_end(self._replace(session, draft, path))
        except BaseException:
            await to_the_end(self._forget(draft))
            raise

    @staticmethod
    async def _begin(session: Session, draft: str) -> None:
        if not await session.enter(parent_of(draft)):
            raise NotFound(f"Folder '{parent_of(draft)}/' does not exist.")
        await to_the_end(session.stream(f"STOR {session.full(draft)}"))

    async def _replace(self, session: Session, draft: str, path: str) -> None:
        """Put a draft in its place. Where the server replaces nothing, what is there makes room for a moment."""
        try:
            await session.rename(draft, path)
        except Refused:
            row = await session.known(path)
            if row is None or row.kind != "file":
                raise
            aside = joined(parent_of(path), f"{RESERVED}{secrets.token_hex(8)}")
            await session.rename(path, aside)
            try:
                await session.rename(draft, path)
            except Refused:
                await session.rename(aside, path)
                raise
            await session.ask(f"DELE {session.full(aside)}", ("2xx", "4xx", "5xx"))

    async def _forget(self, draft: str) -> None:
        """Remove what was not finished; where the server is gone, it stays, and nobody sees it."""
        with contextlib.suppress(Exception):
            async with self._session() as session:
                await session.ask(f"DELE {session.full(draft)}", ("2xx", "5xx"))

    async def copy(self, source: str, target: str) -> None:
        """Copy a file through this machine: the protocol has no word for it."""
        async with self._copying:
            await super().copy(source, target)

    async def move(self, source: str, target: str) -> None:
        """Rename a file."""
        async with self._session() as session:
            await self._moved(session, source, target)

    async def move_folder(self, source: str, target: str) -> bool:
        """Rename a folder."""
        await self.move(source, target)
        return True

    @staticmethod
    async def _moved(session: Session, source: str, target: str) -> None:
        if not await session.enter(parent_of(source)) or not await session.enter(parent_of(target)):
            raise FileMissing(source)
        try:
            await session.rename(source, target)
        except Refused as error:
            raise (FileMissing(source) if await session.known(source) is None else error.told()) from error

    async def make_folder(self, path: str) -> None:
        """Create a folder; that somebody else has just done so is no error."""
        async with self._session() as session:
            if not await session.enter(parent_of(path)):
                raise NotFound(f"Folder '{parent_of(path)}/' does not exist.")
            try:
                await session.ask(f"MKD {session.full(path)}")
            except Refused:
                if not await session.enter(path):
                    if await session.known(path) is not None:
                        raise FileExists(path) from None
                    raise

    async def remove_file(self, path: str) -> None:
        """Remove a file."""
        async with self._session() as session:
            if await session.enter(parent_of(path)):
                await self._removed(session, path)

    @staticmethod
    async def _removed(session: Session, path: str) -> None:
        try:
            await session.ask(f"DELE {session.full(path)}")
        except Refused:
            if await session.known(path) is not None:
                raise

    async def remove_folder(self, path: str) -> None:
        """Remove an empty folder; drafts that were left in it do not count."""
        async with self._session() as session:
            rows = await session.rows(path)
            if rows is None:
                return
            for row in rows:
                if not row.name.startswith(RESERVED):
                    raise BadRequest("The folder is not empty.")
                await self._removed(session, joined(path, row.name))
            await self._dropped(session, path)

    @staticmethod
    async def _dropped(session: Session, path: str) -> None:
        # Some servers remove no folder that a session is in.
        await session.enter(parent_of(path))
        try:
            await session.ask(f"RMD {session.full(path)}")
        except Refused as error:
            if await session.rows(path):
                raise BadRequest("The folder is not empty.") from None
            raise Forbidden("The storage does not permit this.") from error

    async def remove_all(self, folder: str, entries: Sequence[Entry]) -> None:
        """Remove what is in a folder, links too: they are not listed, and what they lead to stays."""
        async with self._session() as session:
            await self._emptied(session, folder)

    async def _emptied(self, session: Session, folder: str) -> None:
        for row in await session.rows(folder) or []:
            path = joined(folder, row.name)
            if row.kind == "folder":
                await self._emptied(session, path)
                await self._dropped(session, path)
            else:
                await self._removed(session, path)

    async def close(self) -> None:
        """Log out."""
        await self._pool.close()
