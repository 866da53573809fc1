"""What every email service promises, shown by mails that arrive at a real SMTP server.

Subclass the suite with ``service_type`` and a ``config`` fixture that leads to the fixture ``inbox``.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import httpx2
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from trunkline.testing import Client, Gateway, ServiceSuite

__all__ = ["EmailSuite", "Inbox", "refused_port"]


class _Handler:
    """What the server does with recipients and mails; it looks at all its attributes, so there are few."""

    def __init__(self, arrived: list[Envelope]) -> None:
        """Collect what arrives."""
        self._arrived = arrived

    async def handle_RCPT(  # noqa: N802 - the server calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient or not."""
        if address.startswith("nobody"):
            return "550 5.1.1 no such mailbox at mx.internal"
        if address.startswith("later"):
            return "450 4.2.1 mailbox busy"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Keep a mail."""
        self._arrived.append(envelope)
        return "250 OK"


class Inbox:
    """A mail server (aiosmtpd) on a free port of this machine, and what it has got.

    It refuses recipients whose address begins with ``nobody``, and those that begin with ``later`` for the time being.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> None:
        """Begin with nothing; ``tls`` offers STARTTLS, ``login`` asks for a name and a password."""
        self.envelopes: list[Envelope] = []
        self.logins: list[str] = []
        self._login = login
        self._is_listening = False
        self._controller = Controller(
            _Handler(self.envelopes),
            hostname="127.0.0.1",
            port=_free_port(),
            ready_timeout=30.0,
            enable_SMTPUTF8=True,
            tls_context=tls,
            auth_required=login is not None,
            auth_require_tls=tls is not None,
            authenticator=self._judge,
        )

    def _judge(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == self._login
        if good:
            self.logins.append(data.login.decode())
        return AuthResult(success=good, handled=good)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._controller.port)

    def start(self) -> None:
        """Listen."""
        self._controller.start()
        self._is_listening = True

    def stop(self) -> None:
        """Listen no more."""
        if self._is_listening:
            self._controller.stop()
        self._is_listening = False

    def empty(self) -> None:
        """Forget what has come."""
        self.envelopes.clear()

    @property
    def envelope(self) -> Envelope:
        """The only mail that has come, with the addresses that it went to."""
        (only,) = self.envelopes
        return only

    @property
    def mail(self) -> EmailMessage:
        """The only mail that has come."""
        content = self.envelope.original_content
        assert content is not None
        found = message_from_bytes(content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    def body(self, kind: str = "plain") -> str:
        """The only mail's plain or HTML part, without the line ends of transmission."""
        part = self.mail.get_body((kind,))
        assert isinstance(part, EmailMessage)
        return str(part.get_content()).replace("\r\n", "\n").rstrip("\n")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


refused_port = _free_port


def message(reply: httpx2.Response, status: int) -> str:
    """Check an error reply and answer what it says."""
    assert reply.status_code == status, reply.text
    return str(reply.json()["error"]["message"])


class EmailSuite(ServiceSuite):
    """Checks how mails are made of templates and requests, and what reaches whom."""

    @pytest.fixture(scope="class")
    @classmethod
    def inbox(cls) -> Iterator[Inbox]:
        """Where the mails of this class arrive."""
        inbox = Inbox()
        inbox.start()
        yield inbox
        inbox.stop()

    @pytest.fixture
    def send(self, gateway: Gateway, service: str, inbox: Inbox) -> Any:
        """Send a mail as an administrator, with an empty inbox before."""
        inbox.empty()

        def send(client: Client | None = None, params: dict[str, Any] | None = None, **body: Any) -> httpx2.Response:
            return (client or gateway.admin).post(f"/{service}", params=params, json=body)

        return send

    @pytest.fixture
    def template(self, gateway: Gateway) -> dict[str, Any]:
        """A template with placeholders and defaults."""
        values = {
            "name": "welcome", "to": "always@example.com", "subject": "Hello {first_name}, {mood}",
            "body_text": "From {place}: {first_name} {unknown}", "body_html": "<b>{first_name}</b>",
            "from_name": "The Shop", "from_email": "shop@example.com", "defaults": {"mood": "well", "place": "home"},
        }  # fmt: skip
        found = gateway.admin.get("/system/email_template", params={"filter": 'name="welcome"'}).json()["resource"]
        if not found:
            reply = gateway.admin.post("/system/email_template", json={"resource": [values]})
            assert reply.status_code == 201, reply.text
            found = reply.json()["resource"]
        return {**values, "id": found[0]["id"]}

    def test_a_mail_arrives(self, send: Any, inbox: Inbox) -> None:
        reply = send(
            to={"name": "Ann Müller", "email": "ann@example.com"},
            cc=["carl@example.com"], bcc="ben@example.com", subject="Grüße", body_text="Zeile 1\n.\nZeile 2 ☂",
            from_name="The Shop", from_email="shop@example.com", reply_to_email="help@example.com",
        )  # fmt: skip
        assert (reply.status_code, reply.json()) == (200, {"count": 1})
        mail, envelope = inbox.mail, inbox.envelope
        assert str(mail["To"]) == "Ann Müller <ann@example.com>"
        assert (mail["Cc"], mail["Subject"], mail["Reply-To"]) == ("carl@example.com", "Grüße", "help@example.com")
        assert str(mail["From"]) == "The Shop <shop@example.com>"
        assert mail["Date"]
        assert mail["Message-ID"].endswith("@example.com>")
        assert inbox.body() == "Zeile 1\n.\nZeile 2 ☂"
        assert envelope.mail_from == "shop@example.com"
        assert envelope.rcpt_tos == ["ann@example.com", "carl@example.com", "ben@example.com"]
        content = envelope.original_content
        assert content is not None
        assert b"ben@example.com" not in content, "who got a blind copy must not be told"

    def test_both_bodies_are_alternatives(self, send: Any, inbox: Inbox) -> None:
        assert send(to="a@example.com", subject="x", body_text="plain", body_html="<p>rich</p>").status_code == 200
        assert inbox.mail.get_content_type() == "multipart/alternative"
        assert (inbox.body(), inbox.body("html")) == ("plain", "<p>rich</p>")
        inbox.empty()
        assert send(to="a@example.com", subject="x", body_html="<p>rich</p>").status_code == 200
        assert inbox.mail.get_content_type() == "text/html"

    def test_the_sender_comes_from_the_platform_where_nobody_says(self, send: Any, inbox: Inbox) -> None:
        assert send(to="a@example.com", subject="x", body_text="y").status_code == 200
        assert str(inbox.mail["From"]) == "no-reply@localhost"

    def test_the_query_will_do_without_a_body(self, gateway: Gateway, service: str, inbox: Inbox) -> None:
        inbox.empty()
        params = {"to": "a@example.com", "subject": "{x}", "body_text": "y", "x": "from the query"}
        assert gateway.admin.post(f"/{service}", params=params).status_code == 200
        assert inbox.mail["Subject"] == "from the query"

    def test_a_template_is_filled(self, send: Any, inbox: Inbox, template: dict[str, Any]) -> None:
        """The request weighs more than the defaults, these more than the columns; unknown placeholders stay."""
        body = {"first_name": "Ann", "place": "<town>"}
        for params in ({"template": "welcome"}, {"template_id": template["id"]}):
            inbox.empty()
            assert send(params=params, **body).status_code == 200
            assert inbox.mail["Subject"] == "Hello Ann, well"
            assert inbox.body() == "From <town>: Ann {unknown}"
            assert inbox.body("html") == "<b>Ann</b>"
            assert str(inbox.mail["From"]) == "The Shop <shop@example.com>"
            assert inbox.envelope.rcpt_tos == ["always@example.com"]
        inbox.empty()
        sent = send(template="welcome", to="other@example.com", subject="Mine", mood="x", body_html=None)
        assert sent.status_code == 200
        assert (inbox.mail["Subject"], inbox.mail.get_content_type()) == ("Mine", "text/plain")
        assert inbox.envelope.rcpt_tos == ["other@example.com"]

    def test_values_are_never_looked_into(self, gateway: Gateway, send: Any, inbox: Inbox) -> None:
        """Checklist 7: whoever fills a placeholder cannot reach lookups or other values by it."""
        gateway.admin.post("/system/lookup", json={"resource": [{"name": "motto", "value": "Ever on {b}"}]})
        gateway.admin.post(
            "/system/lookup", json={"resource": [{"name": "hidden", "value": "s3cret", "private": True}]}
        )
        assert send(to="a@example.com", subject="{a}", body_text="{motto} {hidden}", a="{motto}", b="x").is_success
        assert inbox.mail["Subject"] == "{motto}"
        assert inbox.body() == "Ever on {b} {hidden}"

    @pytest.mark.parametrize("evil", ["\r\nBcc: spy@example.com", "\nX: y", "\rX: y", "\0", "\x0b", "\x85", "\u2028"])
    @pytest.mark.parametrize(
        "field", ["subject", "to", "cc", "bcc", "from_name", "from_email", "reply_to_name", "reply_to_email", "value"]
    )
    def test_nothing_can_begin_another_header(self, send: Any, inbox: Inbox, field: str, evil: str) -> None:
        """Checklist 7."""
        body = {"to": "a@example.com", "subject": "s {value}", "body_text": "b", "reply_to_email": "r@example.com"}
        address = field not in ("subject", "from_name", "reply_to_name", "value")
        body[field] = f"a@example.com{evil}b" if address else f"a{evil}b"
        reply = send(**body)
        told = message(reply, 400)
        assert "single line" in told or "Invalid email" in told
        assert inbox.envelopes == []

    def test_a_file_name_can_not_either(self, gateway: Gateway, service: str, inbox: Inbox) -> None:
        inbox.empty()
        name = "a%0D%0ABcc%3A spy@example.com%0D%0A.txt"
        parts = [
            b'--b\r\nContent-Disposition: form-data; name="to"\r\n\r\na@example.com\r\n',
            f'--b\r\nContent-Disposition: form-data; name="file"; filename="../x/{name}"\r\n'
            "Content-Type: text/plain\r\n\r\nfile content\r\n".encode(),
            b'--b\r\nContent-Disposition: form-data; name="attachment"; filename="b\xc3\xa4.bin"\r\n\r\n\x00\xff\r\n'
            b"--b--\r\n",
        ]
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        reply = gateway.admin.post(f"/{service}", content=b"".join(parts), headers=headers)
        assert reply.status_code == 200, reply.text
        first, second = inbox.mail.iter_attachments()
        assert inbox.mail["Bcc"] is None
        assert (first.get_content_type(), first.get_content().strip()) == ("text/plain", "file content")
        assert "/" not in str(first.get_filename())
        assert (second.get_filename(), second.get_content()) == ("bä.bin", b"\x00\xff")

    def test_international_addresses(self, send: Any, inbox: Inbox) -> None:
        """The domain goes in its ASCII form; what stands before it as it is, where the server can."""
        assert send(to="ann@bücher.example", subject="x", body_text="y").status_code == 200
        assert inbox.envelope.rcpt_tos == ["ann@xn--bcher-kva.example"]
        inbox.empty()
        assert send(to="jürgen@bücher.example", subject="x", body_text="y").status_code == 200
        assert inbox.envelope.rcpt_tos == ["jürgen@xn--bcher-kva.example"]

    @pytest.mark.parametrize(
        "to", [None, "", [], "ann", "a@x.example, b@x.example", "Ann <a@x.example>", "a b@x.example", 7, {"name": "A"}]
    )
    def test_what_is_no_address(self, send: Any, inbox: Inbox, to: Any) -> None:
        assert message(send(to=to, subject="x"), 400).startswith("Invalid email - '")
        assert inbox.envelopes == []

    def test_a_refused_recipient_is_named_and_nobody_gets_the_mail(self, send: Any, inbox: Inbox) -> None:
        """D10: who reads the reply learns nothing of the server beside its code."""
        for to in ("nobody@example.com", ["a@example.com", "nobody@example.com"]):
            told = message(send(to=to, subject="x", body_text="y"), 400)
            assert "refused" in told
            assert "mx.internal" not in told
        assert inbox.envelopes == []

    def test_what_can_not_be_sent(self, send: Any, gateway: Gateway, service: str) -> None:
        assert message(gateway.admin.post(f"/{service}"), 400) == "No valid data in request."
        assert message(send(template="none"), 404) == "Email Template 'none' not found"
        assert message(send(template_id=999), 404) == "Email Template id '999' not found"
        assert message(send(template_id="1 or 1=1"), 404) == "Email Template id '1 or 1=1' not found"
        assert message(send(to="a@example.com", subject={"a": 1}), 400) == "The subject must be text."
        for source in ({"service": "files"}, "docs/a.pdf", {"service": "a/b", "path": "c"}):
            told = message(send(to="a@example.com", subject="x", attachment=source), 400)
            assert told.startswith("Failed to get attachment file from storage service. ")

    def test_an_attachment_is_read_with_the_rights_of_the_caller(self, gateway: Gateway, send: Any) -> None:
        """Checklist 10: nothing is read that the caller may not read, whether it is there or not."""
        name = f"suite_{self.service_type}"
        client = gateway.key_for([{"service": name, "component": "", "verb_mask": 2}])
        told = {
            message(send(client, to="a@example.com", attachment={"service": one, "path": "environment"}), 400)
            for one in ("system", "none")
        }
        assert all(one.startswith("Failed to get attachment file from storage service.") for one in told)
        own = send(to="a@example.com", attachment={"service": "system", "path": "admin/../environment"})
        assert "not allowed" in message(own, 400)
        assert message(send(to="a@example.com", attachment={"service": "system", "path": "environment"}), 400).endswith(
            "It is not a file."
        )

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
    def test_other_verbs_are_refused(self, gateway: Gateway, service: str, method: str) -> None:
        told = message(gateway.admin.request(method, f"/{service}"), 400)
        assert told == f"{method} requests without a resource are not currently supported by the '{service}' service."
        assert gateway.admin.get(f"/{service}", params={"as_access_list": "true"}).json() == {"resource": ["", "*"]}
