"""ObjectsSuite: what stores without folders promise beside what all do.

Subclass it with ``service_type`` and the fixtures ``config``, which leads to a container that is not there yet, and
``own_server``, a server that may be killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar, Protocol

import pytest

from trunkline.errors import BadRequest, TrunklineError, Unavailable
from trunkline.testing import Gateway
from trunkline_files.errors import FileMissing
from trunkline_files.object_store import ObjectStore, Part
from trunkline_files.paths import parent_of
from trunkline_files.service import FilesService
from trunkline_files.testing.base import error_of

_MIB = 1 << 20
_numbers = itertools.count(1)


class OwnServer(Protocol):
    """A server of the test's own; what is stored outlives it."""

    def new_config(self) -> dict[str, Any]:
        """Answer the configuration of a service on a new container."""

    def kill(self) -> None:
        """End it as a power cut does."""

    def start(self) -> None:
        """Start it again."""


class Objects:
    """A service and a store of its own beside it, for what can not be asked for through the gateway."""

    def __init__(self, gateway: Gateway, service_type: str, config: dict[str, Any]) -> None:
        """Configure the service."""
        self.gateway = gateway
        self.name = f"objects{next(_numbers)}"
        gateway.create_service(self.name, service_type, config)
        gateway.admin.get("/nothing")  # from the next request on the service is known

    def run(self, story: Callable[[ObjectStore[Any]], Awaitable[None]]) -> None:
        """Tell a story of a store, from its opening to its end."""

        async def told() -> None:
            service = self.gateway.app.services.of(self.gateway.app.directory.snapshot.services[self.name])
            assert isinstance(service, FilesService)
            store = service.open_store()
            assert isinstance(store, ObjectStore)
            try:
                await story(store)
            finally:
                await store.close()

        asyncio.run(told())


async def pieces(count: int, *, after: Callable[[int], Awaitable[None]] | None = None) -> AsyncIterator[bytes]:
    """Yield pieces of a mebibyte, each another; ``after`` is told the number of each that was taken."""
    for number in range(count):
        yield number.to_bytes(4, "big") * (_MIB // 4)
        if after is not None:
            await after(number)


async def small(store: ObjectStore[Any], *keys: str) -> None:
    """Put objects that hold their own names, many at a time."""
    gate = asyncio.Semaphore(16)

    async def one(key: str) -> None:
        async with gate:
            await store.in_container(lambda: store.put(key, Part(key.encode()), "text/plain"))

    await one(keys[0])
    await asyncio.gather(*map(one, keys[1:]))


async def listed(store: ObjectStore[Any], folder: str = "", *, deep: bool = False) -> list[str]:
    """List a folder in the order in which the store tells it."""
    return [f"{one.path}/" if one.is_folder else one.path async for one in store.list(folder, deep=deep)]


async def whole(store: ObjectStore[Any], path: str, *part: int) -> bytes:
    """Read a file."""
    return b"".join([piece async for piece in store.read(path, *part)])


class ObjectsSuite:
    """Keys, containers, uploads in parts, and servers that are not there."""

    service_type: ClassVar[str]
    #: Settings that the server refuses as credentials.
    wrong_credentials: ClassVar[dict[str, Any]]
    #: The setting that has the address of the server, and how its path may end.
    address: ClassVar[tuple[str, str]] = ("endpoint", "/x")
    #: Names that no container can have.
    bad_containers: ClassVar[tuple[str, ...]] = ("../x", "a/b", "", "x", "arn:aws:s3:::x", "a?b")
    #: The most bytes that an object can have.
    most_bytes: ClassVar[int] = 5 << 40

    @pytest.fixture
    def config(self) -> dict[str, Any]:
        """A configuration that works; override it."""
        raise NotImplementedError

    @pytest.fixture
    def own_server(self) -> OwnServer:
        """A server that may be killed; override it."""
        raise NotImplementedError

    async def unfinished(self, store: ObjectStore[Any]) -> int:
        """Count the uploads that the server keeps though nobody goes on with them; override it where it can tell."""
        return 0

    @pytest.fixture
    def objects(self, gateway: Gateway, config: dict[str, Any]) -> Objects:
        """A service on a container that is not there yet."""
        return Objects(gateway, self.service_type, config)

    def test_folders_are_where_keys_are(self, objects: Objects) -> None:
        async def story(store: ObjectStore[Any]) -> None:
            await small(store, "a/b/c.txt", "a/b.txt", "a.txt", "ab/x", "a/b/d/", "a b+ü%41;=/k&?#.txt")
            assert sorted(await listed(store)) == ["a b+ü%41;=/", "a.txt", "a/", "ab/"]
            tree = await listed(store, deep=True)
            assert sorted(tree) == [
                "a b+ü%41;=/", "a b+ü%41;=/k&?#.txt", "a.txt", "a/", "a/b.txt", "a/b/", "a/b/c.txt", "a/b/d/", "ab/",
                "ab/x",
            ]  # fmt: skip
            within = [one for one in tree if "/" in one[:-1]]
            assert all(tree.index(f"{parent_of(one.rstrip('/'))}/") < tree.index(one) for one in within)
            assert sorted(await listed(store, "a", deep=True)) == ["a/b.txt", "a/b/", "a/b/c.txt", "a/b/d/"]
            assert await listed(store, "a/b/d") == await listed(store, "nowhere") == []
            assert [one for one in ("a", "a/b", "a/b/d", "ab") if await store.folder(one) is None] == []
            assert [one for one in ("a.tx", "a.txt", "a/b/c.txt", "b", "a/bb") if await store.folder(one)] == []
            assert [one for one in ("a", "a/b", "a/b/d", "nothing") if await store.file(one)] == []
            assert await whole(store, "a b+ü%41;=/k&?#.txt") == "a b+ü%41;=/k&?#.txt".encode()
            await store.copy("a b+ü%41;=/k&?#.txt", "a b+ü%41;=/copy ü+.txt")
            assert await whole(store, "a b+ü%41;=/copy ü+.txt") == "a b+ü%41;=/k&?#.txt".encode()

        objects.run(story)

    def test_a_file_and_a_folder_can_have_one_name(self, objects: Objects) -> None:
        async def story(store: ObjectStore[Any]) -> None:
            await small(store, "both", "both/in.txt")
            assert sorted(await listed(store, deep=True)) == ["both", "both/", "both/in.txt"]

        objects.run(story)
        client, place = objects.gateway.admin, f"/{objects.name}/both"
        assert client.get(place).content == b"both"
        assert [row["path"] for row in client.get(f"{place}/").json()["resource"]] == ["both/in.txt"]
        assert client.delete(place).status_code == 200
        assert client.get(f"{place}/in.txt").content == b"both/in.txt"
        assert client.get(f"{place}/").status_code == 200

    def test_keys_that_no_call_could_name_are_not_shown_but_go_with_their_folder(self, objects: Objects) -> None:
        """Checklist 22: in an archive of the folder such names would lead elsewhere."""

        async def story(store: ObjectStore[Any]) -> None:
            await small(store, "h/plain", "h//double", "h/.trunkline-x", "h/ blank", "h/dots./x", "h/C:x")
            assert await listed(store, "h") == await listed(store, "h", deep=True) == ["h/plain"]
            with pytest.raises(BadRequest):
                await store.remove_folder("h")
            await store.remove_all("h", [one async for one in store.list("h", deep=True)])
            assert await store.folder("h") is not None
            await store.remove_folder("h")
            assert await store.folder("h") is None

        objects.run(story)

    @pytest.mark.slow
    def test_thousands_of_objects_list_completely(self, objects: Objects) -> None:
        names = [f"many/{number:04}.txt" for number in range(5000)]

        async def story(store: ObjectStore[Any]) -> None:
            await small(store, *names)
            assert sorted(await listed(store, "many")) == names
            assert sorted(await listed(store, deep=True)) == ["many/", *names]
            assert (await anext(store.pages("many/", deep=True, most=7))).objects[6].path == names[6]

        objects.run(story)
        client, place = objects.gateway.admin, f"/{objects.name}/many/"
        assert len(client.get(place).json()["resource"]) == 5000
        assert client.delete(place, params={"force": "true"}).status_code == 200
        assert client.get(f"/{objects.name}/").json() == {"resource": []}

    def test_a_container_is_made_when_something_is_put_into_it(self, objects: Objects) -> None:
        async def story(store: ObjectStore[Any]) -> None:
            assert await listed(store) == await listed(store, "a", deep=True) == []
            assert await store.file("a") is None
            assert await store.folder("a") is None
            await store.remove_file("a")
            for wanted in ("a", store.container):
                with pytest.raises(FileMissing):
                    await whole(store, wanted)
            await store.write("a", pieces(20), "application/x-a")
            await asyncio.gather(*(store.make_folder(f"f{number}") for number in range(8)))
            await store.create_container()
            assert len(await listed(store)) == 9
            missing = store.other("not-there-at-all")
            assert await missing.file("a") is None
            assert await listed(store.other(store.container)) == await listed(store)
            for name in self.bad_containers:
                with pytest.raises(BadRequest):
                    store.other(name)

        objects.run(story)

    def test_large_objects_go_in_parts_and_come_in_ranges(self, objects: Objects) -> None:
        async def story(store: ObjectStore[Any]) -> None:
            wanted = b"".join([piece async for piece in pieces(21)])
            for count, size in ((0, 0), (1, _MIB), (8, 8 * _MIB), (21, None), (21, 21 * _MIB)):
                await store.write("big.bin", pieces(count), "application/x-big", size)
                found = await store.file("big.bin")
                assert found is not None
                assert (found.size, found.media_type) == (count * _MIB, "application/x-big")
                assert (
                    hashlib.sha256(await whole(store, "big.bin")).digest()
                    == hashlib.sha256(wanted[: count * _MIB]).digest()
                )
            for start, length in ((0, 1), (5, 10), (8 * _MIB - 2, 4), (20 * _MIB, _MIB), (3, 9 * _MIB), (7, 0)):
                assert await whole(store, "big.bin", start, length) == wanted[start : start + length], start
            assert await whole(store, "big.bin", 20 * _MIB) == wanted[20 * _MIB :]
            await store.set_properties("big.bin", {"colour": "red", "shade": "1"}, is_folder=False)
            await store.set_properties("big.bin", {"colour": "blue"}, is_folder=False)
            await store.copy("big.bin", "copy.bin")
            copied = await store.file("copy.bin")
            assert copied is not None
            assert copied.media_type == "application/x-big"
            assert copied.more["metadata"] == {"colour": "blue", "shade": "1"}
            assert await whole(store, "copy.bin") == wanted
            for bad in ({"a b": "c"}, {"a": "ü"}, {"a": ["b"]}, {"a": "b\r\nc: d"}, {"": "x"}, {"a": True}):
                with pytest.raises(BadRequest):
                    await store.set_properties("big.bin", bad, is_folder=False)

        objects.run(story)

    def test_who_stops_reading_stops_the_server_too(self, objects: Objects) -> None:
        async def story(store: ObjectStore[Any]) -> None:
            await store.write("r.bin", pieces(30), "application/x-r")
            for _ in range(20):
                async with contextlib.aclosing(store.read("r.bin")) as reading:
                    assert await anext(reading)
            assert len(await whole(store, "r.bin")) == 30 * _MIB

        objects.run(story)

    def test_an_upload_that_breaks_off_leaves_nothing(self, objects: Objects) -> None:
        async def story(store: ObjectStore[Any]) -> None:
            await small(store, "old.bin")
            for path in ("old.bin", "new.bin"):
                await self._broken_off(store, path)
                assert await self.unfinished(store) == 0
            assert await listed(store) == ["old.bin"]
            assert await whole(store, "old.bin") == b"old.bin"

        objects.run(story)

    @staticmethod
    async def _broken_off(store: ObjectStore[Any], path: str) -> None:
        async def fails(number: int) -> None:
            if number == 20:
                raise BadRequest("The body ended early.")

        with pytest.raises(BadRequest):
            await store.write(path, pieces(30, after=fails), "application/x-a")
        reached = asyncio.Event()

        async def waits(number: int) -> None:
            if number == 20:
                reached.set()
                await asyncio.sleep(60)

        writing = asyncio.create_task(store.write(path, pieces(30, after=waits), "application/x-a"))
        await reached.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing

    def test_two_uploads_of_one_file_do_not_mix(self, objects: Objects) -> None:
        async def story(store: ObjectStore[Any]) -> None:
            async def one(letter: bytes) -> None:
                async def content() -> AsyncIterator[bytes]:
                    for _ in range(20):
                        yield letter * _MIB
                        await asyncio.sleep(0)

                with contextlib.suppress(TrunklineError):  # one of them may be told to have lost
                    await store.write("m.bin", content(), "application/x-m")

            await asyncio.gather(one(b"a"), one(b"b"))
            assert await whole(store, "m.bin") in (b"a" * 20 * _MIB, b"b" * 20 * _MIB)

        objects.run(story)

    def test_parts_grow_so_that_there_are_never_too_many(self, objects: Objects) -> None:
        async def story(store: ObjectStore[Any]) -> None:
            most = self.most_bytes
            assert sum(store._size_of(number, None) for number in range(store.most_parts)) >= most
            assert store._size_of(0, most) * store.most_parts >= most
            assert {store._size_of(0, size) for size in (None, 1, 1 << 30)} == {8 * _MIB}

        objects.run(story)

    def test_credentials_that_are_refused_are_not_the_callers(self, gateway: Gateway, config: dict[str, Any]) -> None:
        """Checklist 27 and 28."""
        service = Objects(gateway, self.service_type, {**config, **self.wrong_credentials}).name
        replies = [
            gateway.admin.get(f"/{service}/"),
            gateway.admin.get(f"/{service}/a.txt"),
            gateway.admin.post(f"/{service}/a.txt", content=b"x"),
        ]
        for reply in replies:
            assert "refuses the credentials" in error_of(reply, 502)
            assert not [one for one in {**config, **self.wrong_credentials}.values() if str(one) in reply.text]

    def test_a_server_that_is_not_there_is_soon_told_to_be_unavailable(
        self, gateway: Gateway, config: dict[str, Any]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        name, end = self.address
        service = Objects(gateway, self.service_type, {**config, name: f"http://127.0.0.1:{port}{end}"}).name
        began = time.monotonic()
        for method, path in (("GET", ""), ("GET", "a.txt"), ("POST", "a.txt"), ("DELETE", "a.txt")):
            reply = gateway.admin.request(method, f"/{service}/{path}", content=b"x")
            assert str(port) not in error_of(reply, 503)
            assert int(reply.headers["retry-after"]) > 0
        assert time.monotonic() - began < 30

    @pytest.mark.slow
    def test_a_server_that_dies_amid_an_upload_leaves_nothing_half(
        self, gateway: Gateway, own_server: OwnServer
    ) -> None:
        """Checklist 33."""
        objects = Objects(gateway, self.service_type, own_server.new_config())
        client, place = gateway.admin, f"/{objects.name}/old.bin"

        async def story(store: ObjectStore[Any]) -> None:
            await small(store, "old.bin")

            async def dies(number: int) -> None:
                if number == 20:
                    await asyncio.to_thread(own_server.kill)

            for path in ("old.bin", "new.bin"):
                with pytest.raises(Unavailable):
                    await store.write(path, pieces(40, after=dies), "application/x-a")
                for method in ("GET", "PUT"):
                    reply = await asyncio.to_thread(client.request, method, place, content=b"new")
                    assert reply.status_code == 503, reply.text
                await asyncio.to_thread(own_server.start)
                assert (await asyncio.to_thread(client.get, place)).content == b"old.bin"
                assert await whole(store, "old.bin") == b"old.bin"
                assert await listed(store) == ["old.bin"]
            deadline = time.monotonic() + 60
            while await self.unfinished(store):
                assert time.monotonic() < deadline, "an unfinished upload was left"
                await asyncio.sleep(0.2)

        objects.run(story)
        assert client.put(place, content=b"new").status_code == 201
        assert client.get(place).content == b"new"

    def test_another_container_is_a_source_for_administrators(self, gateway: Gateway, config: dict[str, Any]) -> None:
        source = Objects(gateway, self.service_type, {**config, "container": f"{config['container']}-b"})
        target = Objects(gateway, self.service_type, config)
        client = gateway.admin
        assert client.post(f"/{source.name}/x.txt", content=b"there").status_code == 201
        entry = {"type": "file", "source_path": "x.txt", "source_container": f"{config['container']}-b"}
        (row,) = client.post(f"/{target.name}/", json={"resource": [entry]}).json()["resource"]
        assert "error" not in row
        assert client.get(f"/{target.name}/x.txt").content == b"there"


__all__ = ["Objects", "ObjectsSuite", "OwnServer"]
