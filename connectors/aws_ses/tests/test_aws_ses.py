"""SES passes the suite of its family on moto's server; and servers that are away, slow, refusing."""

from __future__ import annotations

import contextlib
import json
import socket
from email.utils import parseaddr
from typing import Any

import botocore.session
import httpx2
import pytest
from aiosmtpd.smtp import Envelope

from trunkline.testing import Gateway
from trunkline_email.testing import EmailSuite, Inbox, message, refused_port

pytestmark = pytest.mark.live
MAIL = {"to": "a@example.com", "subject": "x", "body_text": "y"}


class SesInbox(Inbox):
    """What a moto server has been given to send, from the domains that are verified there."""

    def __init__(self, server: Any) -> None:
        self.config = {
            "key": "any",
            "secret": "any",
            "region": "eu-west-1",
            "endpoint": f"http://127.0.0.1:{server.port}",
        }
        self._data = f"http://127.0.0.1:{server.port}/moto-api/data.json"
        self._seen = 0
        client = botocore.session.get_session().create_client(
            "ses", region_name="eu-west-1", endpoint_url=self.config["endpoint"], aws_access_key_id="any",
            aws_secret_access_key="any",
        )  # fmt: skip
        with contextlib.closing(client):
            for domain in ("example.com", "localhost"):
                client.verify_domain_identity(Domain=domain)

    def _all(self) -> list[dict[str, Any]]:
        return json.loads(httpx2.get(self._data).content).get("ses", {}).get("RawMessage", [])

    def empty(self) -> None:
        self._seen = len(self._all())

    @property
    def envelopes(self) -> list[Envelope]:
        """What has come; moto adds the addresses of the headers to those that it was given."""
        found = []
        for one in self._all()[self._seen :]:
            envelope = Envelope()
            envelope.mail_from = one["source"]
            envelope.rcpt_tos = list(dict.fromkeys(parseaddr(address)[1] for address in one["destinations"]))
            envelope.original_content = one["raw_data"].encode()
            found.append(envelope)
        return found


class TestAwsSes(EmailSuite):
    service_type = "aws_ses"

    @pytest.fixture(scope="class")
    @classmethod
    def inbox(cls, moto_server: Any) -> SesInbox:
        return SesInbox(moto_server)

    @pytest.fixture
    def config(self, inbox: SesInbox) -> dict[str, Any]:
        return dict(inbox.config)

    def test_international_addresses(self, send: Any, inbox: Inbox) -> None:
        """SES takes what stands before the @ only in ASCII."""
        assert send(to="ann@bücher.example", subject="x", body_text="y").status_code == 200
        assert inbox.envelope.rcpt_tos == ["ann@xn--bcher-kva.example"]
        inbox.empty()
        assert "ASCII" in message(send(to="jürgen@bücher.example", subject="x", body_text="y"), 400)
        assert inbox.envelopes == []

    def test_a_refused_recipient_is_named_and_nobody_gets_the_mail(self, send: Any, inbox: Inbox) -> None:
        """SES judges recipients later; what it refuses at once is a sender whose domain is not verified."""
        told = message(send(**MAIL, from_email="a@elsewhere.example"), 400)
        assert told == "The mail service refused the mail: its sender, a recipient or its content."
        assert "at most 50" in message(send(**{**MAIL, "to": [f"a{n}@example.com" for n in range(51)]}), 400)
        assert inbox.envelopes == []

    def test_the_fields_are_in_their_order(self, gateway: Gateway) -> None:
        entries = gateway.app.registry.load(self.service_type).config_class().schema_entries()
        assert [(one["name"], one["label"]) for one in entries] == [
            ("key", "Access Key ID"), ("secret", "Secret Access Key"), ("region", "Region"), ("proxy", "Proxy"),
            ("endpoint", "Endpoint"),
        ]  # fmt: skip
        record = {"name": "none", "type": self.service_type, "config": {"key": "a", "secret": "b"}}
        assert "config.region" in gateway.admin.post("/system/service", json={"resource": [record]}).text

    def test_key_and_secret_are_needed(self, gateway: Gateway, config: dict[str, Any]) -> None:
        gateway.create_service("keyless", self.service_type, {**config, "secret": None})
        assert "Missing one or more configuration" in message(gateway.admin.post("/keyless", json=MAIL), 500)


def test_a_refused_login_is_a_502(moto_server: Any, fresh_gateway: Gateway) -> None:
    server = f"http://127.0.0.1:{moto_server.port}"
    fresh_gateway.create_service("mail", "aws_ses", SesInbox(moto_server).config)
    # From the next call on moto wants to know who asks.
    httpx2.post(f"{server}/moto-api/reset-auth", content=b"0")
    try:
        reply = fresh_gateway.admin.post("/mail", json=MAIL)
        assert message(reply, 502) == "The mail service refused the login."
    finally:
        httpx2.post(f"{server}/moto-api/reset-auth", content=b"Infinity")
    assert fresh_gateway.admin.post("/mail", json=MAIL).status_code == 200


def test_a_server_that_dies_and_comes_back(fresh_gateway: Gateway) -> None:
    """Checklist 34."""
    from object_servers import Moto
    from servers import serving

    with serving(Moto) as server:
        fresh_gateway.create_service("mail", "aws_ses", SesInbox(server).config)
        assert fresh_gateway.admin.post("/mail", json=MAIL).status_code == 200
        server.kill()
        reply = fresh_gateway.admin.post("/mail", json=MAIL)
        assert message(reply, 503) == "The mail service is not available."
        assert int(reply.headers["Retry-After"]) > 0
        assert str(server.port) not in reply.text
        server.start()
        inbox = SesInbox(server)
        assert fresh_gateway.admin.post("/mail", json=MAIL).status_code == 200
        assert len(inbox.envelopes) == 1


def test_a_server_that_says_nothing_is_a_504(fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline_aws_ses._ANSWER", 0.3)
    config = {"key": "a", "secret": "b", "region": "eu-west-1"}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        fresh_gateway.create_service("mail", "aws_ses", {**config, "endpoint": endpoint})
        assert message(fresh_gateway.admin.post("/mail", json=MAIL), 504) == "The mail service did not answer in time."
    fresh_gateway.create_service("none", "aws_ses", {**config, "endpoint": f"http://127.0.0.1:{refused_port()}"})
    assert fresh_gateway.admin.post("/none", json=MAIL).status_code == 503
