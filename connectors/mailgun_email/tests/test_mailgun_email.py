"""Mailgun passes the suite of its family on a stand-in that takes what Mailgun's published interface takes."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.smtp import Envelope

from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for
from trunkline_email.testing import EmailSuite, Inbox, message, refused_port

MAIL = {"to": "a@example.com", "subject": "x", "body_text": "y"}
KEY, DOMAIN = "key-0123456789", "mg.example.com"


class MailgunInbox(Inbox):
    """Stands for Mailgun: ``POST /v3/{domain}/messages.mime``, Basic ``api:KEY``, a form with ``to`` and ``message``.

    It refuses what Mailgun's reference says that it refuses, with its statuses; and recipients that begin with
    ``nobody``, as Mailgun does with those that are no addresses. ``answers`` are statuses to give instead, once each.
    """

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.answers: list[int] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def config(self, **more: Any) -> dict[str, Any]:
        return {"domain": DOMAIN, "key": KEY, "endpoint": f"http://127.0.0.1:{self.port}", **more}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, told = inbox.judge(self.path, self.headers, body)
                content = told if isinstance(told, bytes) else json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_words: Any) -> None:
                pass

        return Handler

    def judge(self, path: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Answer status and content for a request, and keep the mail where it is taken."""
        if self.answers:
            return self.answers.pop(0), {"message": "account 4711 at api.internal"}
        if headers["Authorization"] != "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode():
            return 401, b"Forbidden"
        found = re.fullmatch(r"/v3/([^/]+)/messages\.mime", path)
        if found is None or found[1] != DOMAIN:
            return 404, {"message": f"Domain not found: {found[1] if found else path}"}
        if not headers["Content-Type"].startswith("multipart/form-data; boundary="):
            return 400, {"message": "message parameter is missing"}
        form = message_from_bytes(
            f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body, policy=policy.HTTP
        )
        parts = [(one.get_param("name", header="content-disposition"), one) for one in form.iter_parts()]
        to = [part.get_payload(decode=True).decode() for name, part in parts if name == "to"]
        mails = [part for name, part in parts if name == "message" and part.get_filename()]
        if not to:
            return 400, {"message": "to parameter is missing"}
        if len(to) > 1000 or any(not re.fullmatch(r"(?!nobody)[\x21-\x7e]+@[\x21-\x7e]+", one) for one in to):
            return 400, {"message": "to parameter is not a valid address. please check documentation"}
        if len(mails) != 1:
            return 400, {"message": "message parameter is missing"}
        start = body.index(b"\r\n\r\n", body.index(b'name="message"')) + 4
        content = body[start : body.rindex(b"\r\n--", start)]
        mail = message_from_bytes(content, policy=policy.default)
        if mail["From"] is None:
            return 400, {"message": "from parameter is missing"}
        envelope = Envelope()
        envelope.mail_from = mail["From"].addresses[0].addr_spec
        envelope.rcpt_tos, envelope.original_content = to, content
        self.envelopes.append(envelope)
        return 200, {"id": "<20261124.1@mg.example.com>", "message": "Queued. Thank you."}


class TestMailgunEmail(EmailSuite):
    service_type = "mailgun_email"

    @pytest.fixture(scope="class")
    @classmethod
    def gateway(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
        """A gateway that may reach this machine."""
        folder = tmp_path_factory.mktemp("mailgun") / "storage"
        with Gateway(settings_for(folder, outgoing_networks="127.0.0.0/8")) as started:
            yield started

    @pytest.fixture(scope="class")
    @classmethod
    def inbox(cls) -> Iterator[MailgunInbox]:
        inbox = MailgunInbox()
        inbox.start()
        yield inbox
        inbox.stop()

    @pytest.fixture
    def config(self, inbox: MailgunInbox) -> dict[str, Any]:
        return inbox.config()

    def test_international_addresses(self, send: Any, inbox: Inbox) -> None:
        """Nothing says that Mailgun takes what stands before the @ in anything but ASCII."""
        assert send(to="ann@bücher.example", subject="x", body_text="y").status_code == 200
        assert inbox.envelope.rcpt_tos == ["ann@xn--bcher-kva.example"]
        inbox.empty()
        assert "ASCII" in message(send(to="jürgen@bücher.example", subject="x", body_text="y"), 400)
        assert inbox.envelopes == []

    def test_parameters_fill_what_nobody_else_does(self, gateway: Gateway, inbox: MailgunInbox) -> None:
        config = inbox.config(parameters=[{"name": "shop", "value": "Corner"}, {"name": "mood", "value": "ill"}])
        gateway.create_service("with_parameters", self.service_type, config)
        inbox.empty()
        body = {**MAIL, "body_text": "{shop} {mood}", "mood": "well"}
        assert gateway.admin.post("/with_parameters", json=body).status_code == 200
        assert inbox.body() == "Corner well"

    def test_more_recipients_than_it_takes(self, send: Any, inbox: Inbox) -> None:
        assert "at most 1000" in message(send(**{**MAIL, "to": [f"a{n}@example.com" for n in range(1001)]}), 400)
        assert send(**{**MAIL, "to": [f"a{n}@example.com" for n in range(1000)]}).status_code == 200
        assert len(inbox.envelope.rcpt_tos) == 1000

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            ({"key": "wr0ng"}, "The mail service refused the login."),
            ({"domain": "other.example.com"}, "The mail service does not know the domain of this service."),
            ({"domain": "a/../b?c"}, "The mail service does not know the domain of this service."),
        ],
    )
    def test_a_wrong_configuration_is_a_502(
        self, gateway: Gateway, inbox: MailgunInbox, changed: dict[str, Any], told: str
    ) -> None:
        name = f"wrong{abs(hash(told + str(changed)))}"
        gateway.create_service(name, self.service_type, inbox.config(**changed))
        assert message(gateway.admin.post(f"/{name}", json=MAIL), 502) == told

    @pytest.mark.parametrize(
        ("answer", "status"), [(400, 400), (403, 502), (302, 502), (413, 413), (429, 503), (500, 503), (503, 503)]
    )
    def test_what_it_answers_otherwise(self, send: Any, inbox: MailgunInbox, answer: int, status: int) -> None:
        """D10: its words are for the log."""
        inbox.answers.append(answer)
        reply = send(**MAIL)
        told = message(reply, status)
        assert "4711" not in told
        assert "internal" not in told
        assert (int(reply.headers.get("Retry-After", 0)) > 0) == (status == 503)
        assert inbox.envelopes == []

    def test_the_fields_are_in_their_order(self, gateway: Gateway) -> None:
        entries = gateway.app.registry.load(self.service_type).config_class().schema_entries()
        assert [(one["name"], one["label"]) for one in entries] == [
            ("domain", "Mailgun Domain"), ("key", "API Key"), ("region_endpoint", "Region Endpoint"),
            ("parameters", "Parameters"), ("endpoint", "Endpoint"),
        ]  # fmt: skip
        for config in (
            {"key": "a"},
            {"domain": "a.example"},
            {"domain": "a.example", "key": "b", "region_endpoint": "x"},
        ):
            record = {"name": "none", "type": self.service_type, "config": config}
            assert gateway.admin.post("/system/service", json={"resource": [record]}).status_code == 400

    def test_a_server_that_is_away_or_says_nothing(self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        """Checklist 34."""
        monkeypatch.setattr("trunkline_mailgun_email._ANSWER", 0.3)
        config = {"domain": DOMAIN, "key": KEY}
        port = refused_port()
        gateway.create_service("away", self.service_type, {**config, "endpoint": f"http://127.0.0.1:{port}"})
        reply = gateway.admin.post("/away", json=MAIL)
        assert "not available" in message(reply, 503)
        assert int(reply.headers["Retry-After"]) > 0
        assert str(port) not in reply.text
        with socket.create_server(("127.0.0.1", 0)) as silent:
            endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
            gateway.create_service("silent", self.service_type, {**config, "endpoint": endpoint})
            assert "in time" in message(gateway.admin.post("/silent", json=MAIL), 504)

    def test_a_server_that_comes_back(self, gateway: Gateway) -> None:
        first = MailgunInbox()
        first.start()
        gateway.create_service("again", self.service_type, first.config())
        assert gateway.admin.post("/again", json=MAIL).status_code == 200
        first.stop()
        second = MailgunInbox.__new__(MailgunInbox)
        second.envelopes, second.answers = [], []
        second._server = ThreadingHTTPServer(("127.0.0.1", first.port), second._handler())
        second._server.daemon_threads = True
        second.start()
        try:
            statuses = [gateway.admin.post("/again", json=MAIL).status_code for _ in range(2)]
            assert statuses[-1] == 200
        finally:
            second.stop()


def test_a_private_address_needs_the_operators_word(fresh_gateway: Gateway) -> None:
    fresh_gateway.create_service(
        "mail", "mailgun_email", {"domain": DOMAIN, "key": KEY, "endpoint": "http://127.0.0.1:9"}
    )
    assert "reach" in message(fresh_gateway.admin.post("/mail", json=MAIL), 502)


@pytest.mark.parametrize(("region", "base"), [("", "https://api.mailgun.net"), ("eu", "https://api.eu.mailgun.net")])
def test_a_region_has_its_address(
    fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch, region: str, base: str
) -> None:
    """Nothing leaves this machine: the name is not resolved, and that is what is told."""
    asked: list[str] = []

    async def addresses(_self: Any, host: str, port: int) -> list[Any]:
        asked.append(f"https://{host}" if port == 443 else f"{host}:{port}")
        raise TimeoutError

    monkeypatch.setattr("trunkline.outgoing.Outgoing.addresses", addresses)
    fresh_gateway.create_service("mail", "mailgun_email", {"domain": DOMAIN, "key": KEY, "region_endpoint": region})
    assert fresh_gateway.admin.post("/mail", json=MAIL).status_code == 504
    assert asked == [base]
