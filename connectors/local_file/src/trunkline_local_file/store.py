"""A folder of this machine as a store. Every step of a path is opened by itself, so that no link leads outside."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, TypeVar

from trunkline.threads import in_thread_to_the_end, in_thread_unattended
from trunkline_files.ahead import Ahead, gathered
from trunkline_files.errors import FileMissing, of_system
from trunkline_files.paths import RESERVED, joined, name_of, parent_of
from trunkline_files.store import CHUNK, Entry, Store

T = TypeVar("T")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
# Pieces that the system takes in one call.
_MOST_AT_ONCE = 512
_TMPFILE = getattr(os, "O_TMPFILE", 0)
_PATH = getattr(os, "O_PATH", 0)


class LocalStore(Store):
    """A folder of this machine."""

    download_headers: ClassVar = {"Cache-Control": "private", "Expires": "0", "Pragma": "public"}

    def __init__(self, root: Path, container: str, *, make_parents: bool) -> None:
        """Remember the folder; it is made when first needed."""
        self._root = root
        self._container = container
        self._make_parents = make_parents

    @property
    def container(self) -> str:
        """The name that the configuration gives it."""
        return self._container.rpartition("/")[2]

    async def file(self, path: str) -> Entry | None:
        """Answer what is known of a file."""
        return await self._stat(path, is_folder=False)

    async def folder(self, path: str) -> Entry | None:
        """Answer what is known of a folder."""
        return await self._stat(path, is_folder=True)

    async def _stat(self, path: str, *, is_folder: bool) -> Entry | None:
        def look() -> Entry | None:
            with self._opened(parent_of(path)) as folder:
                found = _entry(path, os.stat(name_of(path), dir_fd=folder, follow_symlinks=False))
                return found if found is not None and found.is_folder == is_folder else None

        try:
            return await _run(look)
        except FileMissing:
            return None

    async def list(self, folder: str, *, deep: bool = False) -> AsyncGenerator[Entry, None]:
        """List a folder, some entries at a time."""
        waiting = [folder]
        while waiting:
            current = waiting.pop()
            found = await self._page(current)
            for entry in found:
                yield entry
            if deep:
                waiting += [entry.path for entry in reversed(found) if entry.is_folder]

    async def _page(self, folder: str) -> Sequence[Entry]:
        nothing: Sequence[Entry] = ()
        return await _run(lambda: self._listed(folder), otherwise=nothing)

    def _listed(self, path: str) -> Sequence[Entry]:
        found = []
        with self._opened(path) as folder, os.scandir(folder) as listed:
            for one in listed:
                if one.name.startswith(RESERVED) or not _is_text(one.name):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    entry = _entry(joined(path, one.name), one.stat(follow_symlinks=False))
                    if entry is not None:
                        found.append(entry)
        return sorted(found, key=lambda entry: entry.name)

    async def read(self, path: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """Read a file; what was opened is read to its end, also when it is replaced meanwhile."""
        descriptor = await _run(lambda: self._open_file(path))
        reading = Ahead[bytes]()
        end = None if length is None else start + length

        async def begin() -> None:
            count = CHUNK if end is None else min(CHUNK, end - start)
            await reading.begin(_run(os.pread, descriptor, count, start))

        try:
            await begin()
            while piece := await reading.end():
                start += len(piece)
                if len(piece) == CHUNK:
                    # While this piece goes out the next one is read.
                    await begin()
                yield piece
        finally:
            await reading.settle()
            os.close(descriptor)

    def _open_file(self, path: str) -> int:
        with self._opened(parent_of(path)) as folder:
            descriptor = os.open(name_of(path), _FILE, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileMissing(path)
        return descriptor

    async def write(self, path: str, content: AsyncIterable[bytes], media_type: str, size: int | None = None) -> None:
        """Write beside and put in place when all is there. What breaks off leaves no trace, not even after a crash."""
        draft = await _run(lambda: _Draft(self._open_folder(parent_of(path)), name_of(path)))
        writing = Ahead[None]()
        try:
            async for pieces in gathered(content, CHUNK):
                await writing.begin(_run(draft.write, pieces))
            await writing.end()
            await _run(draft.commit)
        finally:
            await writing.settle()
            draft.close()

    async def make_folder(self, path: str) -> None:
        """Create a folder."""

        def make() -> None:
            with self._opened(parent_of(path)) as folder:
                try:
                    os.mkdir(name_of(path), dir_fd=folder)
                except FileExistsError:
                    if not stat.S_ISDIR(os.stat(name_of(path), dir_fd=folder, follow_symlinks=False).st_mode):
                        raise

        await _run(make, exists=path)

    async def remove_file(self, path: str) -> None:
        """Remove a file."""

        def remove() -> None:
            with self._opened(parent_of(path)) as folder:
                os.unlink(name_of(path), dir_fd=folder)

        with contextlib.suppress(FileMissing):
            await _run(remove)

    async def remove_folder(self, path: str) -> None:
        """Remove an empty folder; drafts that a crash left in it do not count."""

        def remove() -> None:
            with self._opened(parent_of(path)) as above:
                with self._opened(path) as folder:
                    for name in _names(folder):
                        if name.startswith(RESERVED):
                            os.unlink(name, dir_fd=folder)
                os.rmdir(name_of(path), dir_fd=above)

        with contextlib.suppress(FileMissing):
            await _run(remove)

    async def remove_all(self, folder: str, entries: Sequence[Entry]) -> None:
        """Remove what is in a folder, links too: they are not listed, and what they lead to stays."""
        await _run(lambda: self._emptied(folder))

    def _emptied(self, path: str) -> None:
        with self._opened(path) as folder:
            for name in _names(folder):
                if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    self._emptied(joined(path, name))
                    os.rmdir(name, dir_fd=folder)
                else:
                    os.unlink(name, dir_fd=folder)

    async def move(self, source: str, target: str) -> None:
        """Rename a file."""
        await self._rename(source, target)

    async def move_folder(self, source: str, target: str) -> bool:
        """Rename a folder."""
        await self._rename(source, target)
        return True

    async def _rename(self, source: str, target: str) -> None:
        def rename() -> None:
            with self._opened(parent_of(source)) as old, self._opened(parent_of(target)) as new:
                os.rename(name_of(source), name_of(target), src_dir_fd=old, dst_dir_fd=new)

        await _run(rename, exists=target)

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        descriptor = self._open_folder(path)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _open_folder(self, path: str) -> int:
        """Open a folder step by step from the root, never through a link."""
        try:
            current = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._root.mkdir(parents=self._make_parents, exist_ok=True)
            current = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for name in filter(None, path.split("/")):
            try:
                inner = os.open(name, _FOLDER, dir_fd=current)
            finally:
                os.close(current)
            current = inner
        return current


class _Draft:
    """A file that is being written: without a name where the system can do so, else with one that nobody sees."""

    def __init__(self, folder: int, name: str) -> None:
        self._folder = folder
        self._name = name
        self._beside: str | None = None
        self._replaced: int | None = None
        try:
            self._file = self._made()
        except BaseException:
            os.close(folder)
            raise

    def _made(self) -> int:
        if _TMPFILE:
            try:
                return os.open(".", _TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666, dir_fd=self._folder)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
                    raise
        self._beside = f"{RESERVED}{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self._beside, flags, 0o666, dir_fd=self._folder)

    def write(self, pieces: Sequence[bytes]) -> None:
        for start in range(0, len(pieces), _MOST_AT_ONCE):
            some = pieces[start : start + _MOST_AT_ONCE]
            written = os.writev(self._file, some)
            if written < sum(map(len, some)):
                rest = memoryview(b"".join(some))[written:]
                while rest:
                    rest = rest[os.write(self._file, rest) :]

    def commit(self) -> None:
        """Put the file in its place at once."""
        if self._beside is None:
            link = f"/proc/self/fd/{self._file}"
            with contextlib.suppress(FileExistsError):
                os.link(link, self._name, dst_dir_fd=self._folder, follow_symlinks=True)
                return
            self._beside = f"{RESERVED}{secrets.token_hex(8)}"
            os.link(link, self._beside, dst_dir_fd=self._folder, follow_symlinks=True)
        self._hold()
        os.rename(self._beside, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._beside = None

    def _hold(self) -> None:
        """Keep what is replaced for a moment: freeing a large file takes long, and nobody should wait for it."""
        if _PATH:
            with contextlib.suppress(OSError):
                flags = _PATH | os.O_NOFOLLOW | os.O_CLOEXEC
                self._replaced = os.open(self._name, flags, dir_fd=self._folder)

    def close(self) -> None:
        if self._beside is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._beside, dir_fd=self._folder)
        os.close(self._file)
        os.close(self._folder)
        if self._replaced is not None:
            in_thread_unattended(os.close, self._replaced)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as listed:
        return [one.name for one in listed]


async def _run(function: Callable[..., T], *arguments: object, otherwise: T | None = None, exists: str = "") -> T:
    """Run in a thread; what the system refuses is told in the dialect's words, without its paths (D10)."""
    try:
        return await in_thread_to_the_end(function, *arguments)
    except (FileNotFoundError, NotADirectoryError):
        if otherwise is not None:
            return otherwise
        raise FileMissing(exists) from None
    except OSError as error:
        raise of_system(error, exists) from error


def _entry(path: str, found: os.stat_result) -> Entry | None:
    """Make an entry of a file or folder; links, devices and the like are none."""
    if stat.S_ISDIR(found.st_mode):
        return Entry(path, is_folder=True, modified=found.st_mtime)
    if stat.S_ISREG(found.st_mode):
        etag = f"{found.st_mtime_ns:x}-{found.st_size:x}"
        return Entry(path, size=found.st_size, modified=found.st_mtime, etag=etag)
    return None


def _is_text(name: str) -> bool:
    """Say whether a name can be told at all; file systems take any bytes."""
    return all(not "\udc80" <= letter <= "\udcff" for letter in name)
