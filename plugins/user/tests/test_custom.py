"""What clients keep for the user who is logged in (system-api 7.10)."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline.db.records import User
from trunkline.testing import Client, Gateway
from trunkline_user.custom import UserCustomModel

PATH = "/user/custom"


@pytest.fixture
def key(fresh_gateway: Gateway) -> str:
    """The key of an app whose role may use ``user/custom``."""
    role = fresh_gateway.create_role([{"service": "user", "component": "custom/*", "verb_mask": 31}])
    return str(fresh_gateway.create_app(role)["api_key"])


@pytest.fixture
def mine(fresh_gateway: Gateway, ana: User, key: str) -> Client:
    return fresh_gateway.as_user(ana, key)


def kept(client: Client, name: str, value: Any, status: int = 201) -> Any:
    reply = client.post(PATH, json={"resource": [{"name": name, "value": value}]})
    assert reply.status_code == status, reply.text
    return reply.json()


def test_values_are_kept_and_a_known_name_is_updated(mine: Client) -> None:
    assert kept(mine, "theme", {"dark": True}) == {"resource": [{"name": "theme"}]}
    assert mine.get(f"{PATH}/theme").json() == {"dark": True}
    assert kept(mine, "theme", "5") == {"resource": [{"name": "theme"}]}
    assert mine.get(f"{PATH}/theme").json() == "5"
    assert mine.put(f"{PATH}/theme", json={"value": None}).json() == {"name": "theme"}
    assert mine.get(f"{PATH}/theme").json() is None
    assert [one["name"] for one in mine.get(PATH).json()["resource"]] == ["theme"]
    assert mine.delete(f"{PATH}/theme").json() == {"name": "theme"}
    assert mine.get(f"{PATH}/theme").status_code == 404


def test_everybody_has_their_own(fresh_gateway: Gateway, mine: Client, boss: User) -> None:
    other = fresh_gateway.as_user(boss)
    kept(mine, "theme", 1)
    assert other.get(f"{PATH}/theme").status_code == 404
    assert other.patch(f"{PATH}/theme", json={"value": 9}).status_code == 404
    assert other.delete(f"{PATH}/theme").status_code == 404
    kept(other, "theme", 2)
    kept(other, "size", 3)
    assert other.patch(PATH, params={"ids": "theme"}, json={"resource": [{"value": 4}]}).status_code == 200
    assert (mine.get(f"{PATH}/theme").json(), other.get(f"{PATH}/theme").json()) == (1, 4)
    assert other.delete(PATH, params={"force": "true"}).status_code == 200
    assert other.get(PATH).json() == {"resource": []}
    assert mine.get(f"{PATH}/theme").json() == 1
    # Neither is there for administrators as a value common to all.
    assert other.get("/system/custom").json() == {"resource": []}


def test_who_is_not_logged_in_has_nothing(fresh_gateway: Gateway, key: str) -> None:
    for method in ("GET", "POST", "PATCH", "DELETE"):
        for path in (PATH, f"{PATH}/theme"):
            reply = fresh_gateway.with_key(key).request(method, path)
            assert reply.status_code == 401
            assert reply.json()["error"]["message"] == "There is no valid session for the current request."
    assert fresh_gateway.anonymous.get(PATH).status_code == 400


def test_the_owner_cannot_be_chosen(fresh_gateway: Gateway, mine: Client, ana: User, boss: User) -> None:
    sent = {"resource": [{"name": "theme", "value": 1, "user_id": boss.id, "id": 77}]}
    assert mine.post(PATH, json=sent).status_code == 201
    assert mine.get(f"{PATH}/theme").json() == 1
    assert fresh_gateway.as_user(boss).get(PATH).json() == {"resource": []}
    assert {"id", "user_id"} & mine.get(PATH).json()["resource"][0].keys() == set()


def test_bad_records_are_refused(mine: Client) -> None:
    for record in ({"value": 1}, {"name": "", "value": 1}):
        error = mine.post(PATH, json={"resource": [record]}).json()["error"]
        assert error["context"]["resource"][0]["context"] == {"name": ["The name field is required."]}
    assert mine.post(PATH, json={}).status_code == 400
    assert mine.post(f"{PATH}/theme", json={"name": "x"}).status_code == 400


def test_what_users_keep_goes_with_them(fresh_gateway: Gateway, mine: Client, ana: User) -> None:
    kept(mine, "theme", 1)
    assert fresh_gateway.admin.delete(f"/system/user/{ana.id}").status_code == 200
    left = fresh_gateway.app.database.read(lambda one: one.execute(UserCustomModel.table.select()).all())
    assert left == []


def test_the_root_lists_it(fresh_gateway: Gateway) -> None:
    assert "custom" in fresh_gateway.admin.get("/user", params={"as_list": "true"}).json()["resource"]
