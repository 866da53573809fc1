"""What only a server shows: hostile names, changes of columns, statements that must end, and the server going away."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from databases import Firebird, firebird
from firebird.driver import connect
from servers import Server, serving

import trunkline_firebird.connection
from trunkline.testing import Client, Gateway
from trunkline_firebird import Firebird as FirebirdService
from trunkline_firebird import FirebirdConfig

pytestmark = pytest.mark.live

SLOW = """
create procedure slow returns (n integer) as declare i bigint = 0;
begin while (i < 100000000000) do i = i + 1; n = 1; suspend; end
"""
THINGS = "create table things (id integer primary key, name varchar(20) unique)"


@pytest.fixture(scope="module")
def database(firebird_server: Server) -> dict[str, Any]:
    """An empty database on a private server."""
    config = firebird_server.new_config()
    firebird(config, THINGS, SLOW, "create view slowly as select n from slow")
    return config


@pytest.fixture(scope="module")
def mortal() -> Iterator[Server]:
    """A server that tests may kill."""
    with serving(Firebird) as server:
        yield server


@pytest.fixture
def client(gateway: Gateway, database: dict[str, Any]) -> Client:
    """A client, with a service ``fb`` on the database."""
    if "fb" not in gateway.app.directory.snapshot.services:
        gateway.create_service("fb", "firebird", database)
    return gateway.admin


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": ""}, "host and database name"),
        ({"database": ""}, "host and database name"),
        ({"username": ""}, "username and password"),
        ({"password": None}, "username and password"),
    ],
)
def test_an_address_without_its_parts_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FirebirdConfig(**{"host": "h", "database": "d", "username": "u", "password": "p", **change})


def test_the_configuration_has_the_recorded_fields() -> None:
    """Connectors 14.4: none of the settings that other SQL types share."""
    assert [one["name"] for one in FirebirdConfig.schema_entries()] == [
        "host", "port", "database", "username", "password", "charset", "allow_upsert", "max_records", "cache_enabled",
        "cache_ttl",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["a`b", "sel'ect", 'x"; drop table things; --', "ta ble%s", "täble☃", "t%(x)s", ":p0 ?"]
)
def test_hostile_names_that_really_exist_are_only_names(client: Client, database: dict[str, Any], name: str) -> None:
    """Checklist 1 and 5."""
    quoted = '"' + name.replace('"', '""') + '"'
    firebird(database, f"recreate table {quoted} (id integer primary key, {quoted} integer)")
    path = f"/fb/_table/{quote(name, safe='')}"
    client.get("/fb/_table", params={"refresh": "true"})
    assert client.post(path, json={"id": 1, name: 5}).status_code == 200
    found = client.get(path, params={"filter": "id = 1", "fields": name, "order": "id"})
    assert found.json() == {"resource": [{name: 5}]}, found.text
    assert client.delete(path, params={"force": "true"}).status_code == 200
    assert client.get("/fb/_table/things", params={"limit": 1}).status_code == 200


def test_columns_are_changed_in_place(client: Client) -> None:
    fields = [{"name": "id", "type": "id"}, {"name": "n", "type": "integer", "default": 1, "allow_null": True}]
    body = {"resource": [{"name": "shape", "field": fields}]}
    assert client.post("/fb/_schema", json=body).status_code == 200
    client.post("/fb/_table/shape", json=[{"n": 5}])
    change = {"type": "string", "length": 20, "default": "x'y", "allow_null": False}
    reply = client.patch("/fb/_schema/shape/_field/n", json=change)
    assert reply.status_code == 200, reply.text
    described = client.get("/fb/_schema/shape/_field/n").json()
    assert [described[one] for one in ("type", "length", "default", "allow_null")] == ["string", 20, "x'y", False]
    client.post("/fb/_table/shape", json=[{"id": 77}])
    assert [row["n"] for row in client.get("/fb/_table/shape").json()["resource"]] == ["5", "x'y"]
    long = {"name": "a_rather_long_name_of_a_column", "type": "reference", "ref_table": "shape", "is_index": True}
    reply = client.patch(
        "/fb/_schema/shape", json={"field": [{**long, "allow_null": True, "ref_on_delete": "restrict"}]}
    )
    assert reply.status_code == 200, reply.text
    assert client.get("/fb/_schema/shape").json()["related"][0]["ref_on_delete"] == "NO ACTION"
    assert client.delete("/fb/_schema/shape").status_code == 200


@pytest.mark.parametrize(
    "field",
    [
        {"name": "x" * 40, "type": "integer"},
        {"name": "x", "type": "decimal", "precision": 30, "scale": 2},
        {"name": "x", "type": "datetime", "default": {"expression": "UUID()"}},
        {"name": "x", "type": "no such type"},
        {"name": "x", "type": "reference", "ref_table": "nowhere"},
        {"name": "x", "type": "string", "length": 100_000},
    ],
)
def test_a_definition_that_the_server_refuses_is_a_400_and_makes_nothing(client: Client, field: dict[str, Any]) -> None:
    body = {"resource": [{"name": "refused", "field": [{"name": "id", "type": "id"}, field]}]}
    assert client.post("/fb/_schema", json=body).status_code == 400
    assert client.get("/fb/_schema/refused").status_code == 404


def test_a_name_that_is_too_long_for_an_index_is_shortened(client: Client) -> None:
    field = {"name": "a_column_with_a_long_name", "type": "integer", "is_index": True, "allow_null": True}
    body = {"resource": [{"name": "a_table_with_a_long_name", "field": [{"name": "id", "type": "id"}, field]}]}
    assert client.post("/fb/_schema", json=body).status_code == 200
    described = client.get("/fb/_schema/a_table_with_a_long_name/_field/a_column_with_a_long_name").json()
    assert described["is_index"] is True
    assert client.delete("/fb/_schema/a_table_with_a_long_name").status_code == 200


def test_a_duplicate_names_the_field_and_not_the_value(client: Client) -> None:
    client.post("/fb/_table/things", json={"id": 900, "name": "secret"})
    error = client.post("/fb/_table/things", json={"id": 901, "name": "secret"}).json()["error"]
    assert (error["code"], error["context"]["field"], error["context"]["sqlstate"]) == (409, "NAME", "23505")
    assert "secret" not in str(error)


def test_utc_is_utc_whatever_the_clock_of_the_server_says(client: Client) -> None:
    fields = [{"name": "id", "type": "id"}, {"name": "at", "type": "datetime", "allow_null": True}]
    client.post("/fb/_schema", json={"resource": [{"name": "clock", "field": fields}]})
    made = client.post(
        "/fb/_table/clock", json={"at": {"expression": "UTC_TIMESTAMP()"}}, params={"fields": "at"}
    ).json()
    assert abs(dt.datetime.fromisoformat(made["at"]) - dt.datetime.now(dt.UTC).replace(tzinfo=None)) < dt.timedelta(
        minutes=1
    )
    client.delete("/fb/_schema/clock")


def _is_running(database: dict[str, Any]) -> bool:
    asked = "select count(*) from mon$statements where mon$state = 1 and mon$attachment_id <> current_connection"
    return bool(firebird(database, asked)[0][0])


@pytest.mark.parametrize("path", ["_table/slowly", "_proc/slow"])
def test_what_takes_too_long_is_stopped_on_the_server(
    gateway: Gateway, database: dict[str, Any], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checklist 32."""
    monkeypatch.setattr(FirebirdService, "read_timeout", 0.5)
    name = f"hasty{path[1]}"
    gateway.create_service(name, "firebird", database)
    started = time.monotonic()
    reply = gateway.admin.get(f"/{name}/{path}")
    assert reply.status_code == 504, reply.text
    assert time.monotonic() - started < 5
    deadline = time.monotonic() + 5
    while _is_running(database):
        assert time.monotonic() < deadline, "the statement goes on"
        time.sleep(0.05)
    assert gateway.admin.get(f"/{name}/_table/things", params={"limit": 1}).status_code == 200


def test_a_row_that_another_one_holds_is_not_waited_for_for_ever(
    client: Client, database: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trunkline_firebird.connection, "LOCK_SECONDS", 1)
    client.post("/fb/_table/things", json={"id": 800, "name": "held"})
    client.delete("/system/cache/fb")
    dsn = f"{database['host']}/{database['port']}:{database['database']}"
    with connect(dsn, user=database["username"], password=database["password"]) as other:
        with other.cursor() as cursor:
            cursor.execute("update things set name = 'mine' where id = 800")
            assert client.get("/fb/_table/things/800").json()["NAME"] == "held"
            started = time.monotonic()
            reply = client.patch("/fb/_table/things/800", json={"name": "ours"})
            assert reply.status_code == 503, reply.text
            assert time.monotonic() - started < trunkline_firebird.connection.LOCK_SECONDS + 11
        other.commit()
    assert client.get("/fb/_table/things/800").json()["NAME"] == "mine"


def test_many_at_once_are_all_answered(client: Client) -> None:
    def write(number: int) -> int:
        return int(client.post("/fb/_table/things", json={"id": number, "name": f"t{number}"}).status_code)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, range(1000, 1060))) == {200}
    rows = client.get("/fb/_table/things", params={"filter": "id between 1000 and 1059", "count_only": "true"})
    assert rows.json() == 60


def test_a_table_that_was_just_used_can_be_dropped(client: Client) -> None:
    """No connection of the pool keeps statements that would hold it."""
    for _ in range(3):
        body = {"resource": [{"name": "brief", "field": [{"name": "id", "type": "id"}]}]}
        assert client.post("/fb/_schema", json=body).status_code == 200
        with ThreadPoolExecutor(6) as pool:
            assert set(pool.map(lambda _: client.get("/fb/_table/brief").status_code, range(12))) == {200}
        assert client.delete("/fb/_schema/brief").status_code == 200


def test_a_wrong_password_is_a_503_that_says_nothing(gateway: Gateway, database: dict[str, Any]) -> None:
    gateway.create_service("locked", "firebird", {**database, "password": "wrong"})
    reply = gateway.admin.get("/locked/_table")
    assert reply.status_code == 503, reply.text
    assert "wrong" not in reply.text
    assert database["host"] not in reply.text


def test_a_server_that_goes_away_is_a_503_and_comes_back_by_itself(gateway: Gateway, mortal: Server) -> None:
    """Checklist 34."""
    config = mortal.new_config()
    firebird(config, THINGS)
    gateway.create_service("mortal", "firebird", config)
    client = gateway.admin
    assert client.get("/mortal/_table/things", params={"limit": 1}).status_code == 200
    mortal.kill()
    try:
        for _ in range(2):
            reply = client.get("/mortal/_table/things", params={"limit": 1})
            assert reply.status_code == 503, reply.text
            assert int(reply.headers["retry-after"]) > 0
        assert client.get("/system/service", params={"fields": "id"}).status_code == 200
    finally:
        mortal.start()
    assert client.get("/mortal/_table/things", params={"limit": 1}).status_code == 200


def test_a_batch_that_is_cut_off_leaves_nothing(gateway: Gateway, mortal: Server) -> None:
    """With ``rollback``, a server that dies in the middle has written nothing."""
    config = mortal.new_config()
    firebird(
        config,
        THINGS,
        """create trigger slow_down for things active before insert as declare i integer = 0;
        begin while (new.id > 5 and i < 2000000) do i = i + 1; end""",
    )
    gateway.create_service("cut", "firebird", config)
    client = gateway.admin
    assert client.get("/cut/_table/things").status_code == 200
    records = [{"id": number, "name": f"n{number}"} for number in range(1000)]
    replies: list[Any] = []

    def write() -> None:
        replies.append(client.post("/cut/_table/things", json={"resource": records}, params={"rollback": "true"}))

    writer = threading.Thread(target=write)
    writer.start()
    asked = """select count(*) from mon$transactions t join mon$record_stats r on r.mon$stat_id = t.mon$stat_id
        where r.mon$record_inserts > 5 and t.mon$attachment_id <> current_connection"""
    deadline = time.monotonic() + 20
    while not firebird(config, asked)[0][0]:
        assert time.monotonic() < deadline, "the batch did not begin"
    mortal.kill()
    try:
        writer.join(timeout=30)
        assert replies[0].status_code in (400, 503), replies[0].text
    finally:
        mortal.start()
    assert client.get("/cut/_table/things", params={"count_only": "true"}).json() == 0


def test_a_client_that_leaves_takes_its_statement_along(database: dict[str, Any]) -> None:
    config = FirebirdConfig(**{name: database[name] for name in ("host", "port", "database", "username", "password")})
    from trunkline_firebird.driver import Address, FirebirdDriver

    password = config.password.get_secret_value() if config.password else ""
    driver = FirebirdDriver(Address(config.host, config.port or 0, config.database, config.username, password))

    async def leave() -> None:
        reading = asyncio.create_task(driver.fetch('SELECT * FROM "SLOWLY"', ()))
        await asyncio.sleep(0.5)
        assert _is_running(database)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        deadline = time.monotonic() + 5
        while _is_running(database):
            assert time.monotonic() < deadline, "the statement goes on"
            await asyncio.sleep(0.05)
        assert await driver.fetch("SELECT 1 FROM RDB$DATABASE", ()) == [(1,)]
        driver.read_timeout = 0.5
        with pytest.raises(TimeoutError):
            await anext(driver.stream('SELECT * FROM "SLOWLY"', (), 10))
        assert not _is_running(database)
        assert [rows async for rows in driver.stream("SELECT 1 FROM RDB$DATABASE", (), 10)] == [[(1,)]]
        await driver.close()

    asyncio.run(leave())
