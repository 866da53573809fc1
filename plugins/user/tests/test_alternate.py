"""Logging in by a table of a database service (system-api 8.7)."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for

PASSWORD = "old password"
FAILED = "Failed to perform alternate authentication. "
CONFIG = {
    "alt_auth_table": "member", "alt_auth_username_field": "login", "alt_auth_password_field": "pw",
    "alt_auth_email_field": "mail", "alt_auth_other_fields": "company", "alt_auth_filter": "state=active, level=1",
}  # fmt: skip
ROWS = [
    ("plain", PASSWORD, "plain@ex.org", "acme", "active", 1),
    ("md5", hashlib.md5(PASSWORD.encode()).hexdigest(), "md5@ex.org", "acme", "active", 1),
    ("bcrypt", bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode(), "bcrypt@ex.org", "acme", "active", 1),
    ("off", PASSWORD, "off@ex.org", "acme", "gone", 1),
    ("twice", PASSWORD, "one@ex.org", "acme", "active", 1),
    ("twice", PASSWORD, "two@ex.org", "acme", "active", 1),
    ("boss", PASSWORD, "admin@example.com", "acme", "active", 1),
    ("nomail", PASSWORD, None, "acme", "active", 1),
    ("nopw", None, "nopw@ex.org", "acme", "active", 1),
]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway with a table of members in an SQLite file."""
    database = tmp_path / "members.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute(
            "create table member (id integer primary key, login text, pw text, mail text, company text, state text,"
            " level integer)"
        )
        connection.executemany(
            "insert into member (login, pw, mail, company, state, level) values (?, ?, ?, ?, ?, ?)", ROWS
        )
    connection.close()
    with Gateway(settings_for(tmp_path / "storage", alternate_auth=True)) as started:
        found = started.create_service("members", "sqlite", {"database": str(database)})["id"]
        assert configured(started, alt_auth_db_service_id=found, **CONFIG).status_code == 200
        yield started


def configured(gateway: Gateway, **config: Any) -> Any:
    record = gateway.admin.get("/system/service/user").json()
    return gateway.admin.patch(f"/system/service/{record['id']}", json={"config": config})


def login(gateway: Gateway, name: Any, password: Any = PASSWORD, **more: Any) -> Any:
    return gateway.anonymous.post("/user/session", json={"login": name, "pw": password, "company": "acme", **more})


def message(reply: Any, status: int) -> str:
    assert reply.status_code == status, reply.text
    return str(reply.json()["error"]["message"])


@pytest.mark.parametrize("name", ["plain", "md5", "bcrypt"])
def test_a_member_gets_a_session_and_a_user(gateway: Gateway, name: str) -> None:
    first, second = (login(gateway, name).json() for _ in range(2))
    assert (first["email"], first["name"], first["is_sys_admin"]) == (f"{name}@ex.org", "Alternate User", False)
    assert first["id"] == second["id"]
    headers = {"X-DreamFactory-Session-Token": second["session_token"]}
    assert gateway.anonymous.get("/user/session", headers=headers).json()["id"] == first["id"]


@pytest.mark.parametrize(
    ("name", "more", "status", "told"),
    [
        ("plain", {"pw": "wrong"}, 401, "Invalid credential supplied."),
        ("nopw", {"pw": ""}, 401, "Invalid credential supplied."),
        ("md5", {"pw": hashlib.md5(PASSWORD.encode()).hexdigest()}, 401, "Invalid credential supplied."),
        ("nobody", {}, 401, "Invalid user information provided."),
        ("off", {}, 401, "Invalid user information provided."),
        ("twice", {}, 401, "Invalid user information provided."),
        ("plain", {"company": "other"}, 401, "Invalid user information provided."),
        ("plain", {"company": None}, 401, "Invalid user information provided."),
        ("plain", {"company": ["acme", "other"]}, 401, "Invalid user information provided."),
        ("x') OR (login = 'plain", {}, 401, "Invalid user information provided."),
        ("plain' OR 1=1 --", {}, 401, "Invalid user information provided."),
        ("{user.email}", {}, 401, "Invalid user information provided."),
        ("%", {}, 401, "Invalid user information provided."),
        ("boss", {}, 401, "Invalid credential supplied."),
        ("nomail", {}, 500, "Failed to retrieve alternate user's email address using field mail."),
        (["plain"], {}, 400, "Name and password must be text."),
    ],
)
def test_who_is_refused(gateway: Gateway, name: Any, more: dict[str, Any], status: int, told: str) -> None:
    """Values are bound: no name is part of the filter. A table elsewhere makes nobody an administrator."""
    assert message(login(gateway, name, **more), status) == FAILED + told


def test_guesses_are_limited(gateway: Gateway) -> None:
    statuses = [login(gateway, "plain", "wrong").status_code for _ in range(11)]
    assert statuses == [401] * gateway.app.settings.login_attempts + [429]


def test_an_inactive_user_stays_out(gateway: Gateway) -> None:
    user = login(gateway, "plain").json()["id"]
    assert gateway.admin.patch(f"/system/user/{user}", json={"is_active": False}).status_code == 200
    assert message(login(gateway, "plain"), 401) == FAILED + "Invalid credential supplied."


def test_the_usual_login_goes_on(gateway: Gateway) -> None:
    gateway.create_user("ana@ex.org", "a long enough password")
    body = {"email": "ana@ex.org", "password": "a long enough password"}
    assert gateway.anonymous.post("/user/session", json=body).status_code == 200


def test_a_table_that_is_not_there_is_told_without_details(gateway: Gateway) -> None:
    assert configured(gateway, alt_auth_table="nothing").status_code == 200
    told = message(login(gateway, "plain"), 500)
    assert told == FAILED + "The table can not be read as it is configured."


def test_half_a_configuration_is_refused(gateway: Gateway) -> None:
    reply = configured(gateway, alt_auth_email_field=None)
    assert "alt_auth_email_field" in message(reply, 400)


def test_it_is_off_unless_the_setting_is_on(fresh_gateway: Gateway) -> None:
    assert configured(fresh_gateway, alt_auth_db_service_id=1, **CONFIG).status_code == 200
    assert message(login(fresh_gateway, "plain"), 400) == "Login request is missing required email."
