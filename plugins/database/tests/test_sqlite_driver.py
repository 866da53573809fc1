"""What is special about SQLite: files, one writer, reads at once, time-outs, tables made elsewhere."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from trunkline.errors import GatewayTimeout, Unavailable
from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for
from trunkline_database.filters import parse
from trunkline_database.model import Table
from trunkline_database.plan import Select
from trunkline_database.resolve import equals, resolved
from trunkline_database.sql.sqlite import SqliteDialect
from trunkline_database.sql.sqlite_driver import SqliteDriver
from trunkline_database.sql.store import SqlStore

SLOW = """
create view slow as with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000000)
select i as id from n
"""


class Opened:
    """A store on a file with a table ``t`` of a thousand rows, for the length of a ``with``."""

    def __init__(self, path: Path | str, **options: Any) -> None:
        self.driver = SqliteDriver(str(path), **options)
        self.store = SqlStore(self.driver, SqliteDialect(self.driver.dialect))

    async def __aenter__(self) -> Opened:
        await self.driver.alter(
            lambda connection: connection.exec_driver_sql(
                "create table if not exists t (id integer primary key, w text)"
            )
        )
        self.table = await self.describe("t")
        await self.store.insert(self.table, [{"w": f"w{number}"} for number in range(1000)], ())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.store.close()

    async def describe(self, name: str) -> Table:
        names = {one.name: one for one in await self.store.tables()}
        found = await self.store.describe(names[name], 1)
        assert found is not None
        return found

    def where(self, text: str) -> Select:
        return Select(self.table, self.table.columns, resolved(self.table, parse(text)))


def test_small_reads_need_no_thread_and_large_ones_get_one(tmp_path: Path) -> None:
    async def story() -> None:
        async with Opened(tmp_path / "a.db") as opened:
            threads: list[str] = []
            inner = opened.driver.connected

            def watched() -> Any:
                threads.append(threading.current_thread().name)
                return inner()

            opened.driver.connected = watched  # type: ignore[method-assign]
            assert len(await opened.store.select(opened.where("id = 5"))) == 1
            assert threads == []
            await opened.driver.alter(lambda connection: connection.exec_driver_sql(SLOW))
            view = await opened.describe("slow")
            few = Select(view, view.columns, limit=200_000)
            assert len(await opened.store.select(few)) == 200_000
            assert len(threads) == 1
            assert threads[0].startswith("trunkline")

    asyncio.run(story())


def test_a_read_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    async def story() -> None:
        async with Opened(tmp_path / "a.db", read_timeout=0.2) as opened:
            await opened.driver.alter(lambda connection: connection.exec_driver_sql(SLOW))
            view = await opened.describe("slow")
            begun = time.monotonic()
            with pytest.raises(GatewayTimeout):
                await opened.store.count(Select(view, view.columns))
            assert time.monotonic() - begun < 5
            assert len(await opened.store.select(opened.where("id < 10"))) == 9

    asyncio.run(story())


def test_a_read_whose_client_leaves_is_stopped(tmp_path: Path) -> None:
    """Checklist 32."""

    async def story() -> None:
        async with Opened(tmp_path / "a.db") as opened:
            await opened.driver.alter(lambda connection: connection.exec_driver_sql(SLOW))
            view = await opened.describe("slow")
            task = asyncio.create_task(opened.store.count(Select(view, view.columns)))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    begun = time.monotonic()
    asyncio.run(story())
    assert time.monotonic() - begun < 5


def test_many_writers_take_turns(tmp_path: Path) -> None:
    async def story() -> None:
        async with Opened(tmp_path / "a.db") as opened:

            async def write(number: int) -> None:
                async with opened.store.transaction() as transaction:
                    await transaction.insert(opened.table, [{"w": f"many {number}"}], ())

            await asyncio.gather(*(write(number) for number in range(100)))
            assert await opened.store.count(opened.where("w like 'many %'")) == 100

    asyncio.run(story())


def test_a_transaction_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    """Checklist 33."""

    async def story() -> None:
        async with Opened(tmp_path / "a.db") as opened:
            inside = asyncio.Event()

            async def write() -> None:
                async with opened.store.transaction() as transaction:
                    await transaction.delete(opened.table, None)
                    inside.set()
                    await asyncio.sleep(60)

            task = asyncio.create_task(write())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await opened.store.count(opened.where("id > 0")) == 1000
            await opened.store.delete(opened.table, equals(opened.table.columns[0], 1))

    asyncio.run(story())


def test_another_process_with_the_lock_is_a_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline_database.sql.sqlite_driver._BUSY_MILLISECONDS", 50)

    async def story() -> None:
        async with Opened(tmp_path / "a.db") as opened:
            other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
            other.execute("begin immediate")
            with pytest.raises(Unavailable) as caught:
                await opened.store.delete(opened.table, None)
            assert caught.value.headers["Retry-After"]
            assert len(await opened.store.select(opened.where("id < 3"))) == 2  # readers wait for nobody
            other.close()

    asyncio.run(story())


def test_a_database_in_memory_serves_reads_and_writes() -> None:
    async def story() -> None:
        async with Opened(":memory:") as opened:
            async with opened.store.transaction() as transaction:
                await transaction.update(opened.table, equals(opened.table.columns[0], 1), {"w": "x"})
                # Structure may be asked for in the middle, and that must neither block nor end the transaction.
                await opened.describe("t")
                await transaction.update(opened.table, equals(opened.table.columns[0], 2), {"w": "x"})
            assert await opened.store.count(opened.where("w = x")) == 2

    asyncio.run(story())


def test_statements_of_the_configuration_run_on_every_connection(tmp_path: Path) -> None:
    async def story() -> None:
        async with Opened(tmp_path / "a.db", statements=["PRAGMA case_sensitive_like=1"]) as opened:
            assert await opened.store.select(opened.where("w like 'W1'")) == []

    asyncio.run(story())


def test_a_bare_name_is_a_file_in_the_folder_for_databases(fresh_gateway: Gateway) -> None:
    fresh_gateway.create_service("shop", "sqlite", {"database": "shop.db"})
    assert fresh_gateway.admin.get("/shop/_table").json() == {"resource": []}
    assert (fresh_gateway.app.settings.databases_folder() / "shop.db").exists()


def test_tables_made_elsewhere_are_found_and_lost_ones_are_missed(fresh_gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    fresh_gateway.create_service("shop", "sqlite", {"database": str(path)})
    get = fresh_gateway.admin.get
    assert get("/shop/_table/late").status_code == 404
    other = sqlite3.connect(path)
    other.executescript("create table late (id integer primary key); insert into late values (1)")
    assert get("/shop/_table/late").json() == {"resource": [{"id": 1}]}
    other.execute("alter table late add column w text default 'x'")
    assert get("/shop/_schema/late", params={"refresh": "true"}).json()["field"][1]["name"] == "w"
    assert get("/shop/_table/late/1").json() == {"id": 1, "w": "x"}
    other.execute("alter table late drop column w")
    assert get("/shop/_table/late/1").json() == {"id": 1}  # described anew when the statement failed
    other.execute("drop table late")
    assert get("/shop/_table/late/1").status_code == 404
    other.close()


def test_views_are_listed_as_views_and_not_written(fresh_gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.executescript("create table t (id integer primary key, w text); create view v as select * from t")
    connection.close()
    fresh_gateway.create_service("shop", "sqlite", {"database": str(path)})
    listed = fresh_gateway.admin.get("/shop/_table", params={"fields": "name,is_view"}).json()["resource"]
    assert listed == [{"name": "t", "is_view": False}, {"name": "v", "is_view": True}]
    reply = fresh_gateway.admin.post("/shop/_table/v", json={"w": "x"})
    assert reply.status_code == 400
    assert reply.json()["error"]["message"] == "The table or database can not be written to."
    assert fresh_gateway.admin.patch("/shop/_table/v", json={"w": "x"}, params={"filter": "id=1"}).status_code in (
        200,
        400,
    )


def test_odd_declarations_are_understood(fresh_gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.executescript(
        "create table odd (a, b varchar (20), c double precision, d timestamptz(6), e int unsigned,"
        " f tinyint(1), g whatever(3), h decimal(10), i text generated always as (a || 'x'), primary key (b, e))"
        " without rowid"
    )
    connection.close()
    fresh_gateway.create_service("shop", "sqlite", {"database": str(path)})
    fields = fresh_gateway.admin.get("/shop/_schema/odd").json()["field"]
    assert [one["type"] for one in fields] == [
        "string", "string", "double", "timestamptz", "integer", "boolean", "string", "decimal", "text",
    ]  # fmt: skip
    record = {"a": "1", "b": "k", "e": 5, "i": "ignored"}
    reply = fresh_gateway.admin.post("/shop/_table/odd", json=record, params={"fields": "b,e,i"})
    assert reply.json() == {"b": "k", "e": 5, "i": "1x"}
    assert fresh_gateway.admin.get("/shop/_table/odd/(k,5)").json()["a"] == "1"


@pytest.mark.parametrize("name", ["{folder}", "{file}/x.db", "{file}"])
def test_a_file_that_cannot_be_one_is_a_503(fresh_gateway: Gateway, tmp_path: Path, name: str) -> None:
    file = tmp_path / "no-database.txt"
    file.write_text("This is no database, but it is long enough to be taken for one." * 100)
    fresh_gateway.create_service("shop", "sqlite", {"database": name.format(folder=tmp_path, file=file)})
    reply = fresh_gateway.admin.get("/shop/_table/x")
    assert reply.status_code == 503
    assert reply.json()["error"]["message"] == "The database can not be reached."
    assert str(tmp_path) not in reply.text


def test_all_workers_learn_that_a_table_was_changed(tmp_path: Path) -> None:
    """Checklist 15, for structure: a second gateway on the same folder stands for another worker."""
    settings = settings_for(tmp_path / "storage")
    with Gateway(settings) as one, Gateway(settings) as other:
        one.create_service("shop", "sqlite", {"database": "shop.db"})
        one.admin.post("/shop/_schema/t", json={"field": [{"name": "id", "type": "id"}]})
        assert other.admin.get("/shop/_table/t").json() == {"resource": []}
        note = {"name": "note", "type": "string", "allow_null": True}
        one.admin.patch("/shop/_schema/t", json={"field": [note]})
        # Otherwise this worker would drop the unknown field in silence.
        reply = other.admin.post("/shop/_table/t", json={"note": "x"}, params={"fields": "note"})
        assert reply.json() == {"note": "x"}
