"""The server going away, being silent, and tables that change under the gateway."""

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


def test_a_table_made_and_dropped_elsewhere_is_noticed(shop: Client, direct: Any) -> None:
    direct.create_table(
        TableName="fading", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )  # fmt: skip
    assert shop.post("/shop/_table/fading", json={"k": "a"}).status_code == 200
    assert shop.get("/shop/_table/fading").json() == {"resource": [{"k": "a"}]}
    direct.delete_table(TableName="fading")
    reply = shop.get("/shop/_table/fading")
    assert reply.status_code == 404, reply.text


def test_a_table_without_declared_fields_takes_any(shop: Client) -> None:
    made = shop.post("/shop/_schema", json={"resource": [{"name": "anything"}]})
    assert made.status_code == 200, made.text
    assert shop.post("/shop/_table/anything", json={"id": "a", "b": {"c": 1}}).status_code == 200
    assert shop.get("/shop/_table/anything/a").json() == {"id": "a", "b": {"c": 1}}
    assert shop.delete("/shop/_schema/anything").json() == {"success": True}


def test_a_server_that_goes_away_is_a_503_and_comes_back_by_itself(
    gateway: Gateway, shop: Client, dynamodb_server: Any
) -> None:
    """Checklist 34."""
    assert shop.post("/shop/_table/plain", json={"id": 1, "note": "kept"}).status_code == 200
    dynamodb_server.kill()
    try:
        started = time.monotonic()
        for verb, path, body in (("GET", "", None), ("POST", "", {"id": 2}), ("PATCH", "/1", {"n": 1})):
            reply = shop.request(verb, f"/shop/_table/plain{path}", json=body)
            assert reply.status_code == 503, reply.text
            assert int(reply.headers["retry-after"]) > 0
            assert "127.0.0.1" not in reply.text
            assert str(dynamodb_server.port) not in reply.text
        assert time.monotonic() - started < 10
        assert shop.get("/system/service", params={"fields": "id"}).status_code == 200
    finally:
        dynamodb_server.start()
    reply = shop.get("/shop/_table/plain/1")
    assert reply.status_code == 200, reply.text
    assert reply.json()["note"] == "kept"


def test_a_server_that_stops_answering_is_a_504_in_time(
    gateway: Gateway, shop: Client, dynamodb_server: Any, account: dict[str, Any]
) -> None:
    """Checklist 32."""
    gateway.create_service("hasty", "aws_dynamodb", {**account, "timeout": 1})
    assert gateway.admin.get("/hasty/_table/plain").status_code == 200
    os.killpg(dynamodb_server.process.pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        reply = gateway.admin.get("/hasty/_table/plain")
        assert reply.status_code == 504, reply.text
        assert time.monotonic() - started < 4
    finally:
        os.killpg(dynamodb_server.process.pid, signal.SIGCONT)
    assert gateway.admin.get("/hasty/_table/plain").status_code == 200


def test_a_socket_that_accepts_and_never_answers_is_left_in_time(gateway: Gateway, account: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        config = {**account, "endpoint": f"http://127.0.0.1:{port}", "timeout": 1}
        gateway.create_service("silent", "aws_dynamodb", config)
        started = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            replies = list(pool.map(lambda _: gateway.admin.get("/silent/_table/plain"), range(4)))
        assert {reply.status_code for reply in replies} == {504}
        assert time.monotonic() - started < 8
        assert str(port) not in replies[0].text
