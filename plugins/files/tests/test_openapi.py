"""The document of a file service: valid, and true for the caller."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import validate

from trunkline.testing import Client, Gateway


@pytest.fixture
def client(fresh_gateway: Gateway) -> Client:
    fresh_gateway.create_service("files", "local_file", {"container": "docs"})
    return fresh_gateway.admin


def document(client: Client, version: str = "3.1") -> dict[str, Any]:
    reply = client.get("/api/v2/api_docs/files", params={"openapi": version})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


@pytest.mark.parametrize("version", ["3.0", "3.1"])
def test_the_document_is_valid_and_has_files_and_folders(client: Client, version: str) -> None:
    found = document(client, version)
    validate(found)
    assert set(found["paths"]) == {"/", "/{folder_path}/", "/{file_path}"}
    upload = found["paths"]["/{file_path}"]["put"]["requestBody"]["content"]
    assert set(upload) == {"*/*", "multipart/form-data"}


def test_a_role_sees_what_it_may_do(client: Client, fresh_gateway: Gateway) -> None:
    row = {"service": "files", "component": "open/*", "verb_mask": 1}
    found = document(fresh_gateway.key_for([row]))
    assert {path: set(item) & {"get", "post", "put", "patch", "delete"} for path, item in found["paths"].items()} == {
        "/{folder_path}/": {"get"}, "/{file_path}": {"get"},
    }  # fmt: skip
