"""Logging in with an identity from elsewhere, by a type that is made for these tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from trunkline.call import Call
from trunkline.db import tables
from trunkline.errors import Unauthorized
from trunkline.revisions import CONFIG
from trunkline.testing import Gateway
from trunkline_email.testing import Inbox
from trunkline_user import pending
from trunkline_user.external import ExternalConfig, ExternalService, Identity


@dataclass
class Directory:
    """Whom the tests let in, by name."""

    people: dict[str, Identity] = field(default_factory=dict)


DIRECTORY = Directory()


class Config(ExternalConfig):
    """Adds whether groups decide."""

    map_group_to_role: bool = False


class Elsewhere(ExternalService):
    """Believes every name that the directory has."""

    label = "Elsewhere"
    description = "For tests."
    origin = ("adldap", "elsewhere")
    config: Config

    async def login(self, call: Call) -> Any:
        """Open a session for who is known."""
        found = DIRECTORY.people.get(str(call.option("username")))
        if found is None:
            raise Unauthorized("Invalid username and password provided.")
        return await self.session(call, found)


@pytest.fixture
def gateway(fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    registry = fresh_gateway.app.registry
    load, find = registry.load, registry.find
    monkeypatch.setattr(registry, "load", lambda name: Elsewhere if name == "elsewhere" else load(name))
    monkeypatch.setattr(registry, "find", lambda name: Elsewhere if name == "elsewhere" else find(name))
    return fresh_gateway


@pytest.fixture(autouse=True)
def people() -> dict[str, Identity]:
    DIRECTORY.people.clear()
    names = {"username": "ann", "first_name": "Ann", "last_name": "Ax"}
    DIRECTORY.people["ann"] = Identity("1", "ann@example.org", True, **names, more={"groups": ["a"]})
    return DIRECTORY.people


@pytest.fixture
def enter(gateway: Gateway) -> Callable[..., Any]:
    def done(username: str, service: str = "corp") -> Any:
        return gateway.anonymous.post("/user/session", json={"service": service, "username": username, "password": "x"})

    return done


@pytest.fixture
def corp(gateway: Gateway) -> str:
    gateway.create_service("corp", "elsewhere", {})
    return "corp"


def row(gateway: Gateway, user_id: int) -> Any:
    query = sa.select(tables.user).where(tables.user.c.id == user_id)
    return gateway.app.database.read(lambda connection: connection.execute(query).mappings().one())


def assignments(gateway: Gateway, user_id: int) -> dict[int, int]:
    link = tables.user_to_app_to_role
    query = sa.select(link.c.app_id, link.c.role_id).where(link.c.user_id == user_id)
    return {one.app_id: one.role_id for one in gateway.app.database.read(lambda c: c.execute(query).all())}


def test_the_account_is_as_the_original_makes_it(gateway: Gateway, corp: str, enter: Any) -> None:
    """System-api 21 and 21.4."""
    session = enter("ann").json()
    assert session["email"] == "ann+corp@example.org"
    assert session["groups"] == ["a"]
    made = row(gateway, session["id"])
    assert (made["username"], made["ldap_username"], made["adldap"]) == ("ann+corp", "ann", "elsewhere")
    assert (made["first_name"], made["last_name"], made["name"], made["password"]) == ("Ann", "Ax", "Ann Ax", None)
    assert made["last_login_date"] is not None
    shown = gateway.admin.get(f"/system/user/{session['id']}").json()
    assert shown["confirmed"] is True


def test_a_login_that_changes_nothing_makes_nobody_read_anew(gateway: Gateway, corp: str, enter: Any) -> None:
    gateway.create_app()
    enter("ann")
    before = gateway.app.database.revisions[CONFIG]
    assert enter("ann").status_code == 200
    assert gateway.app.database.revisions[CONFIG] == before


def test_who_changes_the_address_stays_who_they_are(gateway: Gateway, corp: str, enter: Any, people: Any) -> None:
    """Checklist 19: the provider's own name of an account counts, not what it says today of its address."""
    mine = enter("ann").json()["id"]
    people["ann"] = Identity("1", "changed@example.org", True)
    assert enter("ann").json()["id"] == mine
    people["eve"] = Identity("2", "ann@example.org", True)
    eve = enter("eve")
    assert eve.json()["id"] != mine
    assert eve.json()["email"] == "2+corp@corp.com"


@pytest.mark.parametrize("subject", ["a/b", "a b", "ü", "x" * 300, "a@b", "+", "'; drop table user"])
def test_any_name_of_an_account_makes_an_address(corp: str, enter: Any, people: Any, subject: str) -> None:
    people["x"] = Identity(subject)
    people["y"] = Identity(subject + "-")
    one, same, other = enter("x").json(), enter("x").json(), enter("y").json()
    assert one["id"] == same["id"] != other["id"]
    assert one["email"].endswith("+corp@corp.com")


def test_names_differ_by_their_case(gateway: Gateway, corp: str, enter: Any, people: Any) -> None:
    """Checklist 18: databases compare texts as they like; identities are compared byte by byte."""
    people["x"], people["y"] = Identity("abc"), Identity("ABC")
    assert enter("x").json()["id"] != enter("y").json()["id"]


def test_a_local_account_is_nobodys_from_elsewhere(gateway: Gateway, corp: str, enter: Any) -> None:
    """An address that happens to be written like one from elsewhere opens no account that is here."""
    local = gateway.create_user("ann+corp@example.org")
    session = enter("ann").json()
    assert session["id"] != local.id
    assert session["email"] == "1+corp@corp.com"


def test_an_older_account_is_found_once(gateway: Gateway, corp: str, enter: Any, people: Any) -> None:
    """Made before the provider's names were kept; the second who comes with its address is somebody else."""
    older = gateway.create_user("ann+corp@example.org", adldap="elsewhere")
    assert enter("ann").json()["id"] == older.id
    people["eve"] = Identity("2", "Ann@Example.org", True)
    assert enter("eve").json()["id"] != older.id


def test_accounts_of_services_are_apart(gateway: Gateway, corp: str, enter: Any) -> None:
    gateway.create_service("other", "elsewhere", {})
    assert enter("ann").json()["id"] != enter("ann", "other").json()["id"]


def test_roles_of_groups_come_and_go(gateway: Gateway, enter: Any, people: Any) -> None:
    staff, boss, usual = (gateway.create_role([]) for _ in range(3))
    app, special = gateway.create_app()["id"], gateway.create_app()["id"]
    config = {
        "map_group_to_role": True, "default_role": usual, "app_role_map": [{"app_id": special, "role_id": boss}]
    }  # fmt: skip
    gateway.create_service("corp", "elsewhere", config)
    found = []
    for role_id in (staff, boss, None, 10**6):
        people["ann"] = Identity("1", role_id=role_id)
        user_id = enter("ann").json()["id"]
        mine = assignments(gateway, user_id)
        assert mine[special] == boss
        found.append(mine[app])
    assert found == [staff, boss, usual, usual]


def test_many_first_logins_at_once_make_one_account(gateway: Gateway, corp: str, enter: Any) -> None:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(enter("ann"))) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert {one.status_code for one in found} == {200}
    assert len({one.json()["id"] for one in found}) == 1


def test_services_that_do_not_log_in_are_told(gateway: Gateway, corp: str, enter: Any) -> None:
    """The words are those of the original."""
    for name in ("system", "nobody", "", 5, ["corp"]):
        reply = gateway.anonymous.post("/user/session", json={"service": name, "username": "ann"})
        assert reply.status_code == 400, name
    told = "Invalid login service provided. Please use an OAuth or AD/Ldap service."
    assert enter("ann", "system").json()["error"]["message"] == told
    reply = gateway.anonymous.get("/user/session", params={"service": "corp"})
    assert reply.json()["error"]["message"] == "Invalid login service provided. Please use an OAuth service."


def test_a_deleted_account_is_made_anew(gateway: Gateway, corp: str, enter: Any) -> None:
    first = enter("ann").json()["id"]
    assert gateway.admin.delete(f"/system/user/{first}").status_code == 200
    assert enter("ann").json()["id"] != first


def test_no_password_is_mailed_for_them(gateway: Gateway, corp: str, enter: Any, mail: int, inbox: Inbox) -> None:
    """What stands as their address here need not be read by them."""
    session = enter("ann").json()
    ask = lambda email: gateway.anonymous.post("/user/password?reset=true", json={"email": email})  # noqa: E731
    assert ask(session["email"]).json() == {"success": True}
    gateway.create_user("ana@ex.org", "a long enough password")
    assert ask("ana@ex.org").json() == {"success": True}
    ends = time.monotonic() + 10
    while not inbox.envelopes and time.monotonic() < ends:
        time.sleep(0.02)
    assert [one.rcpt_tos for one in inbox.envelopes] == [["ana@ex.org"]]


def test_a_login_that_waits_is_completed_once(gateway: Gateway) -> None:
    """Checklist 19: on whatever worker, and by the service that began it."""
    run = gateway._http.portal.call
    app = gateway.app
    run(pending.begin, app, "t", {"service": "a"}, 60)
    assert run(pending.begun, app, "t") == {"service": "a"}
    assert run(pending.finish, app, "t", "b", 60) is None
    assert run(pending.finish, app, "t", "a", 60) == {"service": "a"}
    assert run(pending.finish, app, "t", "a", 60) is None
    assert run(pending.begun, app, None) is None
    assert run(pending.begun, app, "") is None
