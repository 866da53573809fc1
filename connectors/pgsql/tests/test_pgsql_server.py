"""What only a server shows: statements that must end, a server that goes away, many tables."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from databases import Postgresql, execute
from servers import Server, serving

from trunkline.errors import GatewayTimeout, Unavailable
from trunkline.testing import Gateway
from trunkline_database.plan import Select
from trunkline_database.sql.asyncpg_driver import AsyncpgDriver, Settings
from trunkline_database.sql.postgresql import PostgresqlDialect
from trunkline_database.sql.postgresql_store import PostgresqlStore

pytestmark = pytest.mark.live

SLOW = "create view slow as select 1 as id, pg_sleep(30)::text as s"


@contextlib.asynccontextmanager
async def opened(config: dict[str, Any], *, seconds: float = 60.0, size: int = 4) -> AsyncIterator[PostgresqlStore]:
    """Open a store for the length of the block."""
    connect = {"host": config["host"], "port": config["port"], "database": config["database"], "ssl": "disable"}
    connect |= {"user": config["username"], "password": config["password"]}
    session = {"statement_timeout": str(int(seconds * 1000)), "application_name": config["database"]}
    dialect = PostgresqlDialect()
    store = PostgresqlStore(AsyncpgDriver(dialect.sa, Settings(connect, session, (), size, 0.3, 5.0, seconds)), dialect)
    try:
        yield store
    finally:
        await store.close()


async def read_slowly(store: PostgresqlStore) -> list[dict[str, Any]]:
    (name,) = [one for one in await store.tables() if one.name == "slow"]
    view = await store.describe(name, 1)
    assert view is not None
    return await store.select(Select(view, view.columns))


def running(config: dict[str, Any]) -> int:
    """Count the statements that sleep in this test's database."""
    ((found,),) = execute(
        config,
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        " and state = 'active' and wait_event = 'PgSleep'",
    )
    return int(found)


async def soon(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline, "it did not come to hold in time"
        await asyncio.sleep(0.02)


class TestEnds:
    """Checklist 32 and 34."""

    @pytest.fixture
    def config(self, postgresql_server: Server) -> dict[str, Any]:
        config = postgresql_server.new_config()
        execute(config, SLOW, "create table quick (id serial primary key, w text)")
        return config

    def test_a_statement_whose_client_leaves_is_stopped_on_the_server(self, config: dict[str, Any]) -> None:
        async def story() -> None:
            async with opened(config) as store:
                task = asyncio.create_task(read_slowly(store))
                await soon(lambda: running(config) == 1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await soon(lambda: running(config) == 0)
                assert len(await store.tables()) == 2

        asyncio.run(story())

    def test_a_statement_that_takes_too_long_is_a_504(self, gateway: Gateway, config: dict[str, Any]) -> None:
        gateway.create_service("hasty", "pgsql", {**config, "options": {"statement_timeout": 0.2}})
        begun = time.monotonic()
        assert gateway.admin.get("/hasty/_table/slow").status_code == 504
        assert time.monotonic() - begun < 5
        assert running(config) == 0
        assert gateway.admin.get("/hasty/_table/quick").status_code == 200

    def test_a_transaction_that_is_cancelled_leaves_nothing(self, config: dict[str, Any]) -> None:
        async def story() -> None:
            async with opened(config) as store:
                (quick,) = [one for one in await store.tables() if one.name == "quick"]
                table = await store.describe(quick, 1)
                assert table is not None

                async def write() -> None:
                    async with store.transaction() as transaction:
                        await transaction.insert(table, [{"w": "half"}], ())
                        await read_slowly(store)

                task = asyncio.create_task(write())
                await soon(lambda: running(config) == 1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert await store.count(Select(table, table.columns)) == 0

        asyncio.run(story())

    def test_when_all_connections_are_busy_it_says_so(self, config: dict[str, Any]) -> None:
        async def story() -> None:
            async with opened(config, size=2) as store:
                await store.tables()
                tasks = [asyncio.create_task(read_slowly(store)) for _ in range(2)]
                await soon(lambda: running(config) == 2)
                with pytest.raises(Unavailable) as caught:
                    await store.tables()
                assert caught.value.headers["Retry-After"]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                assert len(await store.tables()) == 2

        asyncio.run(story())

    def test_a_server_that_says_nothing_is_given_up_on(self, config: dict[str, Any]) -> None:
        """Half open: it accepts, and never answers."""

        async def story() -> None:
            async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await reader.read()
                writer.close()

            server = await asyncio.start_server(silent, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            async with opened({**config, "port": port}) as store:
                with pytest.raises((Unavailable, GatewayTimeout)):
                    await store.tables()
            server.close()
            await server.wait_closed()

        asyncio.run(story())

    @pytest.mark.parametrize(
        "change", [{"port": 1}, {"password": "wrong"}, {"database": "nowhere"}, {"host": "no.invalid"}]
    )
    def test_who_cannot_connect_is_told_to_try_later(
        self, gateway: Gateway, config: dict[str, Any], change: dict[str, Any]
    ) -> None:
        name = f"away_{next(iter(change))}"
        gateway.create_service(name, "pgsql", {**config, **change})
        reply = gateway.admin.get(f"/{name}/_table")
        assert reply.status_code == 503, reply.text
        assert int(reply.headers["Retry-After"]) > 0
        assert str(config["password"]) not in reply.text

    def test_settings_reach_the_session(self, gateway: Gateway, config: dict[str, Any]) -> None:
        execute(
            config,
            "create view told as select current_setting('TimeZone') as zone, current_setting('work_mem') as memory,"
            " current_setting('application_name') as name, current_setting('client_encoding') as letters",
        )
        more = {
            "timezone": "Asia/Tokyo",
            "application_name": "it's",
            "charset": "utf8",
            "statements": ["set work_mem='3MB'"],
        }
        gateway.create_service("told", "pgsql", {**config, **more})
        told = {"zone": "Asia/Tokyo", "memory": "3MB", "name": "it's", "letters": "UTF8"}
        for _ in range(3):
            assert gateway.admin.get("/told/_table/told").json()["resource"] == [told]

    def test_encryption_is_demanded_where_it_is_asked_for(self, gateway: Gateway, config: dict[str, Any]) -> None:
        """The server of the tests offers none."""
        for mode, status in (("disable", 200), ("prefer", 200), ("require", 503), ("verify-full", 503)):
            name = f"tls_{mode}".replace("-", "_")
            gateway.create_service(name, "pgsql", {**config, "sslmode": mode})
            assert gateway.admin.get(f"/{name}/_table").status_code == status


class TestKilled:
    """Checklist 33 and 34: on a server of its own, since all that use it would suffer."""

    @pytest.mark.parametrize("rollback", ["false", "true"])
    def test_a_server_that_comes_back_is_used_again(self, gateway: Gateway, rollback: str) -> None:
        with serving(Postgresql) as server:
            config = server.new_config()
            execute(config, "create table thing (id serial primary key, w text)")
            service = f"mortal_{rollback}"
            gateway.create_service(service, "pgsql", config)
            path = f"/{service}/_table/thing"
            assert gateway.admin.post(path, json={"w": "before"}).status_code == 200
            server.kill()
            records = [{"w": str(number)} for number in range(50)]
            for reply in (
                gateway.admin.get(path),
                gateway.admin.post(path, json=records, params={"rollback": rollback}),
                gateway.admin.get(f"{path}?filter=id=1"),
            ):
                assert reply.status_code == 503, reply.text
                assert int(reply.headers["Retry-After"]) > 0
            server.start()
            assert gateway.admin.get(path).json() == {"resource": [{"id": 1, "w": "before"}]}
            assert gateway.admin.post(path, json=records).status_code == 200
            server.kill()  # it would wait for the gateway to hang up

    def test_a_batch_that_is_cut_off_leaves_nothing(self, gateway: Gateway) -> None:
        with serving(Postgresql) as server:
            config = server.new_config()
            # The trigger is what kills: the hundredth row ends the backend in the middle of the batch.
            execute(
                config,
                "create table thing (id serial primary key, w text)",
                "create function die() returns trigger language plpgsql as $$ begin"
                " if new.w = '99' then perform pg_terminate_backend(pg_backend_pid()); end if; return new; end $$",
                "create trigger killer before insert on thing for each row execute function die()",
            )
            gateway.create_service("cut", "pgsql", config)
            records = [{"w": str(number)} for number in range(120)]
            reply = gateway.admin.post("/cut/_table/thing", json=records, params={"rollback": "true"})
            assert reply.status_code == 503, reply.text
            assert gateway.admin.get("/cut/_table/thing").json() == {"resource": []}
            server.kill()


class TestMany:
    def test_five_thousand_tables_do_not_slow_the_first_request(
        self, gateway: Gateway, postgresql_server: Server
    ) -> None:
        config = postgresql_server.new_config()
        execute(
            config,
            "do $$ begin for i in 1..5000 loop execute format('create table t%s (id integer primary key, n integer"
            " references t%s (id))', i, greatest(i - 1, 1)); if i % 500 = 0 then commit; end if; end loop; end $$",
        )
        gateway.create_service("many", "pgsql", config)
        begun = time.monotonic()
        reply = gateway.admin.get("/many/_table/t4321")
        took = time.monotonic() - begun
        assert reply.json() == {"resource": []}
        assert took < 1, took
        begun = time.monotonic()
        assert len(gateway.admin.get("/many/_table").json()["resource"]) == 5000
        assert time.monotonic() - begun < 1
