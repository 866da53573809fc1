"""The server changing under the gateway, going away, being silent, refusing the login."""

from __future__ import annotations

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from trunkline.testing import Client, Gateway

pytestmark = pytest.mark.live


def test_a_column_dropped_elsewhere_is_noticed(
    gateway: Gateway, shop: Client, cassandra_server: Any, keyspace: dict[str, Any]
) -> None:
    with cassandra_server.session() as session:
        session.set_keyspace(keyspace["keyspace"])
        session.execute("create table fading (id int primary key, a int, b int)")
        assert shop.post("/shop/_table/fading", json={"id": 1, "a": 2, "b": 3}).status_code == 200
        session.execute("alter table fading drop b")
        assert shop.get("/shop/_table/fading").json() == {"resource": [{"id": 1, "a": 2}]}
        session.execute("drop table fading")
        assert shop.get("/shop/_table/fading").status_code == 404


def test_a_server_that_goes_away_is_a_503_and_comes_back_by_itself(
    gateway: Gateway, shop: Client, cassandra_server: Any
) -> None:
    """Checklist 34."""
    assert shop.post("/shop/_table/plain", json={"id": 1, "note": "kept"}).status_code == 200
    cassandra_server.kill()
    try:
        started = time.monotonic()
        for verb, path, body in (("GET", "", None), ("POST", "", {"id": 2}), ("PATCH", "/1", {"n": 1})):
            reply = shop.request(verb, f"/shop/_table/plain{path}", json=body)
            assert reply.status_code == 503, reply.text
            assert int(reply.headers["retry-after"]) > 0
            assert "127.0.0.1" not in reply.text
            assert str(cassandra_server.port) not in reply.text
        assert time.monotonic() - started < 10
        assert shop.get("/system/service", params={"fields": "id"}).status_code == 200
    finally:
        cassandra_server.start()
    reply = shop.get("/shop/_table/plain/1")
    assert reply.status_code == 200, reply.text
    assert reply.json()["note"] == "kept"


def test_a_server_that_stops_answering_is_a_504_in_time(
    gateway: Gateway, cassandra_server: Any, keyspace: dict[str, Any]
) -> None:
    """Checklist 32."""
    gateway.create_service("hasty", "cassandra", {**keyspace, "options": {"request_timeout": 1}})
    assert gateway.admin.get("/hasty/_table/plain").status_code == 200
    os.killpg(cassandra_server.process.pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        reply = gateway.admin.get("/hasty/_table/plain")
        assert reply.status_code == 504, reply.text
        assert time.monotonic() - started < 4
    finally:
        os.killpg(cassandra_server.process.pid, signal.SIGCONT)
    deadline = time.monotonic() + 20
    while gateway.admin.get("/hasty/_table/plain").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_socket_that_accepts_and_never_answers_is_left_in_time(gateway: Gateway, keyspace: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        gateway.create_service("silent", "cassandra", {**keyspace, "port": port, "options": {"connect_timeout": 1}})
        started = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda _: gateway.admin.get("/silent/_table/plain"), range(4)))
        assert {reply.status_code for reply in replies} <= {503, 504}
        assert time.monotonic() - started < 8
        assert str(port) not in replies[0].text


def test_a_wrong_password_is_a_502_that_tells_nothing(gateway: Gateway, keyspace: dict[str, Any]) -> None:
    gateway.create_service("barred", "cassandra", {**keyspace, "password": "no such"})
    reply = gateway.admin.get("/barred/_table")
    assert reply.status_code == 502, reply.text
    assert "no such" not in reply.text


def test_a_missing_keyspace_has_no_tables(gateway: Gateway, keyspace: dict[str, Any]) -> None:
    gateway.create_service("nowhere", "cassandra", {**keyspace, "keyspace": "no_such"})
    assert gateway.admin.get("/nowhere/_table").json() == {"resource": []}
    assert gateway.admin.get("/nowhere/_table/plain").status_code == 404
