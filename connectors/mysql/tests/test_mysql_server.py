"""What only a server shows: its own types, hostile names, statements that must end, and the server going away."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pymysql
import pytest

from trunkline.testing import Client, Gateway

pytestmark = pytest.mark.live

TYPES = """
create table kinds (
 id int auto_increment primary key, tiny tinyint, flag tinyint(1), bits bit(1), small smallint, medium mediumint,
 whole int, big bigint, huge bigint unsigned, exact decimal(20,6), single float, twice double, fixed char(3),
 words varchar(40), note text, raw varbinary(8), picture mediumblob, day date, moment datetime(6), stamp timestamp null,
 clock time(3), born year, pick enum('a','b'), several set('x','y','z'), doc json, doubled int as (whole * 2) stored
)
"""
ROW = {
    "tiny": -5, "flag": True, "bits": True, "small": 300, "medium": 70000, "whole": 21, "big": 2**63 - 1,
    "huge": 2**64 - 1, "fixed": "abc", "words": "O'Hara ☃", "note": "", "raw": "AAEC/w==", "picture": "iVBORw0KGgo=",
    "day": "2024-02-29", "moment": "2024-01-02 03:04:05.678901", "stamp": "2024-01-02 03:04:05",
    "clock": "23:59:59.500",
    "born": 1999,
    "pick": "b", "several": "x,z", "doc": {"a": [1, None, "ä"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def database(mariadb_server: Any) -> dict[str, Any]:
    """An empty database on a private server."""
    found = mariadb_server.new_database()
    named = {name: found[f"db_{name}"] for name in ("host", "port", "database", "username", "password")}
    with connected(named) as cursor:
        cursor.execute(TYPES)
    return named


@contextlib.contextmanager
def connected(database: dict[str, Any]) -> Iterator[Any]:
    names = {"user": "username", "host": "host", "port": "port", "database": "database", "password": "password"}
    connection = pymysql.connect(**{mine: database[theirs] for mine, theirs in names.items()}, autocommit=True)
    with contextlib.closing(connection), connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def shop(gateway: Gateway, database: dict[str, Any]) -> Client:
    """A client, with a service ``shop`` on the database."""
    if "shop" not in gateway.app.directory.snapshot.services:
        gateway.create_service("shop", "mysql", database)
    return gateway.admin


def test_every_type_comes_back_as_it_went(shop: Client) -> None:
    made = shop.post("/shop/_table/kinds", json=ROW, params={"fields": "*"})
    assert made.status_code == 200, made.text
    assert {name: made.json()[name] for name in ROW} == ROW
    assert made.json()["doubled"] == 42
    described = {one["name"]: one["type"] for one in shop.get("/shop/_schema/kinds").json()["field"]}
    assert described["flag"] == described["bits"] == "boolean"
    assert (described["doc"], described["picture"], described["id"]) == ("json", "binary", "id")


@pytest.mark.parametrize("number", ["0.000001", "99999999999999.999999", "-12.500000", "1.100000"])
def test_decimals_keep_their_digits(shop: Client, number: str) -> None:
    """D14."""
    text = shop.post("/shop/_table/kinds", json={"exact": number}, params={"fields": "exact"}).text
    assert Decimal(text.partition(":")[2].rstrip("}")) == Decimal(number)


@pytest.mark.parametrize(
    "bad",
    [{"whole": 2**40}, {"huge": -1}, {"words": "x" * 41}, {"pick": "c"}, {"day": "2023-02-29"}, {"doc": "{not json"},
     {"fixed": "abcd"}, {"tiny": 200}],
    ids=lambda bad: next(iter(bad)),
)  # fmt: skip
def test_what_does_not_fit_is_a_400_and_stores_nothing(shop: Client, bad: dict[str, Any]) -> None:
    before = shop.get("/shop/_table/kinds", params={"count_only": "true"}).json()
    reply = shop.post("/shop/_table/kinds", json=bad)
    assert reply.status_code == 400, reply.text
    assert "insert" not in reply.text.lower()
    assert shop.get("/shop/_table/kinds", params={"count_only": "true"}).json() == before


def test_times_may_come_with_a_zone(shop: Client) -> None:
    reply = shop.post("/shop/_table/kinds", json={"moment": "2024-01-02T03:04:05Z"}, params={"fields": "moment"})
    assert reply.status_code == 200, reply.text
    assert reply.json()["moment"].startswith("2024-01-02 03:04:05")


@pytest.mark.parametrize("name", ["a`b", "sel'ect", 'x"; drop table kinds; --', "ta ble%s", "täble☃", "t%(x)s"])
def test_hostile_names_that_really_exist_are_only_names(shop: Client, database: dict[str, Any], name: str) -> None:
    """Checklist 1 and 5."""
    quoted = "`" + name.replace("`", "``") + "`"
    with connected(database) as cursor:
        cursor.execute(f"create table if not exists {quoted} (id int primary key, {quoted} int)")
    from urllib.parse import quote

    path = f"/shop/_table/{quote(name, safe='')}"
    assert shop.post(path, json={"id": 1, name: 5}).status_code == 200
    found = shop.get(path, params={"filter": f"{name} = 5" if name.isalnum() else "id = 1", "fields": name})
    assert found.json() == {"resource": [{name: 5}]}, found.text
    assert shop.delete(path, params={"force": "true"}).status_code == 200
    assert shop.get("/shop/_table/kinds", params={"limit": 1}).status_code == 200


def test_a_read_that_takes_too_long_is_killed_on_the_server(gateway: Gateway, database: dict[str, Any]) -> None:
    """Checklist 32."""
    with connected(database) as cursor:
        cursor.execute("create or replace view slow as select sleep(30) as n")
    gateway.create_service("hasty", "mysql", {**database, "options": {"statement_timeout": 0.5}})
    started = time.monotonic()
    reply = gateway.admin.get("/hasty/_table/slow")
    assert reply.status_code == 504, reply.text
    assert time.monotonic() - started < 5
    deadline = time.monotonic() + 5
    with connected(database) as cursor:
        while cursor.execute(
            "select 1 from information_schema.processlist where info like '%slow%' and id <> connection_id()"
        ):
            assert time.monotonic() < deadline, "the statement goes on"
            time.sleep(0.05)


def test_a_server_that_goes_away_is_a_503_and_comes_back_by_itself(
    shop: Client, mariadb_server: Any, gateway: Gateway
) -> None:
    """Checklist 34."""
    assert shop.get("/shop/_table/kinds", params={"limit": 1}).status_code == 200
    mariadb_server.kill()
    try:
        reply = shop.get("/shop/_table/kinds", params={"limit": 1})
        assert reply.status_code == 503, reply.text
        assert int(reply.headers["retry-after"]) > 0
        assert shop.get("/system/service", params={"fields": "id"}).status_code == 200
    finally:
        mariadb_server.start()
    assert shop.get("/shop/_table/kinds", params={"limit": 1}).status_code == 200
