"""People who register themselves (system-api 8.7)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest
import sqlalchemy as sa

from trunkline.db import tables
from trunkline.testing import Gateway
from trunkline_email.testing import Inbox

PASSWORD = "a long enough password"
FORM = {"email": "eva@ex.org", "first_name": "Eva", "last_name": "Berg", "password": PASSWORD}
OFF = "Open Registration is not enabled."


def configured(gateway: Gateway, **config: Any) -> Any:
    record = gateway.admin.get("/system/service/user").json()
    return gateway.admin.patch(f"/system/service/{record['id']}", json={"config": config})


@pytest.fixture
def gateway(fresh_gateway: Gateway) -> Gateway:
    """A gateway where anybody may register."""
    assert configured(fresh_gateway, allow_open_registration=True).status_code == 200
    return fresh_gateway


def message(reply: Any, status: int) -> str:
    assert reply.status_code == status, reply.text
    return str(reply.json()["error"]["message"])


def register(gateway: Gateway, params: dict[str, str] | None = None, **form: Any) -> Any:
    return gateway.anonymous.post("/user/register", params=params, json=form)


def users(gateway: Gateway) -> list[dict[str, Any]]:
    params = {"related": "user_to_app_to_role_by_user_id", "filter": "id > 1"}
    found: list[dict[str, Any]] = gateway.admin.get("/system/user", params=params).json()["resource"]
    return found


class TestWithoutMail:
    def test_the_account_is_there_at_once(self, gateway: Gateway) -> None:
        reply = register(gateway, **FORM, phone="123", security_question="q?", security_answer="a", username="eva.berg")
        assert (reply.status_code, reply.json()) == (200, {"success": True})
        (user,) = users(gateway)
        expected = {
            "name": "Eva Berg", "email": "eva@ex.org", "username": "eva.berg", "phone": "123", "confirmed": True,
            "is_active": True, "security_question": "q?",
        }  # fmt: skip
        assert {name: user[name] for name in expected} == expected
        body = {"email": "eva@ex.org", "password": PASSWORD}
        assert gateway.anonymous.post("/user/session", json=body).json()["is_sys_admin"] is False

    def test_names_come_from_the_address_where_there_are_none(self, gateway: Gateway) -> None:
        assert register(gateway, email="eva@ex.org", new_password=PASSWORD).status_code == 200
        (user,) = users(gateway)
        assert (user["name"], user["first_name"], user["last_name"]) == ("eva", "eva", "eva")

    def test_login_may_follow_at_once(self, gateway: Gateway) -> None:
        token = register(gateway, {"login": "true"}, **FORM).json()["session_token"]
        headers = {"X-DreamFactory-Session-Token": token}
        assert gateway.anonymous.get("/user/session", headers=headers).json()["email"] == "eva@ex.org"

    @pytest.mark.parametrize(
        ("change", "fields"),
        [
            ({"email": None}, {"email"}),
            ({"email": "no address"}, {"email"}),
            ({"email": "admin@EXAMPLE.com"}, {"email"}),
            ({"password": None}, {"password"}),
            ({"password": "short"}, {"password"}),
            ({"password_confirmation": "another"}, {"password"}),
            ({"username": "x y"}, {"username"}),
            ({"phone": "1" * 99}, {"phone"}),
            ({"email": None, "password": None}, {"email", "password"}),
        ],
    )
    def test_what_does_not_do(self, gateway: Gateway, change: dict[str, Any], fields: set[str]) -> None:
        """D18 among others."""
        reply = register(gateway, **{**FORM, **change})
        assert message(reply, 400) == "Validation failed"
        assert set(reply.json()["error"]["context"]) == fields
        assert users(gateway) == []

    def test_a_taken_address_is_told_in_the_recorded_words(self, gateway: Gateway) -> None:
        reply = register(gateway, **{**FORM, "email": "admin@example.com"})
        assert reply.json()["error"]["context"] == {"email": ["The email has already been taken."]}

    def test_nothing_else_is_taken_from_the_form(self, gateway: Gateway) -> None:
        """Checklist 14."""
        more = {
            "is_sys_admin": True, "id": 77, "is_active": False, "confirm_code": "y", "token_epoch": 5,
            "user_to_app_to_role_by_user_id": [{"app_id": 1, "role_id": 1}], "default_app_id": 1,
            "lookup_by_user_id": [{"name": "a", "value": "b"}], "created_by_id": 1,
        }  # fmt: skip
        assert register(gateway, **FORM, **more).status_code == 200
        (user,) = users(gateway)
        assert (user["is_active"], user["default_app_id"], user["created_by_id"]) == (True, None, None)
        assert user["user_to_app_to_role_by_user_id"] == []
        assert user["id"] != 77

    def test_roles_are_given_by_app(self, gateway: Gateway) -> None:
        plain, special = gateway.create_role([]), gateway.create_role([])
        one, two = gateway.create_app()["id"], gateway.create_app()["id"]
        rows = [{"app_id": two, "role_id": special}, {"app_id": 999, "role_id": special}]
        assert configured(gateway, open_reg_role_id=plain, app_role_map=rows).status_code == 200
        shown = gateway.admin.get("/system/service/user").json()["config"]["app_role_map"]
        assert shown == rows
        assert register(gateway, **FORM).status_code == 200
        (user,) = users(gateway)
        given = {row["app_id"]: row["role_id"] for row in user["user_to_app_to_role_by_user_id"]}
        assert given == {one: plain, two: special}

    def test_other_verbs_are_refused(self, gateway: Gateway) -> None:
        for method in ("GET", "PUT", "DELETE"):
            assert "not currently supported" in message(gateway.admin.request(method, "/user/register"), 400)
        assert gateway.admin.post("/user/register/more", json=FORM).status_code == 400


def test_it_is_off_unless_it_is_switched_on(fresh_gateway: Gateway) -> None:
    """And then it does not tell who has an account."""
    assert message(register(fresh_gateway, **FORM), 403) == OFF
    assert message(register(fresh_gateway, **{**FORM, "email": "admin@example.com"}), 403) == OFF
    assert message(register(fresh_gateway, email=""), 400) == "Validation failed"
    shown = fresh_gateway.anonymous.get("/system/environment").json()["authentication"]
    assert shown["allow_open_registration"] is False


class TestWithMail:
    @pytest.fixture
    def gateway(self, gateway: Gateway, mail: int) -> Gateway:
        """A gateway where those who register must confirm."""
        return gateway

    def test_the_address_is_confirmed_first(self, gateway: Gateway, inbox: Inbox) -> None:
        form = {**FORM, "first_name": "<b>Eva</b>\r\nBcc: spy@ex.org {confirm_code}"}
        reply = register(gateway, {"login": "true"}, **form, security_question="q?", security_answer="a")
        assert reply.json() == {"success": True, "confirmation_required": True}
        assert inbox.envelope.rcpt_tos == ["eva@ex.org"]
        text, rich = inbox.body(), inbox.body("html")
        # Checklist 7: what a stranger chose as a name is neither markup nor a template in a mail of ours.
        assert "Hello <b>Eva</b> Bcc: spy@ex.org {confirm_code},\n" in text
        assert "Hello &lt;b&gt;Eva&lt;/b&gt; Bcc" in rich
        (link,) = [line for line in text.splitlines() if line.startswith("http")]
        assert link.startswith("http://localhost/dreamfactory/dist/index.html#/auth/register-confirm?code=")
        code = parse_qs(link.partition("?")[2])["code"][0]
        (user,) = users(gateway)
        assert (user["confirmed"], user["expired"], user["security_question"]) == (False, False, None)
        credentials = {"email": "eva@ex.org", "password": PASSWORD}
        # The password of the form counts for nothing: whoever filled it in need not be who reads the mail.
        assert gateway.anonymous.post("/user/session", json=credentials).status_code == 401
        answer = {"email": "eva@ex.org", "security_answer": "a", "new_password": PASSWORD}
        assert gateway.anonymous.post("/user/password", json=answer).status_code == 400
        body = {"email": "eva@ex.org", "code": code, "new_password": PASSWORD}
        assert gateway.anonymous.post("/user/password", json=body).json() == {"success": True}
        assert gateway.anonymous.post("/user/session", json=credentials).status_code == 200
        assert users(gateway)[0]["confirmed"] is True

    def test_no_password_is_needed(self, gateway: Gateway, inbox: Inbox) -> None:
        assert register(gateway, email="eva@ex.org").json() == {"success": True}
        assert len(inbox.envelopes) == 1

    def test_the_template_is_that_of_the_configuration(self, gateway: Gateway, inbox: Inbox) -> None:
        record = {"name": "mine", "subject": "Hi {name}", "body_text": "{link} {confirm_code} {app_name}"}
        found = gateway.admin.post("/system/email_template", json={"resource": [record]}).json()["resource"][0]["id"]
        assert configured(gateway, open_reg_email_template_id=found).status_code == 200
        assert register(gateway, **FORM).status_code == 200
        assert inbox.mail["Subject"] == "Hi Eva Berg"
        assert inbox.body().endswith(" Trunkline")

    def test_an_account_whose_mail_fails_is_not_kept(self, gateway: Gateway, inbox: Inbox) -> None:
        told = message(register(gateway, **{**FORM, "email": "nobody@ex.org"}), 400)
        assert "nobody@ex.org" in told
        inbox.stop()
        reply = register(gateway, **FORM)
        message(reply, 503)
        assert int(reply.headers["Retry-After"]) > 0
        assert users(gateway) == []
        links = sa.select(sa.func.count()).select_from(tables.user_to_app_to_role)
        assert gateway.app.database.read(lambda connection: connection.scalar(links)) == 0

    def test_mails_to_one_address_are_limited(self, gateway: Gateway, inbox: Inbox) -> None:
        statuses = [register(gateway, **{**FORM, "email": "nobody@ex.org"}).status_code for _ in range(11)]
        assert statuses == [400] * gateway.app.settings.login_attempts + [429]

    def test_a_service_that_is_gone_opens_nothing(self, gateway: Gateway, mail: int) -> None:
        assert gateway.admin.delete(f"/system/service/{mail}").status_code == 200
        assert message(register(gateway, **FORM), 500) == "No email service configured for open registration."
        assert users(gateway) == []
