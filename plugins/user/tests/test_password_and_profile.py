"""Passwords and profiles of the caller, on both endpoints (system-api 8.5 and 8.6)."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline.db.records import User
from trunkline.testing import Client, Gateway

NEW = "another long enough password"
ENDPOINTS = [("/user", "ana@ex.org"), ("/system/admin", "boss@ex.org")]


@pytest.fixture
def gateway(fresh_gateway: Gateway, ana: User, boss: User) -> Gateway:
    """A gateway that knows a user and an administrator."""
    return fresh_gateway


def message(reply: Any, status: int) -> str:
    assert reply.status_code == status, reply.text
    return str(reply.json()["error"]["message"])


def session_of(gateway: Gateway, base: str, email: str, password: str) -> Client:
    reply = gateway.anonymous.post(f"{base}/session", json={"email": email, "password": password})
    assert reply.status_code == 200, reply.text
    return Client(gateway._http, {"X-DreamFactory-Session-Token": reply.json()["session_token"]})


@pytest.mark.parametrize(("base", "email"), ENDPOINTS)
class TestPassword:
    def test_a_change_ends_every_earlier_session(self, gateway: Gateway, base: str, email: str, password: str) -> None:
        clients = [session_of(gateway, base, email, password) for _ in range(2)]
        reply = clients[0].post(f"{base}/password", json={"old_password": password, "new_password": NEW})
        assert (reply.status_code, reply.json()) == (200, {"success": True})
        for client in clients:
            assert "blacklisted" in message(client.get(f"{base}/session"), 403)
        old = gateway.anonymous.post(f"{base}/session", json={"email": email, "password": password})
        assert old.status_code == 401
        session_of(gateway, base, email, NEW)

    def test_login_gives_a_new_session(self, gateway: Gateway, base: str, email: str, password: str) -> None:
        client = session_of(gateway, base, email, password)
        body = {"old_password": password, "new_password": NEW}
        reply = client.post(f"{base}/password", params={"login": "true"}, json=body).json()
        fresh = Client(gateway._http, {"X-DreamFactory-Session-Token": reply["session_token"]})
        assert fresh.get(f"{base}/session").status_code == 200

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ({}, "Not enough information provided to change password."),
            (None, "Not enough information provided to change password."),
            ({"old_password": "x"}, "Both old and new password are required to change the password."),
            ({"new_password": NEW}, "Both old and new password are required to change the password."),
            ({"old_password": "", "new_password": NEW}, "Both old and new password are required"),
            ({"old_password": ["x"], "new_password": NEW}, "Both old and new password are required"),
            ({"old_password": "wrong", "new_password": NEW}, "The password supplied does not match."),
            ({"old_password": "a long enough password", "new_password": "short"}, "at least 16 characters"),
        ],
    )
    def test_what_does_not_do(
        self, gateway: Gateway, base: str, email: str, password: str, body: Any, told: str
    ) -> None:
        """D18: the length that counts when an administrator makes a user counts here too."""
        client = session_of(gateway, base, email, password)
        assert told in message(client.post(f"{base}/password", json=body), 400)
        assert client.get(f"{base}/session").status_code == 200

    def test_without_a_session_nothing_is_said_about_anybody(
        self, gateway: Gateway, base: str, email: str, password: str
    ) -> None:
        for body in ({"old_password": password, "new_password": NEW}, {"email": email, "new_password": NEW}):
            told = message(gateway.anonymous.post(f"{base}/password", json=body), 400)
            assert told == "Not enough information provided to change password."

    def test_reading_and_deleting_are_refused(self, gateway: Gateway, base: str, email: str, password: str) -> None:
        for method in ("GET", "DELETE"):
            assert gateway.anonymous.request(method, f"{base}/password").status_code == 400
            assert "not currently supported" in message(gateway.admin.request(method, f"{base}/password"), 400)


def test_the_other_kind_of_account_is_refused(gateway: Gateway, ana: User, boss: User, password: str) -> None:
    body = {"old_password": password, "new_password": NEW}
    for base, user in (("/user", boss), ("/system/admin", ana)):
        told = message(gateway.as_user(user).post(f"{base}/password", json=body), 401)
        assert told == f"You are not authorized to reset/change password for the account {user.email}"


@pytest.mark.parametrize(("base", "email"), ENDPOINTS)
class TestProfile:
    def test_it_has_the_recorded_fields(self, gateway: Gateway, base: str, email: str, password: str) -> None:
        content = session_of(gateway, base, email, password).get(f"{base}/profile").json()
        assert set(content) == {
            "username", "first_name", "last_name", "name", "email", "phone", "security_question", "default_app_id",
            "oauth_provider", "adldap",
        }  # fmt: skip
        assert (content["email"], content["oauth_provider"], content["adldap"]) == (email, "", "")

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
    def test_it_can_be_changed(self, gateway: Gateway, base: str, email: str, password: str, method: str) -> None:
        client = session_of(gateway, base, email, password)
        change = {"first_name": "Eva", "phone": "123", "security_question": "colour?", "security_answer": "blue"}
        reply = client.request(method, f"{base}/profile", json={**change, "email": email})
        assert (reply.status_code, reply.json()) == (200, {"success": True})
        after = client.get(f"{base}/profile").json()
        assert (after["first_name"], after["phone"], after["security_question"]) == ("Eva", "123", "colour?")
        assert "security_answer" not in after

    def test_nothing_else_can_be_changed_by_it(self, gateway: Gateway, base: str, email: str, password: str) -> None:
        """Checklist 14."""
        client = session_of(gateway, base, email, password)
        sent = {
            "is_sys_admin": base == "/user", "is_active": False, "password": NEW, "id": 99, "token_epoch": 9,
            "confirm_code": "x", "user_to_app_to_role_by_user_id": [{"app_id": 1, "role_id": 1}], "name": "N",
            "lookup_by_user_id": [{"name": "x", "value": "y"}], "created_by_id": 99,
        }  # fmt: skip
        before = client.get(f"{base}/session").json()
        assert client.post(f"{base}/profile", json=sent).status_code == 200
        after = client.get(f"{base}/session").json()
        assert {name: after[name] for name in ("id", "is_sys_admin", "email")} == {
            name: before[name] for name in ("id", "is_sys_admin", "email")
        }
        resource = "admin" if base == "/system/admin" else "user"
        shown = gateway.admin.get(f"/system/{resource}/{after['id']}", params={"related": "*"}).json()
        assert (shown["is_active"], shown["lookup_by_user_id"], shown["name"]) == (True, [], "N")
        assert shown["user_to_app_to_role_by_user_id"] == []
        session_of(gateway, base, email, password)

    def test_another_address_needs_the_password_and_gives_a_new_token(
        self, gateway: Gateway, base: str, email: str, password: str
    ) -> None:
        client = session_of(gateway, base, email, password)
        path = f"{base}/profile"
        assert (
            message(client.post(path, json={"email": "new@ex.org"}), 400) == "Current Password required to change email"
        )
        wrong = {"email": "new@ex.org", "current_password": "wrong"}
        assert message(client.post(path, json=wrong), 400) == "The password supplied does not match."
        reply = client.post(path, json={"email": "new@ex.org", "current_password": password}).json()
        assert set(reply) == {"success", "session_token"}
        assert message(client.get(f"{base}/session"), 401) == "Invalid token: User verification failed."
        fresh = Client(gateway._http, {"X-DreamFactory-Session-Token": reply["session_token"]})
        assert fresh.get(path).json()["email"] == "new@ex.org"
        session_of(gateway, base, "new@ex.org", password)

    def test_a_taken_or_impossible_address_is_refused(
        self, gateway: Gateway, base: str, email: str, password: str
    ) -> None:
        client = session_of(gateway, base, email, password)
        for taken in ("ADMIN@example.com", "no address", "", None):
            body = {"email": taken, "current_password": password}
            reply = client.post(f"{base}/profile", json=body)
            assert set(reply.json()["error"]["context"]) == {"email"}, reply.text
        assert client.get(f"{base}/session").status_code == 200

    def test_what_does_not_do(self, gateway: Gateway, base: str, email: str, password: str) -> None:
        client = session_of(gateway, base, email, password)
        for body in (None, {}, [], [{"name": "x"}], "text"):
            assert message(client.post(f"{base}/profile", json=body), 400) == "No data supplied for operation."
        assert client.get(f"{base}/profile/more").status_code == 400
        assert client.delete(f"{base}/profile").status_code == 400


def test_a_profile_needs_a_session(gateway: Gateway, ana: User) -> None:
    told = "There is no valid session for the current request."
    assert message(gateway.anonymous.get("/user/profile"), 401) == told
    assert message(gateway.anonymous.post("/user/profile", json={"name": "x"}), 404) == "No user session found."
    rows = [{"service": "system", "component": "admin/*", "verb_mask": 31}]
    app = gateway.create_app(gateway.create_role(rows))
    for method in ("GET", "POST"):
        client = gateway.as_user(ana, app["api_key"])
        reply = client.request(method, "/system/admin/profile", json={"name": "x"})
        assert message(reply, 401) == "You are not authorized to perform this action."


def test_the_root_lists_what_there_is(gateway: Gateway) -> None:
    assert set(gateway.admin.get("/user", params={"as_list": "true"}).json()["resource"]) >= {
        "password", "profile", "session",
    }  # fmt: skip
    assert gateway.anonymous.get("/user").status_code == 400
