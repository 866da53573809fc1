"""What every messaging service promises; subclass the suite with ``service_type``, ``config`` and ``new_place``."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from trunkline.testing import Gateway
from trunkline.testing.suite import ServiceSuite

# Seconds to wait for what comes by itself.
PATIENCE = 30.0


def until(holds: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until something holds and answer it; fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def silence() -> Iterator[int]:
    """Listen on a port, take connections, and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(server.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in kept:
                one.close()


class Table:
    """A table that subscriptions write messages to."""

    def __init__(self, gateway: Gateway) -> None:
        """Make it, in a database of its own."""
        self.gateway = gateway
        self.service = f"db{secrets.token_hex(4)}"
        gateway.create_service(self.service, "sqlite", {"database": f"{self.service}.sqlite"})
        names = ("message", "source", "encoding")
        fields = [{"name": "id", "type": "id"}, *({"name": one, "type": "text", "allow_null": True} for one in names)]
        assert gateway.admin.post(f"/{self.service}/_schema/log", json={"field": fields}).status_code == 200

    @property
    def endpoint(self) -> str:
        """Where messages go."""
        return f"{self.service}/_table/log"

    def rows(self) -> list[dict[str, Any]]:
        """Answer all that was written."""
        found: list[dict[str, Any]] = self.gateway.admin.get(f"/{self.endpoint}", params={"limit": 1000}).json()[
            "resource"
        ]
        return found

    def messages(self) -> list[str]:
        """Answer the messages, in the order in which they came."""
        return [one["message"] for one in self.rows()]


class MessagingSuite(ServiceSuite):
    """Checks publishing and subscriptions on a broker that is there."""

    numbers = itertools.count(1)

    @pytest.fixture
    def new_place(self) -> Callable[[], dict[str, Any]]:
        """What makes the members of a request that say where to publish and what to subscribe to, new each time."""
        raise NotImplementedError

    @pytest.fixture
    def place(self, new_place: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """A place that nobody has used."""
        return new_place()

    @pytest.fixture
    def table(self, gateway: Gateway) -> Table:
        """A table for what comes."""
        return Table(gateway)

    @pytest.fixture
    def own(self, gateway: Gateway, config: dict[str, Any]) -> Iterator[str]:
        """The name of a service for one test, whose subscriptions end with it."""
        name = f"own{secrets.token_hex(4)}"
        gateway.create_service(name, self.service_type, config)
        yield name
        gateway.admin.delete(f"/{name}/sub")

    def publish(self, gateway: Gateway, name: str, place: dict[str, Any], message: Any) -> None:
        """Publish a message and see it confirmed."""
        reply = gateway.admin.post(f"/{name}/pub", json={**place, "message": message})
        assert (reply.status_code, reply.json()) == (200, {"success": True})

    def subscribe(self, gateway: Gateway, name: str, place: dict[str, Any], service: Any, table: Table) -> None:
        """Subscribe, and wait until messages come."""
        reply = gateway.admin.post(f"/{name}/sub", json={**place, "service": service})
        assert (reply.status_code, reply.json()) == (200, {"success": True, "job_count": 1})
        deadline = time.monotonic() + PATIENCE
        while not table.rows():
            assert time.monotonic() < deadline, "nothing comes"
            self.publish(gateway, name, place, "probe")
            time.sleep(0.3)
        # What of the probes is still under way comes before whatever is published later.
        self.publish(gateway, name, place, "ready")
        until(lambda: "ready" in table.messages())

    def test_the_document_tells_of_the_calls(self, gateway: Gateway, service: str) -> None:
        """So do the tools of assistants, which are made of the same."""
        paths = gateway.admin.get(f"/{service}/_spec").json()["paths"]
        told = {path: sorted(verb for verb in paths[path] if verb != "parameters") for path in paths}
        assert told == {"/": ["get"], "/pub": ["post"], "/sub": ["delete", "get", "post"]}
        body = paths["/pub"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert "message" in str(gateway.admin.get(f"/{service}/_spec").json()["components"]) + str(body)

    def test_the_root_lists_both_resources(self, gateway: Gateway, service: str) -> None:
        assert gateway.admin.get(f"/{service}").json() == {"resource": [{"name": "pub"}, {"name": "sub"}]}

    def test_nothing_to_publish_is_a_400(self, gateway: Gateway, service: str, place: dict[str, Any]) -> None:
        bodies: list[Any] = [None, {}, {"message": "x"}, place, [], "text"]
        for body in bodies:
            assert gateway.admin.post(f"/{service}/pub", json=body).status_code == 400, body

    def test_what_is_no_subscription_is_a_400(self, gateway: Gateway, service: str, place: dict[str, Any]) -> None:
        bad: list[Any] = [
            None, {}, [], place, {"service": "db/_table/log"}, {**place, "service": {}}, {**place, "service": ""},
            {**place, "service": {"endpoint": "x", "verb": "FLY"}},
            {**place, "service": {"endpoint": "x", "payload": 1}},
            [{**place, "service": "x"}, {}],
        ]  # fmt: skip
        for body in bad:
            assert gateway.admin.post(f"/{service}/sub", json=body).status_code == 400, body
        assert gateway.admin.get(f"/{service}/sub").status_code == 404

    def test_a_message_makes_a_call(self, gateway: Gateway, own: str, place: dict[str, Any], table: Table) -> None:
        service = {"endpoint": f"/api/v2/{table.endpoint}", "method": "post", "payload": {"source": "suite"}}
        self.subscribe(gateway, own, place, service, table)
        for message in ("Gr\u00fc\u00dfe", "x" * 100_000):
            self.publish(gateway, own, place, message)
        until(lambda: {"Gr\u00fc\u00dfe", "x" * 100_000} <= set(table.messages()))
        self.publish(gateway, own, place, {"body": {"a": [1]}})
        until(lambda: '{"a":[1]}' in table.messages()[-1])
        assert {one["source"] for one in table.rows()} == {"suite"}

    def test_subscriptions_are_listed_and_ended(
        self, gateway: Gateway, own: str, place: dict[str, Any], table: Table
    ) -> None:
        assert gateway.admin.get(f"/{own}/sub").status_code == 404
        self.subscribe(gateway, own, place, table.endpoint, table)
        (job,) = gateway.admin.get(f"/{own}/sub").json()
        assert (set(job), job["attempted"]) == ({"sub", "attempted"}, 1)
        assert table.endpoint in str(job["sub"])
        again = gateway.admin.post(f"/{own}/sub", json={**place, "service": table.endpoint})
        assert (again.status_code, "terminate the current process" in again.text) == (403, True)
        assert gateway.admin.delete(f"/{own}/sub").json() == {"success": True}
        assert gateway.admin.get(f"/{own}/sub").status_code == 404
        known = len(table.rows())
        time.sleep(1)
        self.publish(gateway, own, place, "after the end")
        time.sleep(1)
        assert len(table.rows()) == known

    def test_calls_have_the_rights_of_who_subscribed(
        self, gateway: Gateway, own: str, new_place: Callable[[], dict[str, Any]], table: Table
    ) -> None:
        row = {"service": own, "component": "*", "verb_mask": 31}
        stranger = gateway.key_for([row])
        secret, place = Table(gateway), new_place()
        assert stranger.post(f"/{own}/sub", json={**place, "service": secret.endpoint}).status_code == 200
        until(lambda: gateway.admin.get(f"/{own}/sub").status_code == 200)
        for number in range(8):
            assert stranger.post(f"/{own}/pub", json={**place, "message": f"{number}"}).status_code == 200
            time.sleep(0.2)
        assert secret.rows() == []
        assert stranger.delete(f"/{own}/sub").status_code == 200
        friend = gateway.key_for([row, {"service": table.service, "component": "*", "verb_mask": 31}])
        place = new_place()
        assert friend.post(f"/{own}/sub", json={**place, "service": table.endpoint}).status_code == 200

        def published() -> bool:
            assert friend.post(f"/{own}/pub", json={**place, "message": "x"}).status_code == 200
            return bool(table.rows())

        until(published)

    def test_roles_tell_publishers_from_subscribers(self, gateway: Gateway, own: str, place: dict[str, Any]) -> None:
        publisher = gateway.key_for([{"service": own, "component": "pub", "verb_mask": 2}])
        assert publisher.post(f"/{own}/pub", json={**place, "message": "x"}).status_code == 200
        for verb in ("GET", "POST", "DELETE"):
            assert publisher.request(verb, f"/{own}/sub").status_code == 401
        reply = gateway.admin.get(f"/{own}", params={"as_access_list": "true"}).json()
        assert reply == {"resource": ["", "*", "pub/", "pub/*", "sub/", "sub/*"]}

    def test_a_broker_that_is_not_there_is_a_503(
        self, gateway: Gateway, config: dict[str, Any], place: dict[str, Any]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        self.refused(gateway, {**config, "port": port}, place, 503)

    def test_a_broker_that_says_nothing_is_a_504_in_time(
        self, gateway: Gateway, config: dict[str, Any], place: dict[str, Any]
    ) -> None:
        with silence() as port:
            started = time.monotonic()
            self.refused(gateway, {**config, "port": port, "timeout": 1}, place, 504)
            assert time.monotonic() - started < 3

    def test_a_login_that_the_broker_refuses_is_a_502(
        self, gateway: Gateway, config: dict[str, Any], place: dict[str, Any]
    ) -> None:
        self.refused(gateway, {**config, "password": "no-such-password"}, place, 502)

    def refused(self, gateway: Gateway, config: dict[str, Any], place: dict[str, Any], status: int) -> None:
        """See that publishing fails with a status, and that the reply tells nothing of the configuration."""
        name = f"bad{secrets.token_hex(4)}"
        gateway.create_service(name, self.service_type, config)
        reply = gateway.admin.post(f"/{name}/pub", json={**place, "message": "x"})
        assert reply.status_code == status, reply.text
        for told in ("127.0.0.1", str(config["port"]), str(config["password"]), str(config.get("username"))):
            assert told not in reply.text
        if status != 502:
            assert int(reply.headers["Retry-After"]) > 0
