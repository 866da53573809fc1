"""A document that an operator stores is what a remote service says of itself: in documents, lists, events and tools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Server

from trunkline.testing import Gateway
from trunkline.testing.fixtures import _copied, settings_for

pytestmark = pytest.mark.live
PET = {"$ref": "#/definitions/Pet"}
DOCUMENT: dict[str, Any] = {
    "swagger": "2.0", "basePath": "/echo", "schemes": ["http"],
    "paths": {
        "/pets": {
            "get": {"operationId": "listPets", "summary": "List pets.", "responses": {"200": {"description": "x"}},
                    "parameters": [{"name": "limit", "in": "query", "type": "integer"}]},
            "post": {"operationId": "addPet", "summary": "Add a pet.", "responses": {"201": {"description": "x"}},
                     "parameters": [{"name": "b", "in": "body", "required": True, "schema": PET}]},
        },
        "/pets/{id}": {"get": {"operationId": "onePet", "responses": {"200": {"description": "x"}}}},
    },
    "definitions": {"Pet": {"type": "object", "properties": {"name": {"type": "string"}}}},
}  # fmt: skip


@pytest.fixture(scope="module")
def documented(_template: Path, tmp_path_factory: pytest.TempPathFactory, remote_target: Server) -> Iterator[Gateway]:
    """A gateway with a remote service that only its document describes."""
    storage = _copied(_template, tmp_path_factory.mktemp("gateway") / "storage")
    with Gateway(settings_for(storage, outgoing_networks="127.0.0.0/8")) as gateway:
        document = {**DOCUMENT, "host": f"127.0.0.1:{remote_target.port}"}
        record = {
            "name": "zoo", "label": "Pets", "type": "rws", "is_active": True, "config": {},
            "service_doc_by_service_id": {"format": 0, "content": json.dumps(document)},
        }  # fmt: skip
        reply = gateway.admin.post("/system/service", json={"resource": [record]})
        assert reply.status_code == 201, reply.text
        gateway.create_service("assist", "mcp", {"lazy_mode": "off"})
        yield gateway


def reader(gateway: Gateway) -> Any:
    rows = [
        {"service": "zoo", "component": "pets/", "verb_mask": 1},
        {"service": "zoo", "component": "_spec", "verb_mask": 1},
        {"service": "assist", "component": "*", "verb_mask": 31},
    ]  # fmt: skip
    key = gateway.create_app(gateway.create_role(rows))["api_key"]
    return gateway.as_user(gateway.create_user("reader@example.com"), key)


def test_it_names_the_server(documented: Gateway) -> None:
    assert documented.admin.get("/zoo/pets/7").json()["path"] == "/echo/pets/7"


def test_the_document_is_told_as_far_as_the_role_goes(documented: Gateway) -> None:
    paths = documented.admin.get("/zoo/_spec").json()["paths"]
    assert {path: set(item) & {"get", "post"} for path, item in paths.items()} == {
        "/pets": {"get", "post"}, "/pets/{id}": {"get"},
    }  # fmt: skip
    paths = reader(documented).get("/zoo/_spec").json()["paths"]
    assert {path: set(item) & {"get", "post"} for path, item in paths.items()} == {"/pets": {"get"}}


def test_roles_and_scripts_find_its_paths(documented: Gateway) -> None:
    listed = documented.admin.get("/zoo?as_access_list=true").json()["resource"]
    assert listed == ["", "*", "pets/", "pets/*"]
    events = documented.admin.get("/system/event?as_list=true&service=zoo").text
    assert "zoo.pets.get" in events


def ask(documented: Gateway, client: Any, method: str, **params: Any) -> Any:
    """Speak to the server for assistants."""
    headers = {**client.headers, "Accept": "application/json, text/event-stream", "Host": "localhost"}
    headers["MCP-Protocol-Version"] = "2025-06-18"
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    reply = documented._http.post("/mcp/assist", json=body, headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.json()["result"]


def test_its_operations_are_tools(documented: Gateway) -> None:
    found = {one["name"]: one for one in ask(documented, documented.admin, "tools/list")["tools"]}
    assert {"zoo_get_list_pets", "zoo_create_add_pet", "zoo_get_one_pet"} <= set(found)
    schema = found["zoo_create_add_pet"]["inputSchema"]
    assert schema["properties"]["body"] == {"$ref": "#/$defs/Pet"}
    assert schema["$defs"]["Pet"]["properties"] == {"name": {"type": "string"}}
    told = ask(documented, documented.admin, "tools/call", name="zoo_get_one_pet", arguments={"id": "a/b"})
    assert "/echo/pets/a%2Fb" in told["content"][0]["text"]
    body = {"body": {"name": "Rex"}}
    told = ask(documented, documented.admin, "tools/call", name="zoo_create_add_pet", arguments=body)
    assert "Rex" in told["content"][0]["text"]


def test_tools_are_narrowed_by_the_role(documented: Gateway) -> None:
    names = {one["name"] for one in ask(documented, reader(documented), "tools/list")["tools"]}
    assert "zoo_get_list_pets" in names
    assert not {"zoo_create_add_pet", "zoo_get_one_pet"} & names
