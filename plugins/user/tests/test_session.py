"""Sessions on both endpoints: log in, look, refresh, log out (system-api 8.1 to 8.4 and 9)."""

from __future__ import annotations

import time
from typing import Any

import pytest
import sqlalchemy as sa

from trunkline.db import tables
from trunkline.db.records import User
from trunkline.testing import Client, Gateway
from trunkline.testing.fixtures import settings_for

USER, ADMIN = "/user/session", "/system/admin/session"
BLACKLISTED = "The token has been blacklisted: Session terminated. Please re-login."


@pytest.fixture
def gateway(fresh_gateway: Gateway, ana: User, boss: User) -> Gateway:
    """A gateway that knows a user and an administrator."""
    return fresh_gateway


def message(reply: Any, status: int) -> str:
    assert reply.status_code == status, reply.text
    assert set(reply.json()["error"]) == {"code", "context", "message", "status_code"}
    return str(reply.json()["error"]["message"])


def with_token(gateway: Gateway, token: str, key: str | None = None) -> Client:
    headers = {"X-DreamFactory-Session-Token": token}
    return Client(gateway._http, headers | ({"X-DreamFactory-API-Key": key} if key else {}))


def logged_in(gateway: Gateway, path: str, email: str, password: str, **more: Any) -> Client:
    reply = gateway.anonymous.post(path, json={"email": email, "password": password, **more})
    assert reply.status_code == 200, reply.text
    return with_token(gateway, reply.json()["session_token"])


def link(gateway: Gateway, user: User, app: dict[str, Any], role: int) -> None:
    gateway._insert(tables.user_to_app_to_role, user_id=user.id, app_id=app["id"], role_id=role)


class TestLogin:
    def test_a_user_gets_the_recorded_answer(self, gateway: Gateway, ana: User, password: str) -> None:
        reply = gateway.anonymous.post(USER, json={"email": "ana@ex.org", "password": password})
        content = reply.json()
        token = content.pop("session_token")
        assert token.count(".") == 2
        assert content.pop("session_id") == token
        assert content.pop("host")
        assert len(content.pop("token_expiry_date")) == len(content.pop("last_login_date")) == 19
        assert content == {
            "id": ana.id, "name": "ana", "first_name": "Ana", "last_name": "Ruiz", "email": "ana@ex.org",
            "is_sys_admin": False,
        }  # fmt: skip

    def test_each_endpoint_takes_its_own_kind(self, gateway: Gateway, password: str) -> None:
        logged_in(gateway, USER, "ANA@ex.org", password)
        logged_in(gateway, ADMIN, "boss@ex.org", password)
        for path, email in ((USER, "boss@ex.org"), (ADMIN, "ana@ex.org")):
            reply = gateway.anonymous.post(path, json={"email": email, "password": password})
            assert message(reply, 401) == "Invalid credentials supplied."

    @pytest.mark.parametrize("path", [USER, ADMIN])
    @pytest.mark.parametrize(
        ("body", "status", "told"),
        [
            (None, 400, "Login request is missing required email."),
            ({}, 400, "Login request is missing required email."),
            ({"email": ""}, 400, "Login request is missing required email."),
            ({"email": ["a@b.c"], "password": "x"}, 400, "Login request is missing required email."),
            ({"username": "ana.ruiz", "password": "x"}, 400, "Login request is missing required email."),
            ({"email": "ana@ex.org"}, 400, "Login request is missing required password."),
            ({"email": "ana@ex.org", "password": {"$ne": ""}}, 400, "Login request is missing required password."),
            ({"email": "ana@ex.org", "password": "wrong"}, 401, "Invalid credentials supplied."),
            ({"email": "nobody@ex.org", "password": "wrong"}, 401, "Invalid credentials supplied."),
            ({"email": "ana@ex.org' or '1'='1", "password": "x"}, 401, "Invalid credentials supplied."),
            ({"email": "a@b.c", "password": "x", "service": "db"}, 400, "Please use an OAuth or AD/Ldap service."),
        ],
    )
    def test_every_failure_has_its_recorded_words(
        self, gateway: Gateway, path: str, body: Any, status: int, told: str
    ) -> None:
        assert told in message(gateway.anonymous.post(path, json=body), status)

    def test_an_inactive_user_is_told_as_a_wrong_password(self, gateway: Gateway, password: str) -> None:
        gateway.create_user("off@ex.org", password, is_active=False)
        reply = gateway.anonymous.post(USER, json={"email": "off@ex.org", "password": password})
        assert message(reply, 401) == "Invalid credentials supplied."

    def test_an_old_token_sent_along_does_not_matter(self, gateway: Gateway, password: str) -> None:
        client = with_token(gateway, "a.b.c")
        assert client.post(USER, json={"email": "ana@ex.org", "password": password}).status_code == 200

    def test_the_role_of_the_app_is_told(self, gateway: Gateway, ana: User, password: str) -> None:
        role, other = gateway.create_role([], name="reader"), gateway.create_role([], name="other")
        app, second = gateway.create_app(other), gateway.create_app(other)
        body = {"email": "ana@ex.org", "password": password}
        assert gateway.with_key(app["api_key"]).post(USER, json=body).json()["role"] == "other"
        link(gateway, ana, app, role)
        for one in (app, second):
            # Any assignment is better than the app's default role (system-api 10.4).
            content = gateway.with_key(one["api_key"]).post(USER, json=body).json()
            assert (content["role"], content["role_id"]) == ("reader", role)
        assert "role" not in gateway.anonymous.post(USER, json=body).json()

    def test_an_inactive_role_closes_the_door(self, gateway: Gateway, password: str) -> None:
        app = gateway.create_app(gateway.create_role([], is_active=False))
        reply = gateway.with_key(app["api_key"]).post(USER, json={"email": "ana@ex.org", "password": password})
        assert message(reply, 403) == "Role is not active."

    def test_many_failures_are_refused_for_a_while(self, gateway: Gateway, password: str) -> None:
        """D2."""
        body = {"email": "ana@ex.org", "password": "wrong"}
        for _ in range(gateway.app.settings.login_attempts):
            assert gateway.anonymous.post(USER, json=body).status_code == 401
        reply = gateway.anonymous.post(USER, json={**body, "password": password})
        assert "Too many failed logins" in message(reply, 429)
        assert int(reply.headers["Retry-After"]) > 0

    def test_the_login_date_is_written_and_a_code_forgotten(self, gateway: Gateway, ana: User, password: str) -> None:
        mine = tables.user.c.id == ana.id
        change = sa.update(tables.user).where(mine).values(confirm_code="CODE")
        gateway.app.database.change(lambda connection: connection.execute(change))
        logged_in(gateway, USER, "ana@ex.org", password)
        query = sa.select(tables.user.c.last_login_date, tables.user.c.confirm_code).where(mine)
        date, code = gateway.app.database.read(lambda connection: tuple(connection.execute(query).one()))
        assert (date is not None, code) == (True, None)

    def test_by_username_where_that_is_set(self, tmp_path: Any, password: str) -> None:
        with Gateway(settings_for(tmp_path, login_attribute="username")) as started:
            started.create_user("x@ex.org", password, username="some.name")
            said = started.anonymous.post(USER, json={"username": "Some.Name", "password": password})
            assert said.status_code == 200
            only = started.anonymous.post(USER, json={"email": "x@ex.org", "password": password})
            assert message(only, 400) == "Login request is missing required username."
            payload = started.anonymous.get("/system/environment").json()["authentication"]["user"]["payload"]
            assert "username" in payload


class TestLooking:
    def test_the_session_is_shown(self, gateway: Gateway, ana: User, password: str) -> None:
        client = logged_in(gateway, USER, "ana@ex.org", password)
        content = client.get(USER).json()
        assert content["session_token"] == client.headers["X-DreamFactory-Session-Token"]
        assert content["id"] == ana.id
        assert content["last_login_date"]

    def test_nobody_is_told_so(self, gateway: Gateway) -> None:
        told = "There is no valid session for the current request."
        assert message(gateway.anonymous.get(USER), 401) == told
        assert message(gateway.anonymous.get(USER, headers={"Authorization": ""}), 401) == told
        assert message(gateway.key_for([]).get(USER), 401) == told
        assert message(gateway.anonymous.get(ADMIN), 404) == "No user session found."

    def test_administrators_may_look_at_both(self, gateway: Gateway, password: str) -> None:
        client = logged_in(gateway, ADMIN, "boss@ex.org", password)
        assert client.get(USER).json()["is_sys_admin"] is True
        assert client.get(ADMIN).json()["is_sys_admin"] is True
        other = logged_in(gateway, USER, "ana@ex.org", password)
        assert message(other.get(ADMIN), 401) == "You are not authorized to perform this action."

    @pytest.mark.parametrize("path", [USER, ADMIN])
    def test_what_is_not_supported(self, gateway: Gateway, path: str) -> None:
        assert "PATCH requests for resource" in message(gateway.admin.patch(path, json={}), 400)
        for method in ("GET", "POST", "PUT", "DELETE"):
            reply = gateway.admin.request(method, f"{path}/4", json={"email": "a@b.c", "password": "x"})
            assert f"{method} requests for resource" in message(reply, 400)
        asked = gateway.admin.get(path, params={"service": "x"})
        assert message(asked, 400) == "Invalid login service provided. Please use an OAuth service."

    def test_a_bad_token_is_told_though_the_path_is_open(self, gateway: Gateway) -> None:
        assert message(with_token(gateway, "rubbish").get(USER), 401).startswith("Invalid token: ")


class TestRefreshing:
    @pytest.mark.parametrize("path", [USER, ADMIN])
    def test_a_new_token_for_the_old_one_which_dies_at_once(self, gateway: Gateway, path: str, password: str) -> None:
        old = logged_in(gateway, USER, "ana@ex.org", password)
        reply = old.put(path)
        assert reply.status_code == 200
        new = with_token(gateway, reply.json()["session_token"])
        assert new.get(USER).status_code == 200
        assert message(old.get(USER), 403) == BLACKLISTED
        assert message(old.put(path), 401) == "Token refresh failed. The token has been blacklisted"

    def test_every_place_of_a_token_will_do(self, gateway: Gateway, ana: User) -> None:
        issue = gateway.app.sessions.issue
        for more in (
            {"headers": {"Authorization": f"Bearer {issue(ana)}"}},
            {"params": {"session_token": issue(ana)}},
            {"json": {"session_token": issue(ana)}},
        ):
            assert gateway.anonymous.put(USER, **more).status_code == 200, more

    def test_an_expired_token_can_be_exchanged_within_the_window(
        self, gateway: Gateway, ana: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = gateway.as_user(ana)
        now, settings = time.time(), gateway.app.settings
        monkeypatch.setattr("trunkline.sessions.time.time", lambda: now + settings.jwt_ttl * 60 + 1)
        expired = "Token has expired: Session expired. Please refresh your token (if still within refresh window)"
        assert message(client.get(USER), 401).startswith(expired)
        assert message(client.delete(USER), 401).startswith(expired)
        reply = client.put(USER)
        assert reply.status_code == 200
        fresh = with_token(gateway, reply.json()["session_token"])
        assert fresh.get(USER).status_code == 200
        # The window is counted from the first login, through any number of refreshes (9.2).
        monkeypatch.setattr("trunkline.sessions.time.time", lambda: now + settings.jwt_refresh_ttl * 60 + 1)
        told = "Token refresh failed. Token has expired and can no longer be refreshed"
        assert message(fresh.put(USER), 401) == told

    def test_what_is_no_token_is_told(self, gateway: Gateway) -> None:
        assert message(gateway.anonymous.put(USER), 401) == "Token refresh failed. Token not provided"
        assert message(with_token(gateway, "x").put(USER), 401) == "Token refresh failed. Wrong number of segments"
        assert "Token refresh failed. " in message(with_token(gateway, "a.b.c").put(USER), 401)


class TestLoggingOut:
    @pytest.mark.parametrize("path", [USER, ADMIN])
    def test_the_token_is_dead_afterwards(self, gateway: Gateway, path: str, password: str) -> None:
        client = logged_in(gateway, USER, "ana@ex.org", password)
        assert client.delete(path).json() == {"success": True}
        assert message(client.get(USER), 403) == BLACKLISTED
        assert message(client.delete(USER), 403) == BLACKLISTED

    @pytest.mark.parametrize("path", [USER, ADMIN])
    def test_without_a_session_there_is_nothing_to_do(self, gateway: Gateway, path: str) -> None:
        assert gateway.anonymous.delete(path).json() == {"success": True}

    def test_other_sessions_of_the_same_user_go_on(self, gateway: Gateway, password: str) -> None:
        one, two = (logged_in(gateway, USER, "ana@ex.org", password) for _ in range(2))
        one.delete(USER)
        assert two.get(USER).status_code == 200


class TestForeverSessions:
    def test_remember_me_moves_the_window_where_that_is_allowed(self, tmp_path: Any, password: str) -> None:
        with Gateway(settings_for(tmp_path, forever_sessions=True)) as started:
            user = started.create_user("x@ex.org", password)
            body = {"email": "x@ex.org", "password": password, "remember_me": True}
            token = started.anonymous.post(USER, json=body).json()["session_token"]
            assert started.app.sessions._claims(token)["forever"] is True
            old = started.app.sessions.issue(user, forever=True, issued=int(time.time()) - 1000)
            fresh = with_token(started, old).put(USER).json()["session_token"]
            assert started.app.sessions._claims(fresh)["iat"] >= time.time() - 100

    def test_elsewhere_it_means_nothing(self, gateway: Gateway, password: str) -> None:
        client = logged_in(gateway, USER, "ana@ex.org", password, remember_me=True)
        assert gateway.app.sessions._claims(client.headers["X-DreamFactory-Session-Token"])["forever"] is False
