"""Sends records and reads what comes back."""

from __future__ import annotations

from typing import Any

import httpx2

from trunkline.testing import Client

PASSWORD = "a long enough password"


def create(client: Client, path: str, *records: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
    """Create records and answer all their fields and relations."""
    wanted = {"fields": "*", "related": "*", **params}
    reply = client.post(path, params=wanted, json={"resource": list(records)})
    assert reply.status_code == 201, reply.text
    found: list[dict[str, Any]] = reply.json()["resource"]
    return found


def create_one(client: Client, path: str, **record: Any) -> dict[str, Any]:
    """Create one record and answer all its fields and relations."""
    return create(client, path, record)[0]


def read(client: Client, path: str, **params: Any) -> Any:
    """Read a path; the list itself where the reply has one."""
    reply = client.get(path, params=params)
    assert reply.status_code == 200, reply.text
    content = reply.json()
    return content["resource"] if isinstance(content, dict) and "resource" in content else content


def refused(reply: httpx2.Response, status: int, part: str = "") -> dict[str, Any]:
    """Check an error reply, that of the first record that failed in a batch, and answer its inner object."""
    assert reply.status_code == status, reply.text
    error: dict[str, Any] = reply.json()["error"]
    assert set(error) == {"code", "context", "message", "status_code"}
    if error["code"] == 1000:
        error = error["context"]["resource"][error["context"]["error"][0]]
    assert part in error["message"], error["message"]
    return error


def fields_refused(reply: httpx2.Response, *names: str) -> None:
    """Check that a record was refused because of these fields (D17)."""
    assert set(refused(reply, 400, "Invalid data supplied. ")["context"]) == set(names), reply.text


def upload(
    client: Client, path: str, name: str, content: bytes, media_type: str = "", **fields: str
) -> httpx2.Response:
    """Send a file as forms do, beside fields."""
    files = {"file": (name, content, media_type or "application/octet-stream")}
    sent = httpx2.Request("POST", "http://x", data=fields, files=files)
    return client.post(path, content=sent.read(), headers={"Content-Type": sent.headers["content-type"]})
