"""Connections that are encrypted, with a server that has a certificate of its own making."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from document_servers import Cassandra
from servers import Server, serving

from trunkline.testing import Gateway

pytestmark = pytest.mark.live

PHRASE = "a phrase"


class TlsCassandra(Cassandra):
    """Cassandra that takes only encrypted connections from clients with a certificate."""

    def prepare(self) -> None:
        """Write two certificates, each signed by itself; the client's is the one that the server knows."""
        super().prepare()
        locked = BestAvailableEncryption(PHRASE.encode())
        kept = {"server": certificate("server", NoEncryption()), "client": certificate("client", locked)}
        for name, (key, made) in kept.items():
            (self.folder / f"{name}.pem").write_text(made)
            (self.folder / f"{name}.key").write_text(key)
        settings = json.loads((self.folder / "cassandra.yaml").read_text())
        parameters = {
            "private_key": "".join(kept["server"]),
            "trusted_certificates": kept["client"][1],
        }  # fmt: skip
        settings["client_encryption_options"] = {
            "enabled": True, "optional": False, "require_client_auth": True, "ssl_context_factory": {
                "class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory", "parameters": parameters,
            },
        }  # fmt: skip
        (self.folder / "cassandra.yaml").write_text(json.dumps(settings))

    @property
    def options(self) -> dict[str, str]:
        """The options that lead to the server."""
        return {
            "server_cert_path": str(self.folder / "server.pem"), "client_cert_path": str(self.folder / "client.pem"),
            "private_key_path": str(self.folder / "client.key"), "key_pass_phrase": PHRASE,
        }  # fmt: skip

    @contextlib.contextmanager
    def session(self) -> Iterator[Any]:
        """Log in past the gateway, as the gateway does."""
        from trunkline_cassandra.connection import Settings, open_cluster
        from trunkline_cassandra.service import tls_of

        tls = tls_of(self.options)
        settings = Settings(("127.0.0.1",), self.port, "cassandra", self.password, tls, "ONE", None, 5.0, 60.0)
        cluster, session = open_cluster(settings)
        try:
            yield session
        finally:
            cluster.shutdown()


def certificate(name: str, locked: KeySerializationEncryption) -> tuple[str, str]:
    """Make a key, and a certificate that it signed itself."""
    key = rsa.generate_private_key(65537, 2048)
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    kept = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)
    return kept.decode(), made.public_bytes(Encoding.PEM).decode()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(TlsCassandra) as found:
        yield found


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"server_cert_path": None, "ssl": True}, 200),
        ({"server_cert_path": "client.pem"}, 503),
        ({"client_cert_path": None, "private_key_path": None, "key_pass_phrase": None}, 503),
        ({"key_pass_phrase": "another"}, 502),
        ({"private_key_path": "no such file"}, 502),
        (None, 503),
    ],
)
def test_certificates_decide(gateway: Gateway, server: Any, changes: dict[str, Any] | None, status: int) -> None:
    given = {} if changes is None else {**server.options, **changes}
    options = {
        name: str(server.folder / value) if name.endswith("cert_path") else value
        for name, value in given.items()
        if value is not None
    }
    config = {**server.new_config(), "options": {**options, "connect_timeout": 4}}
    gateway.create_service("sealed", "cassandra", config)
    reply = gateway.admin.get("/sealed/_table")
    assert reply.status_code == status, reply.text
    assert "pem" not in reply.text
