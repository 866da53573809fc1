"""SMTP passes the suite of its family; and TLS, logins, servers that are not there."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from trunkline.testing import Gateway
from trunkline_email.smtp import SmtpServer
from trunkline_email.testing import EmailSuite, Inbox, message, refused_port

MAIL = {"to": "a@example.com", "subject": "x", "body_text": "y"}


class TestSmtpEmail(EmailSuite):
    service_type = "smtp_email"

    @pytest.fixture
    def config(self, inbox: Inbox) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": str(inbox.port)}

    def test_parameters_fill_what_nobody_else_does(self, gateway: Gateway, inbox: Inbox) -> None:
        rows = [
            {"name": "shop", "value": "Corner Shop"}, {"name": "mood", "value": "ill"},
            {"name": "off", "value": "x", "active": False},
        ]  # fmt: skip
        config = {"host": "127.0.0.1", "port": inbox.port, "parameters": rows}
        gateway.create_service("with_parameters", self.service_type, config)
        inbox.empty()
        body = {**MAIL, "body_text": "{shop} {mood} {off}", "mood": "well"}
        assert gateway.admin.post("/with_parameters", json=body).status_code == 200
        assert inbox.body() == "Corner Shop well {off}"

    def test_a_recipient_who_is_busy_is_a_503(self, send: Any) -> None:
        reply = send(**{**MAIL, "to": "later@example.com"})
        assert "just now" in message(reply, 503)
        assert int(reply.headers["Retry-After"]) > 0

    def test_the_port_is_text_and_the_login_is_masked(self, gateway: Gateway) -> None:
        record = {"name": "box", "type": "smtp_email", "is_active": True}
        config = {"host": "mail.example.com", "port": 25, "username": "web", "password": "pw"}
        reply = gateway.admin.post("/system/service", json={"resource": [{**record, "config": config}]})
        shown = gateway.admin.get(f"/system/service/{reply.json()['resource'][0]['id']}").json()["config"]
        assert (shown["port"], shown["password"], shown["encryption"]) == ("25", "**********", None)
        for bad in ({"host": ""}, {"host": "h", "port": "x"}, {}):
            reply = gateway.admin.post("/system/service", json={"resource": [{**record, "name": "n", "config": bad}]})
            assert reply.status_code == 400


@pytest.mark.parametrize(
    ("encryption", "port", "implicit", "starttls"),
    [
        ("", 587, False, None), ("ssl", 587, True, False), ("SSL", 25, True, False), ("tls", 587, False, True),
        ("tls", 25, False, True), ("tls", 465, True, False), ("", 465, False, None),
    ],
)  # fmt: skip
def test_what_encryption_means(encryption: str, port: int, implicit: bool, starttls: bool | None) -> None:
    server = SmtpServer("mail.example.com", port, encryption)
    assert (server.implicit_tls, server.starttls) == (implicit, starttls)


def test_a_server_that_is_not_there_is_a_503(fresh_gateway: Gateway) -> None:
    fresh_gateway.create_service("mail", "smtp_email", {"host": "127.0.0.1", "port": str(refused_port())})
    reply = fresh_gateway.admin.post("/mail", json=MAIL)
    assert message(reply, 503) == "The mail server is not available."
    assert int(reply.headers["Retry-After"]) > 0


def test_a_server_that_says_nothing_is_a_503(fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checklist 34."""
    monkeypatch.setattr("trunkline_email.smtp._STEP", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        for encryption in ("", "ssl"):
            config = {"host": "127.0.0.1", "port": port, "encryption": encryption}
            fresh_gateway.create_service(f"mail{encryption}", "smtp_email", config)
            assert "Retry-After" in fresh_gateway.admin.post(f"/mail{encryption}", json=MAIL).headers


@pytest.mark.filterwarnings("ignore:Session.login_data:DeprecationWarning")  # aiosmtpd warns of itself
class TestTls:
    @pytest.fixture(scope="class")
    @classmethod
    def certificate(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A certificate for this machine that nobody has signed but itself, with its key."""
        path = tmp_path_factory.mktemp("tls") / "server.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
        return path

    @pytest.fixture
    def inbox(self, certificate: Path) -> Iterator[Inbox]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        inbox = Inbox(tls=context, login=("web", "s3cret"))
        inbox.start()
        yield inbox
        inbox.stop()

    @pytest.mark.parametrize("encryption", ["tls", "", None])
    def test_starttls_and_a_login(
        self, gateway: Gateway, inbox: Inbox, certificate: Path, monkeypatch: pytest.MonkeyPatch, encryption: str | None
    ) -> None:
        config = {"host": "127.0.0.1", "port": str(inbox.port), "username": "web", "encryption": encryption}
        name = f"mail{inbox.port}"
        gateway.create_service(name, "smtp_email", {**config, "password": "s3cret"})
        gateway.create_service(f"{name}wrong", "smtp_email", {**config, "password": "other"})
        assert (
            message(gateway.admin.post(f"/{name}", json=MAIL), 502) == "The mail server's certificate is not trusted."
        )
        assert inbox.logins == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert gateway.admin.post(f"/{name}", json=MAIL).status_code == 200
        assert (inbox.logins, len(inbox.envelopes)) == (["web"], 1)
        assert message(gateway.admin.post(f"/{name}wrong", json=MAIL), 502) == "The mail server refused the login."


def test_tls_that_is_asked_for_and_not_there_is_refused(fresh_gateway: Gateway) -> None:
    inbox = Inbox()
    inbox.start()
    try:
        config = {"host": "127.0.0.1", "port": str(inbox.port), "encryption": "tls"}
        fresh_gateway.create_service("mail", "smtp_email", config)
        assert "lacks what the configuration asks for" in message(fresh_gateway.admin.post("/mail", json=MAIL), 502)
        assert inbox.envelopes == []
    finally:
        inbox.stop()
