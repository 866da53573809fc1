"""What happens when a directory does not do its part."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from trunkline.testing import Gateway
from trunkline_directory.testing.people import Corporation, People, log_in, message, standing_in


class FailureSuite(Corporation):
    """Checks that a directory that fails harms nobody else, and for how long."""

    @pytest.mark.parametrize("encryption", ["none", "starttls", "ldaps"])
    def test_a_directory_that_says_nothing(self, gateway: Gateway, config: dict[str, Any], encryption: str) -> None:
        """Checklist 34: in time, and others do not notice."""
        with standing_in(None) as port:
            host = f"127.0.0.1:{port}"
            service = self.another(gateway, config, host=host, encryption=encryption, timeout=1)
            started = time.monotonic()
            said = message(log_in(gateway.anonymous, service, "jdoe", "x"), 504)
            assert said == "The directory server did not answer in time."
            assert time.monotonic() - started < 3

    def test_a_directory_that_drips(self, gateway: Gateway, config: dict[str, Any]) -> None:
        with standing_in(b"\x30\x84\x00\x00\xff\xff" + b"\0" * 1000, 0.3) as port:
            service = self.another(gateway, config, host=f"127.0.0.1:{port}", timeout=2)
            started = time.monotonic()
            assert message(log_in(gateway.anonymous, service, "jdoe", "x"), 504)
            # The thread itself ends in time, not only the wait for it, which takes a second longer.
            assert time.monotonic() - started < 2.9

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\x03\x02\x01\x00",
            b"\x30\x0c\x02\x01\x63\x61\x07\x0a\x01\x00\x04\x00\x04\x00", b"\x30\x80\x02", b"\xff" * 64, b"\x30\x00",
        ],
    )  # fmt: skip
    def test_a_directory_that_talks_nonsense(self, gateway: Gateway, config: dict[str, Any], answer: bytes) -> None:
        with standing_in(answer) as port:
            for encryption in ("none", "starttls", "ldaps"):
                host = f"127.0.0.1:{port}"
                service = self.another(gateway, config, host=host, encryption=encryption, timeout=1)
                reply = log_in(gateway.anonymous, service, "jdoe", "x")
                assert reply.status_code in (502, 503, 504), reply.text
                assert message(reply, reply.status_code)

    def test_a_directory_without_an_end(self, gateway: Gateway, config: dict[str, Any], monkeypatch: Any) -> None:
        monkeypatch.setattr("trunkline_directory.driver._MOST_BYTES", 1_000_000)
        with standing_in(b"\x30\x84\x7f\xff\xff\xff" + b"\0" * 2_000_000) as port:
            service = self.another(gateway, config, host=f"127.0.0.1:{port}")
            assert "can not be understood" in message(log_in(gateway.anonymous, service, "jdoe", "x"), 502)

    def test_a_directory_that_is_not_there(self, gateway: Gateway, config: dict[str, Any], service: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        for host in (f"127.0.0.1:{port}", f"ldaps://127.0.0.1:{port}", "no-such-host.invalid"):
            reply = log_in(gateway.anonymous, self.another(gateway, config, host=host), "jdoe", "x")
            assert message(reply, 503) == "The directory server is not available."
            assert int(reply.headers["Retry-After"]) > 0

    def test_many_that_wait_hold_up_nobody_else(
        self, gateway: Gateway, config: dict[str, Any], service: str, people: People
    ) -> None:
        """Checklist 34: those who wait for one directory leave room for what all others do in threads."""
        with standing_in(None) as port:
            slow = self.another(gateway, config, host=f"127.0.0.1:{port}", timeout=3)
            waiting = [
                threading.Thread(target=log_in, args=(gateway.anonymous, slow, f"user{number}", "x"))
                for number in range(40)
            ]
            for one in waiting:
                one.start()
            try:
                started = time.monotonic()
                assert log_in(gateway.anonymous, service, people.name, people.password).status_code == 200
                assert gateway.admin.get("/system/role").status_code == 200
                assert time.monotonic() - started < 2.5
            finally:
                for one in waiting:
                    one.join()
