"""Store: what a connector brings. Everything above it is the same for all file services."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from trunkline.errors import BadRequest, NotSupported
from trunkline_files.errors import FileMissing
from trunkline_files.paths import name_of

# Bytes of one piece; large enough that threads and protocols cost little beside the bytes.
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder: its path below the container without a slash at the end, size in bytes, time in epoch seconds.

    ``media_type`` is None where the store keeps none, then the name decides. ``more`` are further fields of listings.
    """

    path: str
    is_folder: bool = False
    size: int | None = None
    modified: float | None = None
    media_type: str | None = None
    etag: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return name_of(self.path)


class Store(ABC):
    """One container of files. Paths are relative to it, checked, without slashes at either end; the root is empty.

    Methods raise typed errors only: what the store's own library raises is turned into them (``errors.translated``).
    A store may be used by many calls at once.
    """

    # Whether folders are things of their own. If not, they are prefixes of keys, and may be marked by empty objects.
    has_folders: ClassVar[bool] = True
    # What a file is taken for whose name says nothing and with which no type is kept.
    unknown_media_type: ClassVar[str] = "application/octet-stream"
    # Headers of downloads beside those that describe the file (connectors 4.3).
    download_headers: ClassVar[Mapping[str, str]] = {"Cache-Control": "no-cache, private"}
    # Whether names in an archive of a folder begin with the path of the folder (connectors 4.2).
    zips_whole_paths: ClassVar[bool] = True

    @property
    def container(self) -> str:
        """The name of the container, for the names of archives; empty where it has none."""
        return ""

    @abstractmethod
    async def file(self, path: str) -> Entry | None:
        """Answer what is known of a file, None when it is not there or is a folder."""

    @abstractmethod
    async def folder(self, path: str) -> Entry | None:
        """Answer what is known of a folder, None when it is not there or is a file. The root is never asked for."""

    @abstractmethod
    def list(self, folder: str, *, deep: bool = False) -> AsyncGenerator[Entry, None]:
        """List what is in a folder, with everything below it when ``deep``; nothing where the folder is not there.

        In any order, but a folder before what is in it. Reads from the store page by page.
        """

    @abstractmethod
    def read(self, path: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Read a file from a byte on, to its end or as many bytes; raises FileMissing before the first piece."""

    @abstractmethod
    async def write(self, path: str, content: AsyncIterable[bytes], media_type: str, size: int | None = None) -> None:
        """Create or replace a file, all or nothing: until the last piece is there nobody sees anything of it.

        When ``content`` raises, what was there before stays as it was, and the error goes on. ``size`` is the number
        of bytes where it is known beforehand.
        """

    @abstractmethod
    async def make_folder(self, path: str) -> None:
        """Create a folder whose parent is there."""

    @abstractmethod
    async def remove_file(self, path: str) -> None:
        """Remove a file; that it is gone already is no error."""

    @abstractmethod
    async def remove_folder(self, path: str) -> None:
        """Remove an empty folder; raises BadRequest when it is not empty after all."""

    async def copy(self, source: str, target: str) -> None:
        """Copy a file; overridden where the store can do so by itself."""
        found = await self.file(source)
        if found is None:
            raise FileMissing(source)
        await self.write(target, self.read(source), found.media_type or self.unknown_media_type, found.size)

    async def move(self, source: str, target: str) -> None:
        """Move a file; overridden where the store can rename."""
        await self.copy(source, target)
        await self.remove_file(source)

    async def move_folder(self, source: str, target: str) -> bool:
        """Move a folder with all that is in it at once, and say True; False where the store can not."""
        return False

    async def remove_all(self, folder: str, entries: Sequence[Entry]) -> None:
        """Remove what ``list`` said is in a folder; the folder itself stays."""
        for entry in reversed(entries):
            if entry.is_folder:
                await self.remove_folder(entry.path)
            else:
                await self.remove_file(entry.path)

    async def set_properties(self, path: str, values: dict[str, Any], *, is_folder: bool) -> None:
        """Keep properties with a file or folder (connectors 4.9); most stores have no place for any."""
        what = "container" if not path else "folder" if is_folder else "file"
        raise NotSupported(f"Updating {what} properties is not implemented for current file system.")

    def other(self, container: str) -> Store:
        """Answer the store of another container that the same credentials open."""
        raise BadRequest(f"'source_container' is not supported here: '{container}'.")

    async def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of connections."""
