"""The official clients: the Python SDK's in both its generations of the protocol, and the inspector's command line.

Every tool that is listed is called, on SQLite and on PostgreSQL; one that nobody calls fails the test.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
import mcp
import processes
import pytest
from databases import execute
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from object_servers import node_package
from processes import log_in
from servers import Server
from speaking import TABLES

pytestmark = pytest.mark.live
CALLBACK = "http://localhost:3000/callback"
POSTGRESQL = (
    "create table shelf(id integer primary key, code varchar(10) not null unique)",
    "create table book(id serial primary key, shelf_id integer references shelf(id), title varchar(60), pages integer)",
    "insert into shelf values (1, 'A1'), (2, 'B2')",
    "insert into book(shelf_id, title, pages) values (1, 'Dune', 412), (1, 'Emma', 320), (2, 'Ulysses', 730)",
    "create function shout(word text) returns text language sql as $$ select upper(word) $$",
    "create procedure rename(wanted integer, name text) language sql"
    " as $$ update book set title = name where id = wanted $$",
)
BOOK = {"table_name": "book"}
# Arguments for each tool, in the order in which they are called, and what the answer has.
CALLS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("discover_services", {}, "db"),
    ("list_apis", {}, '"count": 2'),
    ("list_tools", {"names_only": True}, "get_tables"),
    ("get_api_spec", {"resource_name": "book"}, "/_table/book"),
    ("get_data_model", {}, "shelf"),
    ("get_tables", {}, "book"),
    ("get_table_schema", BOOK, "primary_key"),
    ("get_table_data", {**BOOK, "filter": "pages > 700", "fields": ["title"]}, "Ulysses"),
    ("create_records", {**BOOK, "records": [{"title": "Made", "pages": 1}]}, '"id"'),
    ("update_records", {**BOOK, "records": [{"pages": 2}], "filter": "title = 'Made'"}, '"id"'),
    ("aggregate_data", {**BOOK, "aggregates": [{"function": "MIN", "field": "pages"}]}, "2"),
    ("delete_records", {**BOOK, "filter": "title = 'Made'"}, '"id"'),
    ("get_table_fields", BOOK, "title"),
    ("get_table_relationships", BOOK, "shelf_by_shelf_id"),
    ("get_stored_procedures", {}, "rename"),
    ("call_stored_procedure", {"procedure_name": "rename", "parameters": {"wanted": 1, "name": "Dune"}}, ""),
    ("get_stored_functions", {}, "shout"),
    ("call_stored_function", {"function_name": "shout", "parameters": {"word": "dune"}}, "DUNE"),
    ("get_database_resources", {"as_list": True}, "_table"),
    ("create_folder", {"path": "notes"}, "notes"),
    ("create_file", {"path": "notes/a.txt", "content": "Grüße"}, "a.txt"),
    ("get_file", {"path": "notes/a.txt"}, "Grüße"),
    ("get_file_properties", {"path": "notes/a.txt"}, "content_length"),
    ("list_files", {"path": "notes"}, "a.txt"),
    ("delete_file", {"path": "notes", "force": True}, "notes"),
)
ROUTINES = {"get_stored_procedures", "call_stored_procedure", "get_stored_functions", "call_stored_function"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A gateway, and a session of its administrator as ``token``."""
    with processes.demo(tmp_path_factory.mktemp("demo")) as told, httpx2.Client(base_url=told["url"]) as client:
        log_in(client, told["admin_email"], told["admin_password"])
        new_service(client, "notes", "local_file", {"container": "notes"})
        yield {**told, "client": client, "token": client.headers["X-DreamFactory-Session-Token"]}


def new_service(client: httpx2.Client, name: str, kind: str, config: dict[str, Any]) -> None:
    service = {"name": name, "label": name, "type": kind, "is_active": True, "config": config}
    reply = client.post("/api/v2/system/service", json={"resource": [service]})
    assert reply.status_code in (200, 201), reply.text


@pytest.fixture(scope="module", params=["sqlite", "pgsql"])
def server(request: pytest.FixtureRequest, demo: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a server over a database and a folder."""
    kind = request.param
    if kind == "pgsql":
        postgresql: Server = request.getfixturevalue("postgresql_server")
        config = postgresql.new_config()
        execute(config, *POSTGRESQL)
    else:
        config = {"database": str(tmp_path_factory.mktemp("shop") / "shop.db")}
        database = sqlite3.connect(config["database"])
        database.executescript(TABLES)
        database.close()
    new_service(demo["client"], f"{kind}db", kind, config)
    # The style is that of consoles which do not say which.
    options = {"exposed_services": [f"{kind}db", "notes"], "lazy_mode": "off"}
    new_service(demo["client"], f"{kind}ai", "mcp", options)
    return f"{demo['url']}/mcp/{kind}ai"


def calls_for(names: list[str]) -> list[tuple[str, dict[str, Any], str]]:
    """Answer the calls of the tools that are there; all of them but for what a database has not."""
    known = [one for one in CALLS if one[0] in names]
    assert sorted(names) == sorted(one[0] for one in known)
    assert {one[0] for one in CALLS} - set(names) <= ROUTINES
    return known


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_lists_and_calls_every_tool(demo: dict[str, Any], server: str, mode: Any) -> None:
    async def story() -> None:
        headers = {"Authorization": f"Bearer {demo['token']}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=30) as http,
            mcp.Client(streamable_http_client(server, http_client=http), mode=mode) as client,
        ):
            listed = (await client.list_tools()).tools
            for name, arguments, wanted in calls_for([one.name for one in listed]):
                result = await client.call_tool(name, arguments)
                text = " ".join(getattr(one, "text", "") for one in result.content)
                assert not result.is_error, (name, text)
                assert wanted in text, (name, text)
            wrong = await client.call_tool("get_table_data", {"table_name": "nothing"})
            assert wrong.is_error

    anyio.run(story)


def test_the_inspector_lists_and_calls_every_tool(demo: dict[str, Any], server: str) -> None:
    program = node_package(Server, "@modelcontextprotocol/inspector-cli") / "build" / "cli.js"

    def inspect(*arguments: str) -> dict[str, Any]:
        command = [
            Server.program("node"), str(program), "--cli", server, "--transport", "http", "--header",
            f"Authorization: Bearer {demo['token']}", *arguments,
        ]  # fmt: skip
        # It looks for its own version beside where it is started.
        done = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def call(one: tuple[str, dict[str, Any], str]) -> None:
        name, arguments, wanted = one
        pairs = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in arguments.items()]
        result = inspect(
            "--method", "tools/call", "--tool-name", name, *(x for one in pairs for x in ("--tool-arg", one))
        )
        text = " ".join(one.get("text", "") for one in result["content"])
        assert not result.get("isError"), (name, text)
        assert wanted in text, (name, text)

    calls = calls_for([one["name"] for one in inspect("--method", "tools/list")["tools"]])
    with ThreadPoolExecutor(2) as pool:
        reading = [one for one in calls if one[0].startswith(("discover", "list_apis", "list_tools", "get_table"))]
        list(pool.map(call, reading))
    # What others change, they change in this order.
    for one in calls:
        if one not in reading:
            call(one)


class Storage:
    """What the client keeps of its registration and tokens."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def test_the_official_client_gets_itself_in(demo: dict[str, Any], server: str) -> None:
    """From the first 401 to a result: it finds the endpoints, registers, sends the user to the page, gets tokens."""
    storage = Storage()
    went: dict[str, str] = {}

    async def to_the_page(url: str) -> None:
        async with httpx2.AsyncClient(follow_redirects=True) as browser:
            page = await browser.get(url)
            assert "Desk" in page.text
            sealed = re.search(r'name="request" value="([^"]*)"', page.text)
            assert sealed is not None
            form = {
                "request": unescape(sealed[1]), "email": demo["admin_email"], "password": demo["admin_password"],
                "answer": "allow",
            }  # fmt: skip
            reply = await browser.post(page.url, data=form, follow_redirects=False)
            assert reply.headers["location"].startswith(f"{CALLBACK}?")
            went.update({name: one[0] for name, one in parse_qs(urlsplit(reply.headers["location"]).query).items()})

    async def came_back() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(code=went["code"], state=went["state"], iss=went["iss"])

    async def story() -> None:
        metadata = OAuthClientMetadata.model_validate({"client_name": "Desk", "redirect_uris": [CALLBACK]})
        auth = OAuthClientProvider(server, metadata, storage, to_the_page, came_back)
        async with (
            httpx2.AsyncClient(auth=auth, timeout=30) as http,
            mcp.Client(streamable_http_client(server, http_client=http)) as client,
        ):
            result = await client.call_tool("get_tables", {})
            assert not result.is_error
            assert storage.tokens is not None
            first = storage.tokens.refresh_token
            # An access token that is no longer good is exchanged without the user.
            went.clear()
            storage.tokens.access_token = auth.context.current_tokens.access_token = "gone"
            auth.context.token_expiry_time = 1
            assert not (await client.call_tool("get_tables", {})).is_error
            assert storage.tokens.access_token != "gone"
            assert (went, storage.tokens.refresh_token == first) == ({}, False)

    anyio.run(story)


def test_a_page_of_a_stranger_gets_nowhere(demo: dict[str, Any], server: str) -> None:
    """On the wire, with everything else right (checklist 35)."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Authorization": f"Bearer {demo['token']}", "Accept": "application/json, text/event-stream"}
    for more, status in (({}, 200), ({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403)):
        assert httpx2.post(server, json=message, headers={**headers, **more}).status_code == status
