"""Connections that are encrypted, with a server that has a certificate of its own making."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from databases import Mariadb
from servers import Server, serving

from trunkline.testing import Gateway

pytestmark = pytest.mark.live


def certificate(folder: Path) -> None:
    """Write a key and a certificate for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    kept = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(kept)
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").chmod(0o644)  # the folder itself is closed to others


class TlsMariadb(Mariadb):
    """MariaDB that takes only encrypted connections over the network."""

    def command(self) -> list[str]:
        """Name the certificate as well."""
        certificate(self.folder)
        return [
            *super().command(), f"--ssl-cert={self.folder / 'cert.pem'}", f"--ssl-key={self.folder / 'key.pem'}",
            f"--ssl-ca={self.folder / 'cert.pem'}",
            "--require-secure-transport=ON",
        ]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(TlsMariadb) as found:
        yield found


@pytest.mark.parametrize(
    ("options", "host", "status"),
    [
        ({"ssl_ca": "cert.pem"}, "127.0.0.1", 200),
        ({"PDO::MYSQL_ATTR_SSL_CA": "cert.pem"}, "127.0.0.1", 200),
        ({"ssl_mode": "required"}, "127.0.0.1", 200),
        ({"ssl_mode": "REQUIRED", "ssl_cert": "cert.pem", "ssl_key": "key.pem"}, "127.0.0.1", 200),
        # Nobody of the system's vouches for it, and it is not called so.
        ({"ssl_mode": "verify_identity"}, "127.0.0.1", 503),
        ({"ssl_ca": "cert.pem"}, "localhost", 503),
        ({"ssl_ca": "cert.pem", "ssl_mode": "verify_ca"}, "localhost", 200),
        ({}, "127.0.0.1", 503),
        ({"ssl_mode": "no_such"}, "127.0.0.1", 503),
    ],
)
def test_connections_are_protected_as_the_options_say(
    gateway: Gateway, server: Server, options: dict[str, Any], host: str, status: int
) -> None:
    config = server.new_config()
    files = {name: str(server.folder / value) if value.endswith(".pem") else value for name, value in options.items()}
    name = f"tls{abs(hash((str(options), host)))}"
    gateway.create_service(name, "mysql", {**config, "host": host, "options": files})
    reply = gateway.admin.get(f"/{name}/_table")
    assert reply.status_code == status, reply.text
