"""What only a server shows: one that goes away, or says nothing; who may not; databases that come and go."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from couch_servers import Couch
from document_servers import Pouchdb
from servers import Server, serving

from trunkline.testing import Gateway
from trunkline_database.testing.library import error_of

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def own_server() -> Iterator[Any]:
    """A server that may be killed: what it has in memory is lost."""
    with serving(Pouchdb) as server:
        yield server


def test_a_server_that_dies_and_comes_back(gateway: Gateway, own_server: Any) -> None:
    """Checklist 34."""
    admin, config = gateway.admin, own_server.new_config()
    gateway.create_service("mortal", "couchdb", config)
    gateway.create_service("other", "sqlite", {"database": ":memory:"})
    assert admin.post("/mortal/_schema", json={"resource": [{"name": "t"}]}).status_code == 200
    assert admin.post("/mortal/_table/t", json={"n": 1}).status_code == 200
    own_server.kill()
    try:
        begun = time.monotonic()
        for verb, body in (("GET", None), ("POST", {"n": 2}), ("DELETE", [{"_id": "x"}])):
            reply = admin.request(verb, "/mortal/_table/t", json=body)
            error_of(reply, 503)
            assert int(reply.headers["Retry-After"]) > 0
            assert not any(word in reply.text for word in ("127.0.0.1", str(own_server.port), own_server.password))
        assert time.monotonic() - begun < 10
        assert admin.get("/other/_table").status_code == 200
    finally:
        own_server.start()
    # It has forgotten its databases, so a table that was known is none.
    error_of(admin.get("/mortal/_table/t"), 404)
    assert admin.post("/mortal/_schema", json={"resource": [{"name": "t"}]}).status_code == 200
    assert admin.post("/mortal/_table/t", json={"n": 2}).status_code == 200


def test_a_server_that_stops_answering_is_a_504_in_time(gateway: Gateway, own_server: Any) -> None:
    """Checklist 32."""
    gateway.create_service("hasty", "couchdb", {**own_server.new_config(), "options": {"timeout": 1}})
    gateway.admin.post("/hasty/_schema", json={"resource": [{"name": "still"}]})
    assert gateway.admin.get("/hasty/_table/still").status_code == 200
    os.killpg(own_server.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        error_of(gateway.admin.get("/hasty/_table/still"), 504)
        assert time.monotonic() - begun < 4
    finally:
        os.killpg(own_server.process.pid, signal.SIGCONT)
    assert gateway.admin.get("/hasty/_table/still").status_code == 200


def test_a_socket_that_accepts_and_never_answers_is_left_in_time(gateway: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        config = {"dsn": f"http://u:hush-hush@127.0.0.1:{port}", "options": {"timeout": 1}}
        gateway.create_service("silent", "couchdb", config)
        begun = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda _: gateway.admin.get("/silent/_table/x"), range(4)))
        assert {reply.status_code for reply in replies} == {504}
        assert time.monotonic() - begun < 8
        assert not any(word in replies[0].text for word in (str(port), "hush-hush"))


@pytest.mark.parametrize(
    "dsn", ["http://u:hush-hush@127.0.0.1:1", "http://u:hush-hush@no.invalid:5984", "https://u:hush-hush@127.0.0.1:{}"]
)
def test_who_cannot_connect_is_told_to_try_later(gateway: Gateway, pouchdb_server: Server, dsn: str) -> None:
    name = f"away{len(dsn)}"
    gateway.create_service(name, "couchdb", {"dsn": dsn.format(pouchdb_server.port), "options": {"timeout": 5}})
    reply = gateway.admin.get(f"/{name}/_table")
    error_of(reply, 503)
    assert not any(word in reply.text for word in ("hush-hush", "127.0.0.1", "invalid:", str(pouchdb_server.port)))


def test_a_wrong_password_is_not_told(
    gateway: Gateway, pouchdb_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    config = {"dsn": f"http://admin:wrong-secret@127.0.0.1:{pouchdb_server.port}"}
    gateway.create_service("wrong", "couchdb", config)
    reply = gateway.admin.get("/wrong/_table")
    assert reply.status_code in (502, 503)
    assert not any(word in reply.text for word in ("wrong-secret", str(pouchdb_server.port)))
    assert "wrong-secret" not in caplog.text
    shown = gateway.admin.get("/system/service", params={"filter": "name = wrong"})
    assert "wrong-secret" not in shown.text


def test_databases_that_come_and_go_elsewhere_are_noticed(couch: Couch) -> None:
    other = f"{couch.name}_other"
    couch.direct.put(f"/{other}").raise_for_status()
    assert couch.client.post(f"/couch/_table/{other}", json={"_id": "a"}).status_code == 200
    assert other in couch.client.get("/couch/_table", params={"as_list": "true", "refresh": "true"}).json()["resource"]
    couch.direct.delete(f"/{other}").raise_for_status()
    error_of(couch.client.get(f"/couch/_table/{other}"), 404)


def test_structure_is_a_sample_and_says_so(couch: Couch) -> None:
    couch.put({"_id": "a", "n": 1, "deep": {"x": 1}}, {"_id": "b", "n": 2.5, "ok": True})
    told = couch.client.get(f"/couch/_schema/{couch.name}", params={"refresh": "true"}).json()
    fields = {one["name"]: (one["type"], one["db_type"]) for one in told["field"]}
    assert list(fields)[:2] == ["_id", "_rev"]
    assert fields["deep"] == ("json", "object")
    assert fields["ok"] == ("boolean", "boolean")
    for name in ("Upper", "1st", "_users", "a b", "x" * 300, "a?b", "../x"):
        error_of(couch.client.post("/couch/_schema", json={"resource": [{"name": name}]}), 400)


def test_references_are_asked_once(couch: Couch) -> None:
    """Describing tables must not cost more the more databases there are."""
    paths = list[tuple[str, ...]]()

    async def ask(verb: str, method: str, *path: str, **more: Any) -> Any:
        paths.append(path)
        return await original(verb, method, *path, **more)

    names = [f"{couch.name}_{index}" for index in range(6)]
    for name in names:
        couch.direct.put(f"/{name}").raise_for_status()
    assert couch.client.get("/couch/_table").status_code == 200
    service: Any = couch.gateway.app.services.of(couch.gateway.app.directory.snapshot.services["couch"])
    connection = service.store._connection
    original = connection.ask
    connection.ask = ask
    try:
        for name in names:
            assert couch.client.get(f"/couch/_schema/{name}").status_code == 200
    finally:
        del connection.ask
        for name in names:
            couch.direct.delete(f"/{name}")
    # One pass over all, and each table's own.
    assert paths.count((names[0], "_local", "trunkline")) == 2


def test_the_fields_are_in_their_order(gateway: Gateway) -> None:
    entries = gateway.app.registry.load("couchdb").config_class().schema_entries()
    assert [(one["name"], one["label"]) for one in entries][:2] == [
        ("dsn", "Connection String"), ("options", "Options"),
    ]  # fmt: skip
    assert [one["name"] for one in entries][2:] == ["allow_upsert", "max_records", "cache_enabled", "cache_ttl"]


@pytest.mark.parametrize(
    "config",
    [{"dsn": "nonsense"}, {"dsn": "ftp://h/x"}, {"dsn": "http://h:99999"}, {"options": {"timeout": 0}},
     {"options": {"timeout": "soon"}}],
)  # fmt: skip
def test_what_is_no_configuration_is_refused(gateway: Gateway, config: dict[str, Any]) -> None:
    body = {"resource": [{"name": "bad", "type": "couchdb", "label": "x", "config": config}]}
    assert gateway.admin.post("/system/service", json=body).status_code == 400
