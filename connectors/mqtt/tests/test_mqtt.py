"""MQTT passes the suite of its family, in both versions of the protocol; and what only MQTT has."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from brokers import Mosquitto
from directory_servers import certificates
from servers import Server, serving

from trunkline.testing import Gateway
from trunkline_messaging.testing import MessagingSuite, Table, until
from trunkline_mqtt import topics

pytestmark = pytest.mark.live


class TestMqtt(MessagingSuite):
    service_type = "mqtt"
    version = "3.1.1"

    @pytest.fixture
    def config(self, mosquitto_server: Server) -> dict[str, Any]:
        return {**mosquitto_server.new_config(), "version": self.version}

    @pytest.fixture
    def new_place(self) -> Callable[[], dict[str, Any]]:
        return lambda: {"topic": f"t/{secrets.token_hex(4)}"}

    def test_every_quality_is_published(self, gateway: Gateway, service: str, place: dict[str, Any]) -> None:
        for qos in (0, 1, 2, "2"):
            reply = gateway.admin.post(f"/{service}/pub", json={**place, "msg": "x", "qos": qos, "retain": False})
            assert reply.json() == {"success": True}
        for qos in (3, -1, True, "x"):
            body = {**place, "message": "x", "qos": qos}
            assert gateway.admin.post(f"/{service}/pub", json=body).status_code == 400

    @pytest.mark.parametrize("topic", ["a/#", "+", "a\0b", 3, ["a"], "x" * 65536])
    def test_what_is_no_topic_is_a_400(self, gateway: Gateway, service: str, topic: Any) -> None:
        assert gateway.admin.post(f"/{service}/pub", json={"topic": topic, "message": "x"}).status_code == 400

    def test_wildcards_and_several_topics(self, gateway: Gateway, own: str, table: Table) -> None:
        root = secrets.token_hex(4)
        other = Table(gateway)
        body = [
            {"topic": f"{root}/+/on", "service": table.endpoint}, {"topic": f"{root}/off/#", "service": other.endpoint},
            {"topic": f"{root}/off/#", "service": table.endpoint},
        ]  # fmt: skip
        refused = gateway.admin.post(f"/{own}/sub", json=[*body, {"topic": f"{root}/#", "service": "x"}])
        assert (refused.status_code, "overlap" in refused.text) == (400, True)
        body[1]["topic"] = body[2]["topic"] = f"{root}/off/x/#"
        assert gateway.admin.post(f"/{own}/sub", json=body).json() == {"success": True, "job_count": 1}
        (job,) = gateway.admin.get(f"/{own}/sub").json()
        assert job["sub"] == body
        # Retained messages come when somebody subscribes, whenever that is.
        for topic in ("a/on", "b/on", "off/x", "off/x/y", "c/off"):
            self.publish(gateway, own, {"topic": f"{root}/{topic}"}, topic)
        until(lambda: len(table.rows()) >= 4 and len(other.rows()) >= 2)
        assert sorted(table.messages()) == ["a/on", "b/on", "off/x", "off/x/y"]
        assert sorted(other.messages()) == ["off/x", "off/x/y"]

    def test_the_broker_forgets_what_is_ended(self, gateway: Gateway, own: str, table: Table) -> None:
        """Otherwise it would keep messages for a client that never comes."""
        first, second = ({"topic": secrets.token_hex(4)} for _ in range(2))
        self.subscribe(gateway, own, first, table.endpoint, table)
        assert gateway.admin.delete(f"/{own}/sub").status_code == 200
        known = len(table.rows())
        import time

        time.sleep(1.5)
        body = {**first, "message": "meanwhile", "retain": False}
        assert gateway.admin.post(f"/{own}/pub", json=body).status_code == 200
        other = Table(gateway)
        self.subscribe(gateway, own, second, other.endpoint, other)
        assert (len(table.rows()), "meanwhile" in other.messages()) == (known, False)

    def test_where_nobody_may_publish(self, gateway: Gateway, service: str) -> None:
        """The older version cannot tell, as its confirmations have no reason."""
        reply = gateway.admin.post(f"/{service}/pub", json={"topic": "closed/x", "message": "x"})
        assert reply.status_code == (403 if self.version == "5" else 200)


class TestMqtt5(TestMqtt):
    version = "5"


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("a", "a", True), ("a", "b", False), ("a/+", "a/b", True), ("+/b", "a/+", True), ("a/#", "a", True),
        ("#", "a/b/c", True), ("a/+", "a/b/c", False), ("a/b/#", "a/+", True), ("a/+/c", "a/b/d", False),
        ("a/b/c/#", "a/b", False),
    ],
)  # fmt: skip
def test_which_filters_overlap(one: str, other: str, both: bool) -> None:
    assert topics.overlap(one, other) == topics.overlap(other, one) == both


@pytest.mark.parametrize(
    ("one", "topic", "fits"),
    [("a/#", "a", True), ("a/+", "a/b", True), ("a/+", "a", False), ("#", "$SYS/x", False), ("a", "a/b", False)],
)
def test_which_topics_a_filter_stands_for(one: str, topic: str, fits: bool) -> None:
    assert topics.matches(one, topic) == fits


class TlsMosquitto(Mosquitto):
    """Mosquitto that listens with TLS only, by a certificate that a test authority has signed."""

    def prepare(self) -> None:
        super().prepare()
        certificates(self.folder, "127.0.0.1")
        for one in ("cert.pem", "key.pem"):
            shutil.chown(self.folder / one, self.account, self.account)
        settings = self.folder / "m.conf"
        begin, rest = settings.read_text().split("\n", 1)
        settings.write_text(f"{begin}\ncertfile {self.folder}/cert.pem\nkeyfile {self.folder}/key.pem\n{rest}")


def test_tls_is_used_and_certificates_are_checked(fresh_gateway: Gateway, tmp_path: Path) -> None:
    """By the authorities of a file or a folder; no others, and no way round where the server wants TLS."""
    with serving(TlsMosquitto) as server:
        authority = server.folder / "ca.pem"
        for name, config, status in (
            ("plain", {}, (502, 503, 504)),
            ("unknown", {"use_tls": True, "capath": "/etc/ssl/certs"}, (502,)),
            ("known", {"use_tls": True, "capath": str(authority)}, (200,)),
            ("missing", {"use_tls": True, "capath": str(tmp_path / "none.pem")}, (502,)),
        ):
            fresh_gateway.create_service(name, "mqtt", {**server.new_config(), **config, "timeout": 3})
            reply = fresh_gateway.admin.post(f"/{name}/pub", json={"topic": "a", "message": "x"})
            assert reply.status_code in status, (name, reply.text)
            assert str(tmp_path) not in reply.text
