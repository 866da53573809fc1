"""One conversation with a directory, in one thread: within its time, with nothing believed that is not proved."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from trunkline.errors import TrunklineError
from trunkline_directory.address import Address
from trunkline_directory.entries import Entry, Found
from trunkline_directory.errors import distrusted, nonsense, refused, too_slow, unavailable

_SUCCESS, _TIME_LIMIT, _SIZE_LIMIT, _ADMIN_LIMIT = 0, 3, 4, 11
_BUSY = (51, 52)
# What directories answer to credentials that are none, or none any more: a constraint such as too many failures, no
# such name, no name at all, an account without a password, wrong credentials, no right to log in, no will to let in.
_NOT_LET_IN = (19, 32, 34, 48, 49, 50, 53)
# Asks how the password policy sees an account (draft-behera-ldap-password-policy), and for pages (RFC 2696).
_POLICY, _PAGES = "1.3.6.1.4.1.42.2.27.8.5.1", "1.2.840.113556.1.4.319"
_PAGE = 500


class Directory:
    """An open connection, used in a ``with``; each step raises the errors of ``errors`` or Unauthorized."""

    def __init__(self, address: Address, authority: str | None, ends: float) -> None:
        """Know the server, who may have signed its certificate (PEM), and when all must be over (monotonic)."""
        self._address = address
        self._authority = authority
        self._ends = ends
        self._connection: Any = None
        self._tls: Any = None

    def __enter__(self) -> Self:
        """Connect, encrypted where that is wanted."""
        from trunkline_directory import driver

        left = self._left()
        how = self._address.encryption
        with self._told():
            if how != "none":
                self._tls = driver.Checked(self._authority, self._address.host, self._ends)
            server = driver.ldap3.Server(
                self._address.host, self._address.port, use_ssl=how == "ldaps", get_info="NO_INFO", tls=self._tls,
                connect_timeout=max(1.0, left / 3), allowed_referral_hosts=[],
            )  # fmt: skip
            self._connection = driver.ldap3.Connection(
                server, auto_referrals=False, check_names=False, raise_exceptions=False, read_only=True,
                receive_timeout=max(1, int(left)), return_empty_attributes=False, auto_bind="NONE",
            )  # fmt: skip
            self._connection.open(read_server_info=False)
            self._connection.socket = driver.reader_of(self._connection.socket, self._ends)
            if how == "starttls":
                self._connection.start_tls(read_server_info=False)
                self._connection.socket = driver.reader_of(self._connection.socket, self._ends)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye, and close."""
        with contextlib.suppress(Exception):
            self._connection.unbind()
        self._close()

    def _close(self) -> None:
        held = getattr(self._connection, "socket", None)
        with contextlib.suppress(OSError):
            if held is not None:
                held.close()

    def bind(self, name: str, password: str) -> bool:
        """Log in; says whether the directory lets the account in.

        A name without a password would be let in as nobody by many servers, so it is refused here.
        """
        if not name or not password:
            return False
        connection = self._connection
        connection.authentication, connection.user = "SIMPLE", name
        # As bytes, since as text the library would put it into another form, and refuse some that directories take.
        connection.password = password.encode("utf-8", "surrogatepass")
        with self._told():
            connection.bind(read_server_info=False, controls=[(_POLICY, False, None)])
            result = connection.result
        code = result["result"]
        if code in _BUSY:
            raise unavailable()
        if code not in (_SUCCESS, *_NOT_LET_IN):
            raise refused()
        return code == _SUCCESS and _policy_error(result) is None

    def search(self, base: str, wanted: str, attributes: Sequence[str], most: int, *, only_base: bool = False) -> Found:
        """Find entries, ``most`` at most, those first that the directory answers first."""
        found: list[Entry] = []
        cookie: bytes | None = None
        while True:
            page = min(_PAGE, most - len(found) + 1)
            with self._told():
                self._connection.search(
                    base, wanted, "BASE" if only_base else "SUBTREE", "NEVER", attributes=list(attributes),
                    size_limit=most + 1, time_limit=max(1, int(self._left())), paged_size=page, paged_cookie=cookie,
                )  # fmt: skip
                result, answers = self._connection.result, self._connection.response
                found += [_entry(one) for one in answers or () if one.get("type") == "searchResEntry"]
                cookie = _cookie(result)
            code = result["result"]
            if code in _BUSY:
                raise unavailable()
            if code == _TIME_LIMIT:
                raise too_slow()
            if code not in (_SUCCESS, _SIZE_LIMIT, _ADMIN_LIMIT):
                raise refused()
            if len(found) > most or code != _SUCCESS:
                return Found(found[:most], is_complete=False)
            if not cookie:
                return Found(found)

    def _left(self) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise too_slow()
        return left

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what goes wrong on the way into the errors that clients get; the cause is for the log."""
        try:
            yield
        except TrunklineError:
            raise
        except Exception as error:
            # Whatever a server sends that is not the protocol fails somewhere in the library, in any way.
            self._close()
            raise self._meaning(error) from error

    def _meaning(self, error: Exception) -> TrunklineError:
        """Say what an error means; the library makes errors of its own of those of sockets."""
        from trunkline_directory.driver import LDAPCommunicationError, LDAPStartTLSError

        problem = self._tls.problem if self._tls is not None else None
        if time.monotonic() >= self._ends or any(isinstance(one, TimeoutError) for one in (error, problem)):
            return too_slow()
        if isinstance(problem, ssl.SSLCertVerificationError):
            return distrusted()
        if isinstance(problem, ssl.SSLError) or isinstance(error, LDAPStartTLSError):
            return refused("the encryption that this service wants")
        if isinstance(error, OSError | LDAPCommunicationError):
            return unavailable()
        return nonsense()


def _entry(answer: dict[str, Any]) -> Entry:
    return Entry(answer["dn"], {name.lower(): values for name, values in answer["raw_attributes"].items()})


def _cookie(result: dict[str, Any]) -> bytes | None:
    control = (result.get("controls") or {}).get(_PAGES) or {}
    found = (control.get("value") or {}).get("cookie")
    return found if isinstance(found, bytes) and found else None


def _policy_error(result: dict[str, Any]) -> int | None:
    """Answer what the password policy holds against an account that it let in, such as that it must set a new one."""
    value = ((result.get("controls") or {}).get(_POLICY) or {}).get("value")
    if not isinstance(value, bytes) or len(value) < 2 or value[0] != 0x30:
        return None
    rest = value[2:]
    while len(rest) > 2:
        kind, length, content = rest[0], rest[1], rest[2 : 2 + rest[1]]
        if kind == 0x81:
            return int.from_bytes(content, "big")
        rest = rest[2 + length :]
    return None
