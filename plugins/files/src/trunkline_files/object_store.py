"""ObjectStore: stores without folders, where keys with slashes look like trees and containers are made when missing."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, cast

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline.errors import BadRequest, Unavailable
from trunkline_files.errors import FileMissing, unavailable
from trunkline_files.paths import BadPath, above, check_name
from trunkline_files.service import FilesConfig
from trunkline_files.store import Entry, Store

T = TypeVar("T")
_MIB = 1 << 20
# Seconds for a request that sends a part, beside those for its bytes at this rate.
_PATIENCE, _SLOWEST = 60.0, 64 * 1024
_log = logging.getLogger(__name__)


class ContainerMissing(FileMissing):
    """The container is not there (yet); what is looked for in it is not there either."""


class ObjectConfig(FilesConfig):
    """The settings with which every type of object store ends."""

    # Fields beyond those that clients have always known; forms show them last.
    extensions: ClassVar[tuple[str, ...]] = ()
    # Values that forms offer for a field, though others are taken too.
    offered: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    container: str | None = Field(
        default=None, validate_default=True, title="Container", description="The container; it is made when missing."
    )

    @field_validator("container")
    @classmethod
    def _given(cls, value: str | None) -> str | None:
        return given(value)

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Render the fields, the extensions at the end."""
        entries = sorted(super().schema_entries(), key=lambda entry: entry["name"] in cls.extensions)
        for entry in entries:
            if (values := cls.offered.get(entry["name"])) is not None:
                entry.pop("length", None)
                entry |= {"type": "picklist", "values": [{"label": one, "name": one} for one in values]}
        return entries


def given_secret(value: Secret | None) -> Secret:
    """Refuse a secret that is not there."""
    given(value.get_secret_value() if value is not None else None)
    assert value is not None  # noqa: S101 - as was just said
    return value


def given(value: str | None) -> str:
    """Refuse a setting that is not there, though forms do not mark it as required (connectors 2.3)."""
    if value is None or not value.strip():
        raise ValueError("it must be given")
    return value.strip()


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what a listing has: entries whose paths are keys as they are, and prefixes that end in the delimiter."""

    objects: Sequence[Entry]
    prefixes: Sequence[str] = ()


class Part(io.BytesIO):
    """Bytes to be sent, perhaps more than once: libraries that close what they have sent do not lose them."""

    def close(self) -> None:
        """Keep the bytes."""

    def free(self) -> None:
        """Let go of the bytes."""
        super().close()

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.getbuffer().nbytes


class Upload(ABC):
    """An object that is sent in parts and appears when it is complete."""

    @abstractmethod
    async def add(self, number: int, part: Part) -> None:
        """Send a part; numbers begin at 0."""

    @abstractmethod
    async def complete(self) -> None:
        """Put the object into its place."""

    @abstractmethod
    async def abort(self) -> None:
        """Remove what was sent, as far as the store lets us."""


class Closing(Protocol):
    """What the stores of a service share."""

    async def close(self) -> None:
        """Let go of everything."""


C = TypeVar("C", bound=Closing)


class ObjectStore(Store, Generic[C]):
    """A container of objects. A folder is there when any key begins with its path and a slash.

    Connectors say how objects are found, read, put and removed by their keys; they raise ContainerMissing where the
    container is not there. Keys whose parts could not be named in a call are not listed.
    """

    has_folders: ClassVar[bool] = False
    zips_whole_paths: ClassVar[bool] = False
    # What is smaller is put at once; what is larger, in parts of at least this size. One part is held in memory.
    part_size: ClassVar[int] = 8 * _MIB
    # How many parts an object may have.
    most_parts: ClassVar[int] = 10_000
    # How often to try to clean up after an upload whose store has gone away, each wait twice as long: about an hour.
    patience: ClassVar[int] = 12
    # What names of containers look like.
    container_name: ClassVar[re.Pattern[str]]
    # The type that folder markers are stored with.
    folder_media_type: ClassVar[str] = "application/x-directory"

    def __init__(self, connection: C, container: str, *, owned: bool = True) -> None:
        """Serve a container; ``owned`` says whether the connection ends with the store."""
        self.connection = connection
        self._container = container
        self._owned = owned
        self._undoing: set[asyncio.Task[None]] = set()

    @property
    def container(self) -> str:
        """The name of the container."""
        return self._container

    @abstractmethod
    async def head(self, key: str) -> Entry:
        """Answer what is known of an object; raises FileMissing."""

    @abstractmethod
    def pages(self, prefix: str, *, deep: bool, most: int | None = None) -> AsyncGenerator[Page, None]:
        """List the keys that begin with ``prefix``; those with a further slash as prefixes unless ``deep``.

        ``most`` is how many are wanted of each page.
        """

    @abstractmethod
    async def put(self, key: str, content: Part, media_type: str) -> None:
        """Create or replace an object at once; the content may have been read before."""

    @abstractmethod
    async def begin(self, key: str, media_type: str) -> Upload:
        """Begin an object that is sent in parts."""

    @abstractmethod
    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are gone already are no error."""

    @abstractmethod
    async def create_container(self) -> None:
        """Create the container; that it is there already is no error."""

    async def file(self, path: str) -> Entry | None:
        """Answer what is known of an object."""
        try:
            return await self.head(path)
        except FileMissing:
            return None

    async def folder(self, path: str) -> Entry | None:
        """Say whether any key lies in a folder."""
        async with contextlib.aclosing(self._keys(path, most=1)) as keys:
            return None if await anext(keys, None) is None else Entry(path, is_folder=True)

    async def list(self, folder: str, *, deep: bool = False) -> AsyncGenerator[Entry, None]:
        """List a folder; of folders only keys tell, so each is told when the first key in it comes."""
        start = f"{folder}/" if folder else ""
        told: set[str] = set()
        async with contextlib.aclosing(self._pages(start, deep=deep)) as pages:
            async for page in pages:
                for prefix in page.prefixes:
                    if is_plain(prefix):
                        yield Entry(prefix.rstrip("/"), is_folder=True)
                for entry in page.objects:
                    if not is_plain(entry.path):
                        continue
                    for one in above(entry.path):
                        if len(one) >= len(start) and one not in told:
                            told.add(one)
                            yield Entry(one, is_folder=True)
                    if not entry.path.endswith("/"):
                        yield entry

    async def write(self, path: str, content: AsyncIterable[bytes], media_type: str, size: int | None = None) -> None:
        """Put what fits into one part at once; send the rest in parts that the store makes a file of."""
        async with contextlib.aclosing(self._parts(content, size)) as parts:
            first = await anext(parts)
            if first.size < self.part_size:
                await self.in_container(lambda: self.put(path, first, media_type))
                return
            upload = await self.in_container(lambda: self.begin(path, media_type))
            try:
                number, part = 0, cast("Part | None", first)
                while part is not None:
                    await upload.add(number, part)
                    part.free()  # its memory is for the next one
                    number, part = number + 1, await anext(parts, None)
                await upload.complete()
            except BaseException:
                await self.undone(upload.abort)
                raise

    async def _parts(self, content: AsyncIterable[bytes], size: int | None) -> AsyncGenerator[Part, None]:
        """Collect pieces to parts; an empty object has one, empty, and no other part is."""
        number, part = 0, Part()
        async for piece in content:
            view = memoryview(piece)
            while view:
                free = self._size_of(number, size) - part.tell()
                part.write(view[:free])
                view = view[free:]
                if part.tell() == self._size_of(number, size):
                    yield _rewound(part)
                    number, part = number + 1, Part()
        if part.tell() or not number:
            yield _rewound(part)

    def _size_of(self, number: int, size: int | None) -> int:
        """Answer how large a part is, so that there are never too many, whether the size is known or not."""
        if size is None:
            return self.part_size << (number * 10 // self.most_parts)
        return max(self.part_size, -(-size // self.most_parts))

    async def in_container(self, action: Callable[[], Awaitable[T]]) -> T:
        """Do something that needs the container, which is made when it turns out to be missing."""
        try:
            return await action()
        except ContainerMissing:
            await self.create_container()
        try:
            return await action()
        except ContainerMissing as error:
            raise unavailable() from error

    async def undone(self, abort: Callable[[], Awaitable[None]]) -> None:
        """Clean up after a failure, even when the call is cancelled, and without an error of its own.

        Where the store is not there just now, it is asked again later: what it keeps of an upload may cost.
        """
        await asyncio.shield(self._started(self._aborted(abort)))

    async def _aborted(self, abort: Callable[[], Awaitable[None]], attempt: int = 0) -> None:
        try:
            if attempt:
                await asyncio.sleep(2 ** (attempt - 1))
            await abort()
        except Exception as error:
            if isinstance(error, Unavailable) and attempt < self.patience:
                self._started(self._aborted(abort, attempt + 1))
            else:
                _log.warning("an unfinished upload could not be removed", exc_info=error)

    def _started(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._undoing.add(task)
        task.add_done_callback(self._undoing.discard)
        return task

    async def make_folder(self, path: str) -> None:
        """Put a marker."""
        await self.in_container(lambda: self.put(f"{path}/", Part(), self.folder_media_type))

    async def remove_file(self, path: str) -> None:
        """Remove an object."""
        with contextlib.suppress(FileMissing):
            await self.delete([path])

    async def remove_folder(self, path: str) -> None:
        """Remove the marker of a folder that has nothing else in it."""
        async with contextlib.aclosing(self._keys(path, most=2)) as keys:
            async for key in keys:
                if key != f"{path}/":
                    raise BadRequest("The folder is not empty.")
        await self.remove_file(f"{path}/")

    async def remove_all(self, folder: str, entries: Sequence[Entry]) -> None:
        """Remove objects many at a time, with those that no call could name; the folder gets a marker if need be."""
        if folder and await self.file(f"{folder}/") is None:
            await self.make_folder(folder)
        with contextlib.suppress(FileMissing):
            await self.delete([f"{one.path}/" if one.is_folder else one.path for one in reversed(entries)])
            hidden = [key async for key in self._keys(folder) if not is_plain(key)]
            await self.delete(hidden)

    async def _keys(self, folder: str, most: int | None = None) -> AsyncGenerator[str, None]:
        async with contextlib.aclosing(self._pages(f"{folder}/" if folder else "", deep=True, most=most)) as pages:
            async for page in pages:
                for one in page.objects:
                    yield one.path

    async def _pages(self, prefix: str, *, deep: bool, most: int | None = None) -> AsyncGenerator[Page, None]:
        try:
            async with contextlib.aclosing(self.pages(prefix, deep=deep, most=most)) as pages:
                async for page in pages:
                    yield page
        except FileMissing:
            return

    async def set_properties(self, path: str, values: dict[str, Any], *, is_folder: bool) -> None:
        """Keep properties as metadata beside those that are there, of a folder with its marker."""
        kept = checked_metadata(values)
        if not path:
            await self.in_container(lambda: self.describe_container(kept))
            return
        if is_folder and await self.file(f"{path}/") is None:
            await self.make_folder(path)
        await self.describe(f"{path}/" if is_folder else path, kept)

    @abstractmethod
    async def describe(self, key: str, values: dict[str, str]) -> None:
        """Keep metadata of an object beside what is there."""

    async def describe_container(self, values: dict[str, str]) -> None:
        """Keep metadata of the container, where the store has a place for it."""
        await super().set_properties("", values, is_folder=True)

    def other(self, container: str) -> Self:
        """Answer another container that the same credentials open."""
        if not self.container_name.fullmatch(container):
            raise BadRequest("'source_container' must be the name of a container.")
        return type(self)(self.connection, container, owned=False)

    async def close(self) -> None:
        """Wait a moment for what is being cleaned up, and let go of connections."""
        if left := tuple(self._undoing):
            await asyncio.wait(left, timeout=2)
            for task in left:
                task.cancel()
        if self._owned:
            await self.connection.close()


def is_plain(key: str) -> bool:
    """Say whether a key is the path of a file, or of a folder with its slash, that a call could name."""
    try:
        for name in key.removesuffix("/").split("/"):
            check_name(name)
    except BadPath:
        return False
    return True


@contextlib.asynccontextmanager
async def in_time(part: Part) -> AsyncGenerator[None, None]:
    """Give up when a part does not get through, not even slowly; time-outs of libraries are for answers."""
    async with asyncio.timeout(_PATIENCE + part.size / _SLOWEST):
        yield


def checked_metadata(values: dict[str, Any]) -> dict[str, str]:
    """Read properties that travel as headers; raises BadRequest for what these can not carry."""
    found = {}
    for name, value in values.items():
        if not name or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise BadRequest(f"'{name[:50]}' can not be the name of a property; use letters, digits, '-' and '_'.")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise BadRequest(f"The property '{name}' must be text or a number.")
        text = str(value)
        if not text.isascii() or not text.isprintable() or text != text.strip():
            raise BadRequest(f"The property '{name}' must be plain ASCII text.")
        found[name] = text
    return found


def chunked(keys: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    """Cut a list into pieces."""
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _rewound(part: Part) -> Part:
    part.seek(0)
    return part
