"""Files that go with a mail, from where they are fetched (connectors 5.4)."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from trunkline import Config, Reply, Service
from trunkline.call import Call
from trunkline.errors import NotFound
from trunkline.testing import Client, Gateway
from trunkline.testing.fixtures import settings_for
from trunkline_email.testing import Inbox, message

STORAGE = "Failed to get attachment file from storage service. "
URL = "Failed to import attachment file from url. "


class Shelf(Service):
    """Files as a file service answers them: whole or in pieces."""

    label = "Shelf"
    description = "Two files."
    config: Config

    async def handle(self, call: Call) -> Any:
        if call.path == ("docs", "a.txt"):
            return Reply(b"whole", media_type="text/plain")
        if call.path == ("docs", "b.bin"):
            return Reply(self._pieces(), media_type="application/x-thing")
        if call.path == ("docs",):
            return {"resource": []}
        raise NotFound("File not found.")

    async def _pieces(self) -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"\x00" * 100


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    inbox.start()
    yield inbox
    inbox.stop()


@pytest.fixture
def gateway(tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A gateway with mail and files, that fetches from this machine as well."""
    with Gateway(settings_for(tmp_path, outgoing_networks="127.0.0.1/32", max_body=1000)) as started:
        load = started.app.registry.load
        monkeypatch.setattr(started.app.registry, "load", lambda name: Shelf if name == "shelf" else load(name))
        started.create_service("mail", "smtp_email", {"host": "127.0.0.1", "port": str(inbox.port)})
        started.create_service("files", "shelf")
        yield started


@pytest.fixture
def web() -> Iterator[str]:
    """A web server with a file; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/docs/price%20list.csv"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/csv")
            self.end_headers()
            self.wfile.write(b"a,b\r\n" if found else b"")

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def send(client: Client, **body: Any) -> Any:
    return client.post("/mail", json={"to": "a@example.com", "subject": "x", "body_text": "y", **body})


def files(inbox: Inbox) -> list[tuple[str | None, str, bytes]]:
    return [
        (one.get_filename(), one.get_content_type(), one.get_payload(decode=True))
        for one in inbox.mail.iter_attachments()
    ]


def test_files_of_a_file_service(gateway: Gateway, inbox: Inbox) -> None:
    sources = [{"service": "files", "path": "/docs/a.txt"}, {"service": "files", "file_path": "docs/b.bin"}]
    assert send(gateway.admin, attachment=sources).status_code == 200
    assert files(inbox) == [
        ("a.txt", "text/plain", b"whole"),
        ("b.bin", "application/x-thing", b"\x00" * 400),
    ]


def test_what_the_caller_may_not_read_is_not_sent(gateway: Gateway, inbox: Inbox) -> None:
    """Checklist 10."""
    mail = {"service": "mail", "component": "", "verb_mask": 2}
    source = {"service": "files", "path": "docs/a.txt"}
    assert message(send(gateway.key_for([mail]), attachment=source), 400).startswith(STORAGE)
    assert inbox.envelopes == []
    reader = gateway.key_for([mail, {"service": "files", "component": "docs/*", "verb_mask": 1}])
    assert send(reader, attachment=source).status_code == 200


def test_the_attachment_of_the_template_is_for_requests_without(gateway: Gateway, inbox: Inbox) -> None:
    record = {"name": "t", "attachment": {"service": "files", "path": "docs/a.txt"}}
    assert gateway.admin.post("/system/email_template", json={"resource": [record]}).status_code == 201
    assert send(gateway.admin, template="t").status_code == 200
    assert [name for name, *_ in files(inbox)] == ["a.txt"]
    inbox.empty()
    assert send(gateway.admin, template="t", attachment={"service": "files", "path": "docs/b.bin"}).status_code == 200
    assert [name for name, *_ in files(inbox)] == ["b.bin"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("docs/none", "File not found."), ("docs", "It is not a file."), ("../x", "The path has a segment"),
        ("docs/./a.txt", "The path has a segment"), ("docs/\0", "The path has a segment"), ("/", "No service name"),
    ],
)  # fmt: skip
def test_what_is_no_file(gateway: Gateway, inbox: Inbox, path: str, told: str) -> None:
    assert message(send(gateway.admin, attachment={"service": "files", "path": path}), 400).startswith(STORAGE + told)
    assert inbox.envelopes == []


def test_more_than_a_request_may_have_is_refused(gateway: Gateway, inbox: Inbox) -> None:
    sources = [{"service": "files", "path": "docs/b.bin"}] * 3
    assert "larger" in message(send(gateway.admin, attachment=sources), 413)
    assert inbox.envelopes == []


def test_files_by_url(gateway: Gateway, inbox: Inbox, web: str) -> None:
    url = f"{web}/docs/price%20list.csv"
    for body in ({"import_url": url}, {"attachment": [url]}, {"attachment": f"{url},{url}"}):
        inbox.empty()
        assert send(gateway.admin, **body).status_code == 200
        assert files(inbox)[0] == ("price list.csv", "text/csv", b"a,b\r\n")
    assert len(files(inbox)) == 2
    assert send(gateway.admin, import_url=f"{web}/none").status_code == 502


@pytest.mark.parametrize(
    "url", ["http://127.0.0.2/x", "http://169.254.169.254/latest", "file:///etc/passwd", "http://[::1]/", "gopher://x/"]
)
def test_nobody_reaches_our_own_network_by_it(gateway: Gateway, inbox: Inbox, url: str) -> None:
    """Checklist 24."""
    assert message(send(gateway.admin, attachment=url), 400).startswith(URL)
    assert inbox.envelopes == []
