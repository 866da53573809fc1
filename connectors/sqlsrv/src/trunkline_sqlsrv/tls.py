"""What python-tds is told of TLS: by itself it can only verify against one file of authorities."""

from __future__ import annotations

import ipaddress
from typing import Any

from cryptography import x509


class Wish(str):
    """How a connection is to be protected, in the place where python-tds expects the name of a file."""

    __slots__ = ("authorities", "host", "trusting")

    host: str
    trusting: bool
    authorities: str

    @classmethod
    def of(cls, host: str, trusting: bool, authorities: str = "") -> Wish:
        """Wish for any certificate, or for one of this host that an authority signed: of a file, or the system's."""
        made = cls(f"tls:{host}")
        made.host, made.trusting, made.authorities = host, trusting, authorities
        return made


def teach() -> None:
    """Have python-tds make contexts as wished; for everybody else in the process it does as before."""
    import pytds.tls

    before = pytds.tls.create_context
    if getattr(before, "knows_wishes", False):
        return

    def create_context(cafile: str) -> Any:
        return context(cafile) if isinstance(cafile, Wish) else before(cafile)

    create_context.knows_wishes = True  # type: ignore[attr-defined]  # a mark on a function
    pytds.tls.create_context = create_context


def context(wish: Wish) -> Any:
    """Make the context of a connection. TDS 7 is older than TLS 1.3 and does not go with it."""
    from OpenSSL import SSL

    made = SSL.Context(SSL.TLS_CLIENT_METHOD)
    made.set_min_proto_version(SSL.TLS1_2_VERSION)
    made.set_max_proto_version(SSL.TLS1_2_VERSION)
    if wish.trusting:
        made.set_verify(SSL.VERIFY_NONE)
        return made
    if wish.authorities:
        made.load_verify_locations(wish.authorities)
    else:
        made.set_default_verify_paths()

    def verified(_connection: Any, certificate: Any, _error: int, depth: int, good: int) -> bool:
        return good == 1 and (depth > 0 or is_for(certificate.to_cryptography(), wish.host))

    made.set_verify(SSL.VERIFY_PEER, verified)
    return made


def is_for(certificate: x509.Certificate, host: str) -> bool:
    """Say whether a certificate names a host; a star stands for one whole label at the front."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    try:
        return ipaddress.ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        wanted = host.lower().rstrip(".")
    for name in names.get_values_for_type(x509.DNSName):
        name = name.lower()
        if name == wanted or (name.startswith("*.") and name[2:] == wanted.partition(".")[2]):
            return True
    return False
