"""Fetching by URL reaches public addresses only, whatever names, redirects and notations are tried (SSRF)."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import ipaddress
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from trunkline.errors import BadGateway, TooLarge
from trunkline.outgoing import BadAddress, Fetched, Outgoing
from trunkline.settings import BadSettings, Settings, load

LOCAL = "127.0.0.0/8, ::1/128"


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers by path, and remembers who was asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        """Answer one request."""
        self.asked.append(f"{self.headers['host']}{self.path}")
        headers: dict[str, str] = {"Content-Type": "text/csv; charset=utf-8"}
        status, body = 200, b"a,b\n1,2\n"
        if self.path.startswith("/to/"):
            status, headers = 302, {"Location": self.path.removeprefix("/to/")}
        elif self.path == "/loop":
            status, headers = 302, {"Location": "/loop"}
        elif self.path == "/missing":
            status = 404
        elif self.path == "/packed":
            headers, body = {"Content-Encoding": "gzip"}, gzip.compress(b"x" * 10_000)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[tuple[int, list[str]]]:
    """A server of this machine: its port, and what it was asked for."""
    asked: list[str] = []
    kind = type("Answering", (Answers,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as started:
        threading.Thread(target=started.serve_forever, args=(0.05,), daemon=True).start()
        yield started.server_address[1], asked
        started.shutdown()


def outgoing(networks: str = "") -> Outgoing:
    return Outgoing(Settings(outgoing_networks=networks, _env_file=None))  # type: ignore[call-arg]  # pydantic's own


def fetch(url: str, networks: str = LOCAL, **more: Any) -> Fetched:
    return asyncio.run(outgoing(networks).fetch(url, **more))


def test_an_allowed_network_is_reached_under_the_name_that_was_asked_for(server: tuple[int, list[str]]) -> None:
    port, asked = server
    found = fetch(f"http://localhost:{port}/folder/a.csv?x=1")
    assert found == Fetched(b"a,b\n1,2\n", "text/csv", "a.csv")
    assert asked == [f"localhost:{port}/folder/a.csv?x=1"]


def test_nothing_of_ours_is_asked_without_leave(server: tuple[int, list[str]]) -> None:
    port, asked = server
    for host in ("localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0", "[::1]", "[::ffff:127.0.0.1]"):
        with pytest.raises(BadAddress):
            fetch(f"http://{host}:{port}/", "")
    assert asked == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://example.com/x", "gopher://example.com", "//example.com/x", "example.com", "",
        "http://", "http:///path", "https://?x", "http://a b/", "http://[::1/", "http://name.invalid/", "data:,x",
        f"http://{'a' * 300}.com/",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadAddress):
        fetch(url)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700:4700::1111", True), ("0.0.0.0", False), ("10.1.2.3", False),
        ("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False),
        ("192.0.2.1", False), ("198.18.0.1", False), ("224.0.0.1", False), ("240.0.0.1", False),
        ("255.255.255.255", False), ("::", False), ("::1", False), ("fe80::1", False), ("fc00::1", False),
        ("fec0::1", False), ("ff02::1", False), ("2001:db8::1", False), ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True), ("64:ff9b::a9fe:a9fe", False), ("64:ff9b:1::7f00:1", False), ("::7f00:1", False),
        ("2002:7f00:1::", False), ("2001:0:7f00:1::f5ff:fffe", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert outgoing().may_reach(ipaddress.ip_address(address)) is public


def test_an_allowed_network_opens_only_itself() -> None:
    guard = outgoing("10.1.0.0/16,fd00::/8")
    for address, allowed in (
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("::ffff:10.1.0.1", True),
        ("fd00::1", True),
        ("8.8.8.8", True),
        ("2001:0:0a01:1::f5ff:fffe", False),
    ):
        assert guard.may_reach(ipaddress.ip_address(address)) is allowed, address


def test_a_redirect_is_judged_as_a_url_is(server: tuple[int, list[str]]) -> None:
    port, asked = server
    assert fetch(f"http://127.0.0.1:{port}/to//a.csv").name == "a.csv"
    for target in ("http://169.254.169.254/latest", "file:///etc/passwd", "http://[::1]:1/"):
        with pytest.raises(BadAddress):
            fetch(f"http://127.0.0.1:{port}/to/{target}", "127.0.0.0/8")
    with pytest.raises(BadGateway, match="too often"):
        fetch(f"http://127.0.0.1:{port}/loop")
    assert sum(one.endswith("/loop") for one in asked) == 6


def test_a_name_with_one_private_address_is_refused_and_resolved_only_once(
    server: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that changes its address between the check and the connection (DNS rebinding) gains nothing."""
    port, asked = server
    answers = [["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1", "10.0.0.1"]]
    resolve = socket.getaddrinfo

    def resolved(host: Any, *arguments: Any, **more: Any) -> Any:
        if host == "rebinding.example":
            return [entry for one in answers.pop(0) for entry in resolve(one, *arguments, **more)]
        return resolve(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    assert fetch(f"http://rebinding.example:{port}/once").content
    assert asked == [f"rebinding.example:{port}/once"]
    for _ in range(2):
        with pytest.raises(BadAddress, match="not public"):
            fetch(f"http://rebinding.example:{port}/")
    assert len(asked) == 1


def test_failures_are_told_as_what_they_are(server: tuple[int, list[str]]) -> None:
    port, _ = server
    with pytest.raises(TooLarge):
        fetch(f"http://127.0.0.1:{port}/", most=4)
    for path in ("missing", "packed"):
        with pytest.raises(BadGateway):
            fetch(f"http://127.0.0.1:{port}/{path}")
    # No TLS there, and nothing at all there.
    for url in (f"https://127.0.0.1:{port}/", "http://127.0.0.1:1/"):
        with pytest.raises(BadGateway, match="could not be reached"):
            fetch(url)


def test_a_setting_that_is_no_list_of_networks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_OUTGOING_NETWORKS", "10.0.0.0/8, everything")
    with pytest.raises(BadSettings, match="TRUNKLINE_OUTGOING_NETWORKS"):
        load(_env_file=None)
