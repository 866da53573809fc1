"""Who is calling: where credentials are read, what each combination yields (system-api 2.1 to 2.4 and 10)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from trunkline.testing import Client, Gateway

ALL = [{"service": "toy", "component": "*", "verb_mask": 31}]


def message(reply: Any) -> str:
    return str(reply.json()["error"]["message"])


def test_an_api_key_is_read_from_header_query_and_body(toy: Gateway) -> None:
    key = toy.create_app(toy.create_role(ALL))["api_key"]
    assert toy.with_key(key).get("/toy/thing").status_code == 200
    assert toy.anonymous.get("/toy/thing", params={"api_key": key}).status_code == 200
    assert toy.anonymous.post("/toy/thing", json={"api_key": key}).status_code == 201


def test_a_session_token_is_read_from_all_its_places(toy: Gateway) -> None:
    token = toy.admin.headers["X-DreamFactory-Session-Token"]
    anonymous = toy.anonymous
    assert anonymous.get("/toy/thing", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert anonymous.get("/toy/thing", params={"session_token": token}).status_code == 200
    assert anonymous.post("/toy/thing", json={"session_token": token}).status_code == 201
    assert toy.admin.get("/toy/thing", headers={"Authorization": ""}).status_code == 200


@pytest.mark.parametrize(
    ("who", "status", "part"),
    [
        ("nobody", 400, "No session token (JWT) or API Key detected"),
        ("unknown key", 400, "No session token (JWT) provided"),
        ("key without role", 400, "No session token (JWT) provided"),
        ("user without key", 400, "No API Key provided"),
        ("user and key without role", 403, "Role not found"),
        ("inactive role", 403, "is not active"),
        ("inactive app", 403, "App is not active."),
        ("key, not granted", 401, "Unauthorized. User is not authenticated."),
        ("user, not granted", 403, "Access Forbidden. GET access to component 'thing' of service 'toy'"),
    ],
)
def test_every_refusal_has_its_recorded_words(toy: Gateway, who: str, status: int, part: str) -> None:
    nothing = toy.create_role([])
    user = toy.create_user("plain@example.com")

    def key(role: int | None = None, **fields: Any) -> str:
        return str(toy.create_app(role, **fields)["api_key"])

    clients: dict[str, Client] = {
        "nobody": toy.anonymous,
        "unknown key": toy.with_key("0" * 64),
        "key without role": toy.with_key(key()),
        "user without key": toy.as_user(user),
        "user and key without role": toy.as_user(user, key()),
        "inactive role": toy.with_key(key(toy.create_role(ALL, is_active=False))),
        "inactive app": toy.with_key(key(toy.create_role(ALL), is_active=False)),
        "key, not granted": toy.with_key(key(nothing)),
        "user, not granted": toy.as_user(user, key(nothing)),
    }
    reply = clients[who].get("/toy/thing")
    assert (reply.status_code, part in message(reply)) == (status, True), reply.text
    # Access is judged before existence (checklist 9).
    assert clients[who].get("/no_such_service/thing").status_code == status


def test_a_script_token_changes_nothing(toy: Gateway) -> None:
    """Checklist 13: in the original any made-up value made the caller a script."""
    only_scripts = toy.key_for([{"service": "toy", "component": "*", "verb_mask": 31, "requestor_mask": 2}])
    reply = only_scripts.get("/toy/thing", headers={"X-DreamFactory-Script-Token": "anything"})
    assert reply.status_code == 401


def test_an_administrator_with_an_assignment_goes_by_roles(toy: Gateway) -> None:
    from trunkline.db import tables

    admin = toy.create_user("restricted@example.com", is_sys_admin=True)
    app = toy.create_app()
    role = toy.create_role([{"service": "toy", "component": "rows", "verb_mask": 1}])
    toy._insert(tables.user_to_app_to_role, user_id=admin.id, app_id=app["id"], role_id=role)
    client = toy.as_user(admin, app["api_key"])
    assert client.get("/toy/rows").status_code == 200
    assert client.get("/toy/thing").status_code == 403


def test_basic_credentials(toy: Gateway) -> None:
    """D2: wrong ones are a 401, never a 500."""
    toy.create_user("basic@example.com", password="a long enough password", is_sys_admin=True)

    def get(name: str, password: str) -> Any:
        encoded = base64.b64encode(f"{name}:{password}".encode()).decode()
        return toy.anonymous.get("/toy/thing", headers={"Authorization": f"Basic {encoded}"})

    assert get("basic@example.com", "a long enough password").status_code == 200
    assert get("basic@example.com", "a long enough password").status_code == 200
    assert get("basic@example.com", "wrong").status_code == 401
    assert get("nobody@example.com", "wrong").status_code == 401
    assert toy.anonymous.get("/toy/thing", headers={"Authorization": "Basic !!!"}).status_code == 401
    assert toy.anonymous.get("/toy/thing", headers={"Authorization": "Basic " + "x" * 9}).status_code == 401


def test_open_paths_are_open_by_type_and_exact_path(toy: Gateway) -> None:
    """D21: the name of a service opens nothing."""
    assert toy.anonymous.get("/toy/open").status_code == 200
    assert toy.anonymous.get("/toy/open/below").status_code == 400
    assert toy.anonymous.delete("/toy/open").status_code == 400
    toy.create_service("x_oauth", "toy", {"host": "h"})
    assert toy.anonymous.get("/x_oauth/thing").status_code == 400


def test_a_bad_token_is_told_even_on_open_paths(toy: Gateway) -> None:
    reply = toy.anonymous.get("/toy/open", headers={"X-DreamFactory-Session-Token": "a.b.c"})
    assert reply.status_code == 401
    assert message(reply).startswith("Invalid token: ")
