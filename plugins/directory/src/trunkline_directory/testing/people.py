"""Who is in a directory, logging in as them, and servers that stand in for directories that fail."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from trunkline.testing import Client, Gateway, ServiceSuite

INVALID = "Invalid username and password provided."
_CONCEALED = ("127.0.0.1", "secret-of-the-account", "ldap://", "dc=", "DC=")


@dataclass(frozen=True)
class People:
    """Who is in the directory; all have one password.

    ``name`` and ``email`` are of one person, who is in ``groups``, the most important one first, under which names
    roles are; ``odd`` are names with signs that mean something elsewhere; ``barred`` have the password and may not come
    in; ``other`` is not in the second group.
    """

    password: str
    name: str
    email: str
    groups: Sequence[str]
    odd: Sequence[str]
    barred: Sequence[str]
    other: str
    full_name: str = "Jane Doe"


def message(reply: httpx2.Response, status: int) -> str:
    """Check an error reply and answer what it says."""
    assert reply.status_code == status, reply.text
    assert not any(one in reply.text for one in _CONCEALED), reply.text
    return str(reply.json()["error"]["message"])


def log_in(client: Client, service: str, name: Any, password: Any, **more: Any) -> httpx2.Response:
    """Ask for a session."""
    body = {"service": service, "username": name, "password": password, **more}
    return client.post("/user/session", json=body)


@contextmanager
def standing_in(answer: bytes | None, pause: float = 0.0, *, again: bool = True) -> Iterator[int]:
    """Stand in for a server: whatever comes is answered so, byte by byte where there is a pause; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def serve(held: socket.socket) -> None:
            with held:
                held.settimeout(0.05)
                while not ended.is_set():
                    try:
                        if not held.recv(4096):
                            return
                    except TimeoutError:
                        continue
                    except OSError:
                        return
                    for byte in [answer] if answer and not pause else [bytes([one]) for one in answer or b""]:
                        if ended.wait(pause):
                            return
                        try:
                            held.sendall(byte)
                        except OSError:
                            return

        def accept() -> None:
            while True:
                try:
                    held, _address = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(held,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            ended.set()
            server.shutdown(socket.SHUT_RDWR)


class Corporation(ServiceSuite):
    """What the parts of the suite have in common: people, and services on their directory."""

    _numbers = itertools.count()

    @pytest.fixture
    def people(self) -> People:
        """Who is in the directory; override it."""
        raise NotImplementedError

    @pytest.fixture
    def secure(self) -> Sequence[Mapping[str, Any]]:
        """Settings with which the directory of ``config`` is reached encrypted; override it."""
        raise NotImplementedError

    @pytest.fixture
    def patient(self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let one address try as often as it likes, without a pause."""

        async def attempt(*_arguments: Any) -> None:
            return None

        monkeypatch.setattr(gateway.app.logins, "attempt", attempt)

    @pytest.fixture
    def prompt(self, patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
        """Do as ``patient``, and let refusals be told at once."""
        monkeypatch.setattr("trunkline_directory.service._GRID", 0.001)

    def another(self, gateway: Gateway, config: Mapping[str, Any], **more: Any) -> str:
        """Configure one more service on the directory, and answer its name."""
        name = f"corp{next(self._numbers)}"
        gateway.create_service(name, self.service_type, {**config, **more})
        return name
