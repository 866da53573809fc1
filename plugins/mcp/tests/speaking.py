"""A shop, a folder, and a client of the protocol that shows what goes over the wire."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import httpx2

from trunkline.testing import Client, Gateway

HEADERS = {"Accept": "application/json, text/event-stream", "Host": "localhost"}
INITIALIZE = {"capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
TABLES = """
create table shelf(id integer primary key, code varchar(10) not null unique);
create table book(
    id integer primary key autoincrement, shelf_id integer references shelf(id), title varchar(60) not null,
    pages integer
);
insert into shelf values (1, 'A1'), (2, 'B2');
insert into book(shelf_id, title, pages) values (1, 'Dune', 412), (1, 'Emma', 320), (2, 'Ulysses', 730);
"""


def new_shop(gateway: Gateway, name: str = "shop") -> Path:
    """Make a database and its service; answer the file."""
    file = gateway.storage / f"{name}.db"
    database = sqlite3.connect(file)
    database.executescript(TABLES)
    database.close()
    gateway.create_service(name, "sqlite", {"database": str(file)})
    return file


def new_files(gateway: Gateway, name: str = "files") -> Path:
    """Make a folder and its service; answer the folder."""
    folder = gateway.storage / name
    folder.mkdir(parents=True)
    gateway.create_service(name, "local_file", {"container": name})
    return folder


class Speaker:
    """Speaks to one server in the test process, with the credentials of a client."""

    def __init__(self, client: Client, server: str = "ai", version: str | None = "2025-06-18") -> None:
        """Remember whom to speak to; ``version`` goes with each message."""
        self.client = client
        self.server = server
        self.version = version

    def send(self, method: str = "POST", headers: dict[str, str] | None = None, **more: Any) -> httpx2.Response:
        """Send a request to the endpoint."""
        sent = {**self.client.headers, **HEADERS, **(headers or {})}
        if self.version is not None:
            sent.setdefault("MCP-Protocol-Version", self.version)
        return self.client._http.request(method, f"/mcp/{self.server}", headers=sent, **more)

    def reply(self, method: str, params: dict[str, Any] | None = None, **headers: str) -> httpx2.Response:
        """Send one message and answer the whole reply."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        return self.send(json=message, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send one message and answer its result."""
        reply = self.reply(method, params)
        assert reply.status_code == 200, reply.text
        answer = reply.json()
        assert "result" in answer, answer
        found: dict[str, Any] = answer["result"]
        return found

    def tools(self) -> list[dict[str, Any]]:
        """List the tools."""
        found: list[dict[str, Any]] = self.ask("tools/list")["tools"]
        return found

    def names(self) -> list[str]:
        """List their names."""
        return [one["name"] for one in self.tools()]

    def call(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Call a tool and answer its result."""
        return self.ask("tools/call", {"name": name, "arguments": arguments})

    def text(self, name: str, /, **arguments: Any) -> str:
        """Call a tool that works, and answer the first text."""
        result = self.call(name, **arguments)
        assert not result.get("isError"), result
        found: str = result["content"][0]["text"]
        return found

    def refusal(self, name: str, /, **arguments: Any) -> str:
        """Call a tool that does not work, and answer what it says."""
        result = self.call(name, **arguments)
        assert result["isError"], result
        found: str = result["content"][0]["text"]
        return found
