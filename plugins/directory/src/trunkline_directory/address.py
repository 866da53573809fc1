"""What the host of a directory service means: name, port and encryption."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Self

Encryption = Literal["none", "starttls", "ldaps"]
_HOST = re.compile(r"(?:(ldaps?)://)?(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/\[\]@?#]+))(?::(\d{1,5}))?/?", re.IGNORECASE)
_PLAIN, _ENCRYPTED = 389, 636
# A global catalogue listens on others.
_ENCRYPTED_PORTS = (_ENCRYPTED, 3269)


@dataclass(frozen=True, slots=True)
class Address:
    """A directory server."""

    host: str
    port: int
    encryption: Encryption

    @classmethod
    def of(cls, host: str, encryption: Encryption | None) -> Self:
        """Read a host as it is configured; raises ValueError for what is none, or contradicts the encryption."""
        found = _HOST.fullmatch(host.strip())
        if found is None:
            raise ValueError("host is no name or address of a server")
        scheme, six, name, port = found.groups()
        number = int(port) if port else None
        if number is not None and not 0 < number < 65536:
            raise ValueError("host has a port that is none")
        is_encrypted = (scheme or "").lower() == "ldaps"
        if is_encrypted and encryption not in (None, "ldaps"):
            raise ValueError("host asks for ldaps and encryption for something else")
        how = encryption or ("ldaps" if is_encrypted or number in _ENCRYPTED_PORTS else "none")
        return cls(six or name, number or (_ENCRYPTED if how == "ldaps" else _PLAIN), how)
