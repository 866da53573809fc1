"""What only a server shows: one that goes away, or says nothing; requests that must end; long results."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pymongo
import pytest
from mongo_servers import Secantus
from processes import TRUNKLINE, clean_environment, free_port
from servers import Server, serving

from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for
from trunkline_database.plan import Select
from trunkline_database.store import Store
from trunkline_database.testing.library import error_of

pytestmark = [pytest.mark.live, pytest.mark.slow]
DOCUMENTS = 100_000
MOST_GROWTH = 20 * 1024  # KiB
QUICK = {"serverSelectionTimeoutMS": 1500, "connectTimeoutMS": 1000}


@contextlib.contextmanager
def native(config: dict[str, Any]) -> Iterator[Any]:
    """Answer the database, beside the gateway."""
    with pymongo.MongoClient[dict[str, Any]](config["host"], config["port"]) as client:
        yield client[config["database"]]


class SyncedSecantus(Secantus):
    """SecantusDB that has on disk what it has confirmed."""

    more = ("--sync-on-commit",)


def test_a_server_that_dies_and_comes_back(fresh_gateway: Gateway) -> None:
    """Checklist 34."""
    admin = fresh_gateway.admin
    with serving(SyncedSecantus) as server:
        config = {
            **server.new_config(),
            "password": "hush",
            "options": QUICK,
            "driver_options": {"statement_timeout": 5},
        }
        fresh_gateway.create_service("m", "mongodb", {**config, "password": None})
        fresh_gateway.create_service("other", "sqlite", {"database": ":memory:"})
        assert admin.post("/m/_schema", json={"resource": [{"name": "t"}]}).status_code == 200
        made = admin.post("/m/_table/t", json={"n": 1}).json()["_id"]
        server.kill()
        for _ in range(2):
            begun = time.monotonic()
            reply = admin.get("/m/_table/t")
            error_of(reply, 503)
            assert int(reply.headers["Retry-After"]) > 0
            assert not any(word in reply.text for word in ("127.0.0.1", str(server.port), config["database"]))
            error_of(admin.post("/m/_table/t", json=[{"n": 2}, {"n": 3}]), 503)
            assert time.monotonic() - begun < 12
        assert admin.get("/other/_table").status_code == 200
        server.start()
        assert admin.get(f"/m/_table/t/{made}").json() == {"_id": made, "n": 1}
        assert admin.post("/m/_table/t", json={"n": 2}).status_code == 200


def test_a_server_that_says_nothing_is_given_up_on(fresh_gateway: Gateway) -> None:
    """Half open: it accepts, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        config = {"host": "127.0.0.1", "port": port, "database": "x", "options": QUICK}
        fresh_gateway.create_service("m", "mongodb", config)
        begun = time.monotonic()
        reply = fresh_gateway.admin.get("/m/_table")
        assert reply.status_code in (503, 504)
        assert str(port) not in reply.text
        assert time.monotonic() - begun < 5


class Deaf:
    """A way to a server that can stop passing on what the server says."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.hears = asyncio.Event()
        self.hears.set()

    @contextlib.asynccontextmanager
    async def opened(self) -> Any:
        server = await asyncio.start_server(self._passed, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _passed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection("127.0.0.1", self._port)

        async def passed(one: asyncio.StreamReader, other: asyncio.StreamWriter, *, heard: bool) -> None:
            with contextlib.suppress(OSError):
                while data := await one.read(65536):
                    if heard:
                        await self.hears.wait()
                    other.write(data)
            other.close()

        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(passed(reader, out, heard=False), passed(there, writer, heard=True))
        for one in (out, writer):
            one.close()
            with contextlib.suppress(OSError):
                await one.wait_closed()


async def opened(config: dict[str, Any]) -> Store:
    from trunkline_mongodb.connection import Connection
    from trunkline_mongodb.service import MongodbConfig
    from trunkline_mongodb.store import MongoStore

    return MongoStore(Connection(MongodbConfig(**config)))


def test_a_server_that_falls_silent_is_a_504_in_time(secantus: Server) -> None:
    """A request ends within its own time, a write that may have been done among them; afterwards all is well."""
    from trunkline.errors import GatewayTimeout

    async def story() -> None:
        config = secantus.new_config()
        with native(config) as database:
            database.t.insert_one({"n": 1})
        way = Deaf(secantus.port)
        direct = {"options": {"directConnection": True}, "driver_options": {"statement_timeout": 0.6}}
        async with way.opened() as port:
            store = await opened({**config, "port": port, **direct})
            (name,) = await store.tables()
            table = await store.describe(name, 1)
            assert table is not None
            plan = Select(table, table.readable)
            assert len(await store.select(plan)) == 1
            way.hears.clear()
            for ask in (lambda: store.select(plan), lambda: store.insert(table, [{"n": 2}], ())):
                begun = time.monotonic()
                with pytest.raises(GatewayTimeout):
                    await ask()
                assert time.monotonic() - begun < 2.5
            way.hears.set()
            assert (await store.select(plan))[0]["n"] == 1
            await store.close()

    asyncio.run(story())


# The driver leaves a socket for the collector of garbage that was still being connected when it was cancelled.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_a_request_that_is_cancelled_lets_go(secantus: Server) -> None:
    async def story() -> None:
        config = secantus.new_config()
        with native(config) as database:
            database.t.insert_many({"n": index, "text": "x" * 200} for index in range(20_000))
        store = await opened(config)
        (name,) = await store.tables()
        table = await store.describe(name, 1)
        assert table is not None
        plan = Select(table, table.readable)
        for _ in range(5):
            task = asyncio.create_task(store.select(plan))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

            async def write() -> None:
                async with store.transaction() as transaction:
                    await transaction.insert(table, [{"half": True}], ())
                    await asyncio.sleep(10)

            writing = asyncio.create_task(write())
            await asyncio.sleep(0.1)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
        assert await store.count(plan) == 20_000
        parts = store.stream(plan, 100)
        assert len(await anext(parts)) == 100
        await parts.aclose()
        await store.close()

    asyncio.run(story())
    gc.collect()


@pytest.mark.parametrize("change", [{"port": 1}, {"host": "no.invalid"}, {"dsn": "127.0.0.1:1/x"}])
def test_who_cannot_connect_is_told_to_try_later(gateway: Gateway, secantus: Server, change: dict[str, Any]) -> None:
    name = f"away_{next(iter(change))}"
    config = {**secantus.new_config(), "username": "u", "password": "hush-hush", "options": QUICK, **change}
    gateway.create_service(name, "mongodb", config)
    reply = gateway.admin.get(f"/{name}/_table")
    error_of(reply, 503)
    assert "hush-hush" not in reply.text


def test_a_connection_string_wins_and_names_the_database(gateway: Gateway, secantus: Server) -> None:
    config = secantus.new_config()
    with native(config) as database:
        database.only.insert_one({"n": 1})
    for index, dsn in enumerate(
        (
            f"127.0.0.1:{secantus.port}/{config['database']}?retryWrites=false",
            f"mongodb://127.0.0.1:{secantus.port}/{config['database']}?serverSelectionTimeoutMS=900",
        )
    ):
        gateway.create_service(f"by_dsn{index}", "mongodb", {"dsn": dsn, "host": "no.invalid"})
        assert gateway.admin.get(f"/by_dsn{index}/_table").json() == {"resource": [{"name": "only"}]}
    named = {"dsn": f"127.0.0.1:{secantus.port}", "options": {"db": config["database"], "nonsense": 1}}
    gateway.create_service("by_option", "mongodb", named)
    assert gateway.admin.get("/by_option/_table").json() == {"resource": [{"name": "only"}]}
    body = {"resource": [{"name": "nameless", "type": "mongodb", "label": "x", "config": {"host": "127.0.0.1"}}]}
    reply = gateway.admin.post("/system/service", json=body)
    assert reply.status_code == 400
    assert "Database name must be provided" in reply.text


def test_the_fields_are_in_their_order(gateway: Gateway) -> None:
    entries = gateway.app.registry.load("mongodb").config_class().schema_entries()
    assert [(one["name"], one["label"]) for one in entries][:8] == [
        ("dsn", "Connection String"), ("options", "Options"), ("driver_options", "Driver Options"), ("host", "Host"),
        ("port", "Port Number"), ("database", "Database"), ("username", "Username"), ("password", "Password"),
    ]  # fmt: skip
    assert [one["name"] for one in entries][8:] == ["allow_upsert", "max_records", "cache_enabled", "cache_ttl"]


# A served gateway.


def document(index: int) -> dict[str, Any]:
    at = {"x": index / 7, "ok": index % 3 == 0}
    return {"_id": index, "place": f"place {index % 100}", "at": at, "tags": ["a", "b"]}


@pytest.fixture(scope="module")
def served(secantus: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, httpx2.Client]]:
    """A gateway in a process of its own, with 100,000 documents: its process, and a client for the tables."""
    storage, config = tmp_path_factory.mktemp("served"), secantus.new_config()
    with native(config) as database:
        for start in range(0, DOCUMENTS, 10_000):
            database.measure.insert_many(document(index) for index in range(start, start + 10_000))
    with Gateway(settings_for(storage)) as gateway:
        gateway.create_service("shop", "mongodb", {**config, "max_records": 2 * DOCUMENTS})
        role = gateway.create_role([{"service": "shop", "component": "_table/*", "verb_mask": 31}])
        key = gateway.create_app(role)["api_key"]
        secret = gateway.app.settings.app_key
    environment = clean_environment(
        TRUNKLINE_STORAGE=str(storage),
        LOG_CHANNEL=str(storage / "log"),
        APP_KEY=secret.get_secret_value() if secret else "",
    )
    port = free_port()
    with subprocess.Popen([TRUNKLINE, "serve", "--port", str(port)], env=environment, cwd=storage) as process:
        try:
            _wait(lambda: _answers(port))
            url, headers = f"http://127.0.0.1:{port}/api/v2/shop/_table", {"X-DreamFactory-Api-Key": key}
            with httpx2.Client(base_url=url, headers=headers, timeout=60) as client:
                yield process.pid, client
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return bool(httpx2.get(f"http://127.0.0.1:{port}/status").status_code)
    return False


def _wait(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def _memory(process: int, figure: str) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(figure))


@pytest.mark.parametrize("order", ["_id", "at.x desc"])
def test_a_long_result_goes_out_in_constant_memory(served: tuple[int, httpx2.Client], order: str) -> None:
    process, client = served
    asked, accept = {"order": order}, {"Accept": "application/x-ndjson"}
    client.get("/measure", params={**asked, "limit": 5000}, headers=accept).raise_for_status()
    before, found, first = _memory(process, "VmRSS"), 0, b""
    Path(f"/proc/{process}/clear_refs").write_text("5")  # the highest value counts from here
    with client.stream("GET", "/measure", params={**asked, "limit": DOCUMENTS}, headers=accept) as reply:
        assert reply.status_code == 200
        for chunk in reply.iter_bytes():
            first = first or chunk
            found += chunk.count(b"\n")
    growth = _memory(process, "VmHWM") - before
    assert found == DOCUMENTS
    index = 0 if order == "_id" else DOCUMENTS - 1
    assert json.loads(first.splitlines()[0]) == document(index)
    assert growth <= MOST_GROWTH, f"grew by {growth} KiB"
