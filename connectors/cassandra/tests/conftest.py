"""Tables of all kinds in a keyspace of their own, and a service on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from trunkline.testing import Client, Gateway

TABLES = """
create type place (street text, number int);
create table kinds (
 id uuid primary key, made timeuuid, word text, plain ascii, tiny tinyint, small smallint, whole int, big bigint,
 huge varint, exact decimal, single float, twice double, flag boolean, day date, clock time, moment timestamp, raw blob,
 address inet, span duration, several list<int>, distinct_ones set<text>, named map<text, decimal>,
 pair frozen<tuple<int, text>>, home frozen<place>, homes list<frozen<place>>, days map<date, uuid>,
 deep frozen<map<text, frozen<list<int>>>>);
create table reading (
 sensor text, year int, at timeuuid, n int, value double, note text static, primary key ((sensor, year), at, n)
) with clustering order by (at desc, n asc);
create table visits (page text primary key, hits counter);
create table "Mixed" ("Id" int primary key, "a""b" int, "sel'ect" text, "täble☃" int, "x; drop table kinds; --" int);
create table plain (id int primary key, owner text, n int, note text);
create index on plain (owner);
create materialized view by_n as select id, n from plain where id is not null and n is not null primary key (n, id);
"""


@pytest.fixture(scope="module")
def keyspace(cassandra_server: Any) -> dict[str, Any]:
    """A keyspace with tables of all kinds on a private server."""
    found: dict[str, Any] = cassandra_server.new_config()
    with cassandra_server.session() as session:
        session.set_keyspace(found["keyspace"])
        for statement in filter(str.strip, TABLES.split(";\n")):
            session.execute(statement)
    return found


@pytest.fixture
def shop(gateway: Gateway, keyspace: dict[str, Any]) -> Client:
    """A client, with a service ``shop`` on the keyspace."""
    if "shop" not in gateway.app.directory.snapshot.services:
        gateway.create_service("shop", "cassandra", keyspace)
    for table in ("plain", "kinds", "reading", "Mixed"):
        assert gateway.admin.delete(f"/shop/_table/{table}", params={"force": "true"}).status_code == 200
    return gateway.admin


@pytest.fixture
def texts(gateway: Gateway) -> Callable[[], list[str]]:
    """A function that lists what was prepared for the service ``shop``."""

    def listed() -> list[str]:
        service: Any = gateway.app.services.of(gateway.app.directory.snapshot.services["shop"])
        found: list[str] = service.store.compiled()
        return found

    return listed
