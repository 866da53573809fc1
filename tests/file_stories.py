"""What a store on a server of its own must stand: many files, links, clients that leave, a server that dies."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from processes import free_port
from servers import Server, serving

from trunkline.errors import BadGateway, TrunklineError, Unavailable
from trunkline_files.errors import FileMissing
from trunkline_files.store import CHUNK, Store

MOST_GROWTH = 30 * 2**20
# In a process of its own, since a growth can be seen only once.
_MEASURE = """
import json, sys
from importlib import import_module
from file_stories import measured
module, name, config, size = json.loads(sys.argv[1])
print(json.dumps(measured(getattr(import_module(module), name), config, size)))
"""


async def once(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def whole(store: Store, path: str, start: int = 0, length: int | None = None) -> bytes:
    return b"".join([piece async for piece in store.read(path, start, length)])


async def listed(store: Store, folder: str = "", *, deep: bool = False) -> list[str]:
    return sorted([entry.path async for entry in store.list(folder, deep=deep)])


def names_in(place: Path) -> list[str]:
    return sorted(one.name for one in place.iterdir())


async def holds(what: Callable[[], bool]) -> None:
    """Wait a moment for a server to notice."""
    deadline = time.monotonic() + 5
    while not what():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        await asyncio.sleep(0.02)


def most_memory() -> int:
    """Answer how many bytes this process has held at most. (The usual call counts what the parent held, too.)"""
    (found,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found) * 1024


def measured(opened: Callable[[dict[str, Any]], Store], config: dict[str, Any], size: int) -> dict[str, Any]:
    """Write and read a file and answer by how much memory grew, how long it took, and whether bytes are equal."""

    async def story() -> dict[str, Any]:
        store = opened(config)
        block = random.Random(1).randbytes(CHUNK)
        sent = hashlib.sha256()

        async def pieces(count: int) -> AsyncIterator[bytes]:
            for number in range(count // CHUNK):
                piece = number.to_bytes(8, "big") + block[8:]
                sent.update(piece)
                yield piece

        async def got() -> str:
            digest = hashlib.sha256()
            async for piece in store.read("big.bin"):
                digest.update(piece)
            return digest.hexdigest()

        try:
            await store.write("big.bin", pieces(8 * CHUNK), "application/octet-stream", 8 * CHUNK)
            await got()
            sent = hashlib.sha256()
            before = most_memory()
            start = time.monotonic()
            await store.write("big.bin", pieces(size), "application/octet-stream", size)
            between = time.monotonic()
            is_equal = await got() == sent.hexdigest()
            end = time.monotonic()
            after = most_memory()
            await store.remove_file("big.bin")
        finally:
            await store.close()
        seconds = [round(between - start, 1), round(end - between, 1)]
        return {"equal": is_equal, "growth": after - before, "seconds": seconds}

    return asyncio.run(story())


class StoreStories:
    """Subclass it with the kind of a server and what opens a store on it."""

    kind: ClassVar[type[Server]]
    #: The module and the name of the function that makes a store of a configuration.
    opener: ClassVar[tuple[str, str]]
    #: The setting that a wrong login has.
    secret: ClassVar[str] = "password"
    #: What of the links in a folder the server tells nobody of, so that nobody can remove it.
    untold: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[Any]:
        with serving(cls.kind) as server:
            yield server

    def opened(self, config: dict[str, Any]) -> Store:
        module, name = self.opener
        opened: Callable[[dict[str, Any]], Store] = getattr(sys.modules[module], name)
        return opened(config)

    def run(self, config: dict[str, Any], story: Callable[[Store], Awaitable[None]]) -> None:
        async def told() -> None:
            store = self.opened(config)
            try:
                async with asyncio.timeout(120):
                    await story(store)
            finally:
                await store.close()

        asyncio.run(told())

    def test_five_thousand_files_list_completely(self, server: Any) -> None:
        config = server.new_config()
        place = server.place(config)
        names = [f"f{number:04}.txt" for number in range(5000)]
        for name in names:
            (place / name).touch()

        async def story(store: Store) -> None:
            assert await listed(store) == names

        self.run(config, story)

    def test_ranges_read_only_their_bytes(self, server: Any) -> None:
        config = server.new_config()
        data = random.Random(2).randbytes(3 * CHUNK + 17)

        async def story(store: Store) -> None:
            await store.write("a.bin", once(data[:CHUNK], data[CHUNK:]), "x", len(data))
            for start, length in ((0, 1), (5, 10), (CHUNK - 1, 2), (3 * CHUNK, 17), (3 * CHUNK + 16, 1), (100, None)):
                end = None if length is None else start + length
                assert await whole(store, "a.bin", start, length) == data[start:end]
            assert (server.place(config) / "a.bin").read_bytes() == data

        self.run(config, story)

    def test_a_client_that_leaves_leaves_nothing(self, server: Any) -> None:
        config = server.new_config()
        place = server.place(config)

        async def story(store: Store) -> None:
            await store.write("a.txt", once(b"old"), "x")
            for wait in (0, 1, 3):
                begun = asyncio.Event()

                async def slow(wait: int = wait, begun: asyncio.Event = begun) -> AsyncIterator[bytes]:
                    for _ in range(wait):
                        yield b"x" * CHUNK
                    begun.set()
                    await asyncio.sleep(60)
                    yield b"never"

                task = asyncio.create_task(store.write("a.txt", slow(), "x"))
                await begun.wait()
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                await holds(lambda: names_in(place) == ["a.txt"])
                assert await listed(store) == ["a.txt"]
                assert await whole(store, "a.txt") == b"old"

        self.run(config, story)

    def test_content_that_fails_leaves_nothing_and_its_error_goes_on(self, server: Any) -> None:
        config = server.new_config()

        async def broken() -> AsyncIterator[bytes]:
            yield b"x" * CHUNK
            raise OSError("of the client")

        async def story(store: Store) -> None:
            with pytest.raises(OSError, match="of the client"):
                await store.write("a.txt", broken(), "x", 5 * CHUNK)
            await holds(lambda: names_in(server.place(config)) == [])
            await store.write("a.txt", once(b"after"), "x")
            assert await whole(store, "a.txt") == b"after"

        self.run(config, story)

    def test_readers_that_leave_do_no_harm(self, server: Any) -> None:
        config = server.new_config()
        (server.place(config) / "a.bin").write_bytes(b"y" * 20 * CHUNK)

        async def story(store: Store) -> None:
            for _ in range(20):
                pieces = store.read("a.bin")
                assert await anext(pieces)
                await pieces.aclose()
            assert len(await whole(store, "a.bin")) == 20 * CHUNK

        self.run(config, story)

    def test_many_calls_at_once_all_end(self, server: Any) -> None:
        config = server.new_config()

        async def story(store: Store) -> None:
            await asyncio.gather(*(store.write(f"{number}.txt", once(b"x" * 1000), "x") for number in range(30)))
            await asyncio.gather(*(store.copy(f"{number}.txt", f"c{number}.txt") for number in range(30)))
            got = await asyncio.gather(*(whole(store, f"c{number}.txt") for number in range(30)))
            assert set(got) == {b"x" * 1000}
            assert len(await listed(store)) == 60

        self.run(config, story)

    def test_links_lead_nowhere(self, server: Any) -> None:
        config = server.new_config()
        place = server.place(config)
        outside = place.parent / f"{place.name}_outside"
        (outside / "in").mkdir(parents=True)
        (outside / "s.txt").write_text("secret")
        for path in (outside, outside / "in", place):
            path.chmod(0o777)
        relative = os.path.relpath(outside, place)
        (place / "to_folder").symlink_to(relative)
        (place / "to_file.txt").symlink_to(f"{relative}/s.txt")
        (place / "absolute").symlink_to(outside)
        (place / "real").mkdir()

        async def story(store: Store) -> None:
            assert await listed(store, deep=True) == ["real"]
            for path in ("to_file.txt", "to_folder/s.txt", "absolute/s.txt"):
                assert await store.file(path) is None
                with pytest.raises(FileMissing):
                    await whole(store, path)
            for path in ("to_folder", "to_folder/in", "absolute"):
                assert await store.folder(path) is None
                assert await listed(store, path) == []
                with pytest.raises(TrunklineError):
                    await store.write(f"{path}/new.txt", once(b"x"), "x")
                with pytest.raises(TrunklineError):
                    await store.make_folder(f"{path}/new")
            await store.remove_file("to_folder/s.txt")
            await store.remove_folder("to_folder/in")
            await store.remove_all("", [entry async for entry in store.list("", deep=True)])
            assert {one.name for one in place.iterdir()} == self.untold

        self.run(config, story)
        assert sorted(one.name for one in outside.iterdir()) == ["in", "s.txt"]

    def test_a_server_that_dies_leaves_the_old_file(self, server: Any) -> None:
        config = server.new_config()
        place = server.place(config)

        async def dying() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"x" * CHUNK
            server.kill()
            for _ in range(50):
                yield b"x" * CHUNK

        async def story(store: Store) -> None:
            await store.make_folder("in")
            await store.write("in/a.txt", once(b"old"), "x")
            with pytest.raises(Unavailable) as told:
                await store.write("in/a.txt", dying(), "x", 53 * CHUNK)
            assert told.value.headers["Retry-After"]
            assert (place / "in" / "a.txt").read_bytes() == b"old"
            with pytest.raises(Unavailable):
                await store.file("in/a.txt")
            server.start()
            assert await listed(store, "in") == ["in/a.txt"]
            await store.write("in/a.txt", once(b"new"), "x")
            assert await whole(store, "in/a.txt") == b"new"
            server.kill()
            server.start()
            assert await whole(store, "in/a.txt") == b"new"
            await store.remove_file("in/a.txt")
            await store.remove_folder("in")
            assert list(place.iterdir()) == []

        self.run(config, story)

    def test_what_is_wrongly_configured_is_the_servers_error(self, server: Any) -> None:
        config = server.new_config()

        async def refused(**wrong: Any) -> TrunklineError:
            store = self.opened({**config, **wrong})
            try:
                with pytest.raises(TrunklineError) as told:
                    await store.file("a.txt")
                with pytest.raises(TrunklineError):
                    await listed(store)
                with pytest.raises(TrunklineError):
                    await store.write("a.txt", once(b"x"), "x")
            finally:
                await store.close()
            for value in (*config.values(), *wrong.values()):
                assert not isinstance(value, str) or len(value) < 5 or value not in told.value.message
            return told.value

        async def story() -> None:
            if self.secret in config:
                assert isinstance(await refused(**{self.secret: "wrong"}), BadGateway)
            assert isinstance(await refused(container=f"{config['container']}_none"), BadGateway)
            gone = await refused(**self.elsewhere(config))
            assert isinstance(gone, Unavailable)
            assert gone.headers["Retry-After"]

        asyncio.run(story())

    def elsewhere(self, config: dict[str, Any]) -> dict[str, Any]:
        """Answer the settings that lead to a port where nobody listens."""
        return {"port": free_port()}

    @pytest.mark.slow
    def test_memory_stays_constant(self, server: Any) -> None:
        """Set TRUNKLINE_TEST_BYTES for another size."""
        size = int(os.environ.get("TRUNKLINE_TEST_BYTES", 256 * 2**20))
        module, name = self.opener
        places = [str(Path(__file__).parent), str(Path(sys.modules[module].__file__ or "").parent)]
        told = json.dumps([Path(sys.modules[module].__file__ or "").stem, name, server.new_config(), size])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
        done = subprocess.run([sys.executable, "-c", _MEASURE, told], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        print(self.kind.name, size, found)
        assert found["equal"]
        assert found["growth"] <= MOST_GROWTH, found
