"""Folders as zip archives, made while they are sent, and archives unpacked within a budget (connectors 4.2 and 4.8)."""

from __future__ import annotations

import re
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime
from typing import IO, Any

from stream_zip import ZIP_32, ZIP_64, async_stream_zip

from trunkline.errors import BadRequest, TooLarge
from trunkline.threads import in_thread_to_the_end as in_thread
from trunkline_files import deletes, media_types, paths
from trunkline_files.ahead import gathered
from trunkline_files.rights import Rights
from trunkline_files.store import CHUNK, Store

_NOT_PLAIN = re.compile(r"[^\w.\-]+", re.ASCII)
# Before 1980 there are no dates in zip archives.
_FIRST_MOMENT = 315_619_200.0
# What an archive may hold: entries, bytes in all, and how many bytes one byte of it may become.
MOST_ENTRIES = 10_000
MOST_BYTES = 10 * 2**30
MOST_RATIO = 200
# Small things may well be compressed better than that.
_FREE_BYTES = 10 * 2**20
_DEVICE_NAMES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def plain_name(name: str) -> str:
    """Answer a name that is safe in a header."""
    return _NOT_PLAIN.sub("_", name)


async def packed(store: Store, folder: str, rights: Rights) -> AsyncIterator[bytes]:
    """Yield a zip archive of what the caller may read of a folder, empty folders too."""
    start = len(folder) + 1 if folder and not store.zips_whole_paths else 0
    async for piece in async_stream_zip(_members(store, folder, start, rights), chunk_size=CHUNK):
        yield piece


async def _members(store: Store, folder: str, start: int, rights: Rights) -> AsyncGenerator[Any, None]:
    async for entry in store.list(folder, deep=True):
        if not rights.may("GET", entry.path):
            continue
        moment = datetime.fromtimestamp(max(entry.modified or time.time(), _FIRST_MOMENT), UTC).replace(tzinfo=None)
        name = entry.path[start:]
        if entry.is_folder:
            yield f"{name}/", moment, stat.S_IFDIR | 0o755, ZIP_32, _nothing()
        else:
            yield name, moment, stat.S_IFREG | 0o644, ZIP_64, store.read(entry.path)


async def _nothing() -> AsyncGenerator[bytes, None]:
    nothing: tuple[bytes, ...] = ()
    for piece in nothing:
        yield piece


def is_archive(name: str, media_type: str) -> bool:
    """Say whether this is a zip archive by its name or type."""
    return name.lower().endswith(".zip") or media_type in ("application/zip", "application/x-zip-compressed")


async def unpack(store: Store, folder: str, source: AsyncIterator[bytes], rights: Rights, *, clean: bool) -> None:
    """Unpack an archive into a folder; raises BadRequest, before anything is done, for what is none or would do harm.

    The archive itself is kept in a file while it is read, since its list of entries stands at its end.
    """
    with tempfile.TemporaryFile() as spool:
        async for pieces in gathered(source, CHUNK):
            await in_thread(spool.writelines, pieces)
        members = await in_thread(_checked, spool)
        for member in members:
            path = paths.joined(folder, _path_of(member))
            rights.demand_write(path)
        if clean:
            await deletes.empty(store, folder, rights)
        await _unpacked(store, folder, spool, members)


def _checked(spool: IO[bytes]) -> list[zipfile.ZipInfo]:
    """List the entries; raises BadRequest or TooLarge for what must not be unpacked (checklist 22)."""
    try:
        with zipfile.ZipFile(spool) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, zlib.error, ValueError, OverflowError, NotImplementedError):
        raise BadRequest("The content is not a zip archive.") from None
    if len(members) > MOST_ENTRIES:
        raise TooLarge(f"The archive has more than {MOST_ENTRIES} entries.")
    total, packed_size = 0, 0
    for member in members:
        _path_of(member)
        if member.flag_bits & 1:
            raise BadRequest("The archive is encrypted.")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BadRequest(f"Refusing to extract zip entry that is no file or folder: {_shown(member)}")
        total += member.file_size
        packed_size += member.compress_size
    if total > MOST_BYTES:
        raise TooLarge(f"The archive holds more than {MOST_BYTES} bytes.")
    if total > _FREE_BYTES and total > MOST_RATIO * max(packed_size, 1):
        raise TooLarge(f"The archive grows to more than {MOST_RATIO} times its size.")
    return members


def _path_of(member: zipfile.ZipInfo) -> str:
    """Answer where an entry goes; raises BadRequest for a name that leads elsewhere.

    ``orig_filename`` is what the archive says: the library cuts names at a NUL.
    """
    name = member.orig_filename
    try:
        if name.startswith(("/", "\\")):
            raise paths.BadPath("absolute")
        path = paths.checked(name.split("/"))
        if not path or any(_DEVICE_NAMES.fullmatch(part) for part in path.split("/")):
            raise paths.BadPath("device")
        if "." in path.split("/") or ".." in path.split("/"):
            raise paths.BadPath("dots")
    except paths.BadPath:
        raise BadRequest(f"Refusing to extract zip entry with traversal in name: {_shown(member)}") from None
    return path


def _shown(member: zipfile.ZipInfo) -> str:
    return ascii(member.orig_filename[:200]).strip("'\"")


async def _unpacked(store: Store, folder: str, spool: IO[bytes], members: list[zipfile.ZipInfo]) -> None:
    made: set[str] = set()
    budget = _Budget(sum(one.file_size for one in members))
    with zipfile.ZipFile(spool) as archive:
        for member in members:
            path = paths.joined(folder, _path_of(member))
            await _folders(store, [*paths.above(path), *([path] if member.is_dir() else [])], made)
            if member.is_dir():
                continue
            kind = media_types.of_name(path, store.unknown_media_type)
            await store.write(path, _inflated(archive, member, budget), kind, member.file_size)


async def _folders(store: Store, folders: list[str], made: set[str]) -> None:
    """Create the folders that are not there; what lies in a file's place is an error of the store."""
    if not store.has_folders:
        folders = folders[-1:] if folders and folders[-1] not in made else []
    for one in folders:
        if one not in made and await store.folder(one) is None:
            await store.make_folder(one)
        made.add(one)


class _Budget:
    """Bytes that an archive may still become; what it says of itself need not be true."""

    def __init__(self, total: int) -> None:
        self._left = total

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise BadRequest("The archive holds more than it says.")


async def _inflated(archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: _Budget) -> AsyncIterator[bytes]:
    try:
        with archive.open(member) as source:
            while piece := await in_thread(source.read, CHUNK):
                budget.take(len(piece))
                yield piece
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise BadRequest(f"The archive is damaged at: {_shown(member)}") from None
