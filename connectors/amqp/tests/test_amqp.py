"""AMQP passes the suite of its family; and what only AMQP has."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from servers import Server

from trunkline.testing import Gateway
from trunkline_messaging.testing import MessagingSuite, Table, until

pytestmark = pytest.mark.live
KEPT = {"durable": True, "auto_delete": False}


class TestAmqp(MessagingSuite):
    service_type = "amqp"

    @pytest.fixture
    def config(self, rabbitmq_server: Server) -> dict[str, Any]:
        return rabbitmq_server.new_config()

    @pytest.fixture
    def new_place(self) -> Callable[[], dict[str, Any]]:
        return lambda: {"queue": {"name": secrets.token_hex(4), **KEPT}}

    def test_messages_wait_for_a_subscriber(
        self, gateway: Gateway, own: str, place: dict[str, Any], table: Table
    ) -> None:
        for number in range(50):
            self.publish(gateway, own, place, f"{number}")
        body = [{**place, "service": table.endpoint, "qos": {"prefetch_count": 3}}]
        assert gateway.admin.post(f"/{own}/sub", json=body).json() == {"success": True, "job_count": 1}
        until(lambda: len(table.rows()) == 50)
        assert table.messages() == [f"{number}" for number in range(50)]

    @pytest.mark.parametrize("kind", ["direct", "topic", "fanout"])
    def test_exchanges_and_routing_keys(self, gateway: Gateway, own: str, table: Table, kind: str) -> None:
        exchange = {"exchange": {"name": secrets.token_hex(4), "type": kind, **KEPT}}
        queue = {"queue": {"name": secrets.token_hex(4), **KEPT}}
        item = {**exchange, **queue, "routing_keys": ["a", "b"], "service": table.endpoint}
        assert gateway.admin.post(f"/{own}/sub", json=item).status_code == 200

        def comes() -> bool:
            self.publish(gateway, own, {**exchange, "routing_key": "a"}, "probe")
            return bool(table.rows())

        until(comes)
        for key in ("b", "c"):
            self.publish(gateway, own, {**exchange, "routing": [key]}, key)
        self.publish(gateway, own, {**exchange, "topic": "a"}, "last")
        until(lambda: "last" in table.messages())
        assert {"b", "c"} & set(table.messages()) == ({"b", "c"} if kind == "fanout" else {"b"})
        reply = gateway.admin.post(f"/{own}/pub", json={**exchange, "message": "x"})
        assert reply.status_code == (200 if kind == "fanout" else 400)

    def test_properties_travel(self, gateway: Gateway, service: str, place: dict[str, Any]) -> None:
        message = {
            "body": "x", "content_type": "text/x", "delivery_mode": 1, "priority": 3, "correlation_id": "c",
            "expiration": "60000", "timestamp": 1, "user_id": "web", "app_id": "a",
        }  # fmt: skip
        assert gateway.admin.post(f"/{service}/pub", json={**place, "message": message}).status_code == 200
        for name, value in {"user_id": "root", "priority": 256, "expiration": "-1", "delivery_mode": 3}.items():
            body = {**place, "message": {"body": "x", name: value}}
            assert gateway.admin.post(f"/{service}/pub", json=body).status_code == 400, name

    def test_another_declaration_is_a_409_and_hurts_nobody(
        self, gateway: Gateway, service: str, place: dict[str, Any]
    ) -> None:
        self.publish(gateway, service, place, "x")
        name = place["queue"]["name"]
        reply = gateway.admin.post(f"/{service}/pub", json={"queue": {"name": name, "durable": False}, "message": "x"})
        assert reply.status_code == 409
        missing = {"queue": {"name": secrets.token_hex(4), "passive": True}, "message": "x"}
        assert gateway.admin.post(f"/{service}/pub", json=missing).status_code == 404
        self.publish(gateway, service, place, "x")

    def test_what_is_given_up_goes_to_the_dead_letters(
        self, gateway: Gateway, own: str, table: Table, new_place: Callable[[], dict[str, Any]]
    ) -> None:
        dead = new_place()
        self.publish(gateway, own, dead, "first")
        place = new_place()
        place["queue"]["arguments"] = {
            "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead["queue"]["name"],
        }  # fmt: skip
        items = [{**place, "service": "no_such_service/x"}, {**dead, "service": table.endpoint}]
        assert gateway.admin.post(f"/{own}/sub", json=items).json()["job_count"] == 2
        self.publish(gateway, own, place, "refused")
        until(lambda: "refused" in table.messages())

    def test_a_queue_that_is_gone_is_declared_again(self, gateway: Gateway, own: str, table: Table) -> None:
        """The broker would confirm the message and drop it."""
        place = {"queue": secrets.token_hex(4)}
        self.publish(gateway, own, place, "first")
        assert gateway.admin.post(f"/{own}/sub", json={**place, "service": table.endpoint}).status_code == 200
        until(lambda: table.rows())
        assert gateway.admin.delete(f"/{own}/sub").status_code == 200
        probe = {"queue": {"name": place["queue"], "passive": True}, "message": "probe"}
        # It is deleted with its last consumer.
        until(lambda: gateway.admin.post(f"/{own}/pub", json=probe).status_code == 404)
        self.publish(gateway, own, place, "second")
        assert gateway.admin.post(f"/{own}/sub", json={**place, "service": table.endpoint}).status_code == 200
        until(lambda: "second" in table.messages())
