"""What ldap3 is told to do otherwise: certificates checked by OpenSSL, and time and size of answers limited."""

from __future__ import annotations

import socket
import ssl
import time
import warnings
from typing import Any

with warnings.catch_warnings():
    # The library is older than the one that it uses, which says so.
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3
    from ldap3.core.exceptions import LDAPCommunicationError, LDAPStartTLSError

__all__ = ["Checked", "LDAPCommunicationError", "LDAPStartTLSError", "ldap3", "reader_of"]

_MOST_BYTES = 32_000_000


class _Reader:
    """A socket that reads and writes until a moment and no longer, and no more than a limit."""

    def __init__(self, inner: socket.socket, ends: float) -> None:
        self.inner = inner
        self._ends = ends
        self._room = _MOST_BYTES

    def recv(self, size: int) -> bytes:
        """Read; raises TimeoutError at the end, however slowly the other side drips."""
        self._wait()
        data = self.inner.recv(size)
        self._room -= len(data)
        if self._room < 0:
            raise ValueError("the answer is larger than any that was asked for")
        return data

    def sendall(self, data: bytes) -> None:
        """Write; raises TimeoutError at the end."""
        self._wait()
        self.inner.sendall(data)

    def shutdown(self, how: int) -> None:
        """End the conversation."""
        self.inner.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self.inner.close()

    def _wait(self) -> None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is over")
        self.inner.settimeout(left)


def reader_of(inner: Any, ends: float) -> _Reader:
    """Limit a socket that is connected, in time and size."""
    return _Reader(inner.inner if isinstance(inner, _Reader) else inner, ends)


class Checked(ldap3.Tls):  # type: ignore[misc] # the library has no types
    """Encryption with a certificate that OpenSSL has checked, name included; ``problem`` is why there is none."""

    def __init__(self, authority: str | None, host: str, ends: float) -> None:
        """Trust what ``authority`` has signed (certificates as PEM), or else what the system trusts, for ``host``."""
        super().__init__(validate=ssl.CERT_REQUIRED)
        self.problem: Exception | None = None
        self._context = ssl.create_default_context(cadata=authority or None)
        self._host = host
        self._ends = ends

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        """Encrypt the connection's socket."""
        held = connection.socket
        plain = held.inner if isinstance(held, _Reader) else held
        plain.settimeout(max(0.1, self._ends - time.monotonic()))
        try:
            connection.socket = self._context.wrap_socket(plain, server_hostname=self._host)
        except OSError as error:
            self.problem = error
            raise
