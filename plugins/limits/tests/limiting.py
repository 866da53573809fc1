"""Makes limits, and callers that they hold for."""

from __future__ import annotations

from typing import Any

from trunkline.testing import Client, Gateway

EVERYTHING = [{"service": "system", "component": "*", "verb_mask": 31}]


def limited(gateway: Gateway, **limit: Any) -> dict[str, Any]:
    """Create a limit, of one call a minute unless said otherwise, and answer all its fields."""
    record = {"name": "a limit", "rate": 1, "period": "minute", **limit}
    reply = gateway.admin.post("/system/limit?fields=*", json={"resource": [record]})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()["resource"][0]
    return found


def key(gateway: Gateway) -> Client:
    """A client with the key of an app whose role may do everything below ``system``."""
    return gateway.key_for(EVERYTHING)


def user(gateway: Gateway, email: str, **fields: Any) -> tuple[Client, int]:
    """A client with a session of a new user, and the user's id; the role may do everything below ``system``."""
    found = gateway.create_user(email, **fields)
    app = gateway.create_app(gateway.create_role(EVERYTHING))
    return gateway.as_user(found, app["api_key"]), found.id


def statuses(client: Client, times: int, path: str = "/system/role", method: str = "GET", **more: Any) -> list[int]:
    """Repeat a call and list the statuses."""
    return [client.request(method, path, **more).status_code for _ in range(times)]


def service_id(gateway: Gateway, name: str) -> int:
    """Answer the id of a service."""
    return gateway.app.directory.snapshot.services[name].id
