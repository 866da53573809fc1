"""Forgotten passwords: by a code from a mail, or by the security answer (system-api 8.5; checklist 18)."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import pytest
import sqlalchemy as sa

from trunkline import passwords
from trunkline.db import tables
from trunkline.db.records import User
from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for
from trunkline_email.testing import Inbox

NEW = "another long enough password"
ENDPOINTS = [("/user", "ana@ex.org"), ("/system/admin", "boss@ex.org")]
UNKNOWN = "The supplied email and/or confirmation code were not found in the system."
NO_MATCH = "The answer supplied does not match."
NO_MAIL = "No security question found or email confirmation available for this user. Please contact your administrator."


@pytest.fixture
def gateway(fresh_gateway: Gateway, ana: User, boss: User, mail: int) -> Gateway:
    """A gateway with a user, an administrator and mail."""
    return fresh_gateway


def message(reply: Any, status: int) -> str:
    assert reply.status_code == status, reply.text
    return str(reply.json()["error"]["message"])


def arrived(inbox: Inbox) -> dict[str, str]:
    """Wait for the mail that follows a reply; answer its link's parameters."""
    ends = time.monotonic() + 10
    while not inbox.envelopes and time.monotonic() < ends:
        time.sleep(0.01)
    body = inbox.body()
    (link,) = [line for line in body.splitlines() if line.startswith("http")]
    page, _, query = link.partition("?")
    found = {name: values[0] for name, values in parse_qs(query).items()} | {"page": page}
    assert f"The code is {found['code']}." in body
    inbox.empty()
    return found


def asked(gateway: Gateway, base: str, **body: Any) -> Any:
    return gateway.anonymous.post(f"{base}/password", params={"reset": "true"}, json=body)


def confirmed(gateway: Gateway, base: str, **body: Any) -> Any:
    return gateway.anonymous.post(f"{base}/password", json={"new_password": NEW, **body})


def stored(gateway: Gateway, user: User) -> dict[str, Any]:
    query = sa.select(tables.user).where(tables.user.c.id == user.id)
    return dict(gateway.app.database.read(lambda connection: connection.execute(query).mappings().one()))


def with_question(gateway: Gateway, user: User, question: str = "colour?", answer: str = "blue") -> None:
    body = {"security_question": question, "security_answer": answer}
    assert gateway.as_user(user).post("/user/profile", json=body).status_code == 200


@pytest.mark.parametrize(("base", "email"), ENDPOINTS)
class TestByCode:
    def test_the_whole_way(self, gateway: Gateway, inbox: Inbox, base: str, email: str, password: str) -> None:
        credentials = {"email": email, "password": password}
        before = gateway.anonymous.post(f"{base}/session", json=credentials).json()["session_token"]
        reply = asked(gateway, base, email=email)
        assert (reply.status_code, reply.json()) == (200, {"success": True})
        link = arrived(inbox)
        assert link["page"] == "http://localhost/dreamfactory/dist/index.html#/auth/reset-password"
        assert link["email"] == email
        assert (len(link["code"]), link["code"].isalnum(), link["code"].upper()) == (32, True, link["code"])
        # Until the code comes back nothing has happened.
        assert gateway.anonymous.post(f"{base}/session", json=credentials).status_code == 200
        asked(gateway, base, email=email)
        code = arrived(inbox)["code"]
        assert confirmed(gateway, base, email=email, code=code).json() == {"success": True}
        assert gateway.anonymous.post(f"{base}/session", json=credentials).status_code == 401
        assert gateway.anonymous.post(f"{base}/session", json={**credentials, "password": NEW}).status_code == 200
        old = gateway.anonymous.get(f"{base}/session", headers={"X-DreamFactory-Session-Token": before})
        assert old.status_code == 403, "tokens die with the password"

    def test_a_code_is_good_once(
        self, gateway: Gateway, inbox: Inbox, base: str, email: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also for two who come with it at the same time: both have been judged before either writes."""
        asked(gateway, base, email=email)
        code = arrived(inbox)["code"]
        both, hashed = threading.Barrier(2, timeout=10), passwords.hashed

        def together(password: str) -> str:
            both.wait()
            return hashed(password)

        monkeypatch.setattr("trunkline.passwords.hashed", together)
        with ThreadPoolExecutor(2) as pool:
            replies = list(pool.map(lambda _n: confirmed(gateway, base, email=email, code=code).status_code, range(2)))
        assert sorted(replies) == [200, 404]
        assert message(confirmed(gateway, base, email=email, code=code), 404) == UNKNOWN

    def test_a_newer_code_ends_an_older_one(self, gateway: Gateway, inbox: Inbox, base: str, email: str) -> None:
        asked(gateway, base, email=email)
        first = arrived(inbox)["code"]
        asked(gateway, base, email=email)
        second = arrived(inbox)["code"]
        assert confirmed(gateway, base, email=email, code=first).status_code == 404
        assert confirmed(gateway, base, email=email, code=second).status_code == 200

    def test_a_code_ends(self, gateway: Gateway, inbox: Inbox, base: str, email: str) -> None:
        """``DF_CONFIRM_CODE_TTL`` is in seconds."""
        asked(gateway, base, email=email)
        code = arrived(inbox)["code"]
        user = gateway.create_user(email)
        digest, _, ends = stored(gateway, user)["confirm_code"].partition(":")
        assert abs(int(ends) - time.time() - gateway.app.settings.confirm_code_ttl) < 60
        change = sa.update(tables.user).where(tables.user.c.id == user.id)
        change = change.values(confirm_code=f"{digest}:{int(time.time())}")
        gateway.app.database.change(lambda connection: connection.execute(change))
        kind = "admin" if "admin" in base else "user"
        (record,) = gateway.admin.get(f"/system/{kind}", params={"filter": f'email="{email}"'}).json()["resource"]
        assert (record["confirmed"], record["expired"]) == (False, True)
        assert message(confirmed(gateway, base, email=email, code=code), 400) == "Confirmation code expired."
        # That it is expired is only said to who has it.
        assert message(confirmed(gateway, base, email=email, code="A" * 32), 404) == UNKNOWN

    def test_nobody_learns_who_has_an_account(self, gateway: Gateway, inbox: Inbox, base: str, email: str) -> None:
        """Checklist 17: the same reply for everybody."""
        known, unknown = asked(gateway, base, email=email), asked(gateway, base, email="nobody@ex.org")
        assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
        arrived(inbox)
        for name in (email, "nobody@ex.org"):
            assert message(confirmed(gateway, base, email=name, code="A" * 32), 404) == UNKNOWN
            assert message(confirmed(gateway, base, email=name, security_answer="x"), 400) == NO_MATCH

    def test_the_mail_goes_out_after_the_reply(self, gateway: Gateway, inbox: Inbox, base: str, email: str) -> None:
        """Checklist 17: so a reply does not take longer for those who have an account, nor tell that mail fails."""
        inbox.stop()
        assert asked(gateway, base, email=email).json() == {"success": True}

    def test_login_may_follow_at_once(self, gateway: Gateway, inbox: Inbox, base: str, email: str) -> None:
        asked(gateway, base, email=email)
        body = {"email": email, "code": arrived(inbox)["code"], "new_password": NEW}
        reply = gateway.anonymous.post(f"{base}/password", params={"login": "true"}, json=body).json()
        headers = {"X-DreamFactory-Session-Token": reply["session_token"]}
        assert gateway.anonymous.get(f"{base}/session", headers=headers).json()["email"] == email

    def test_what_does_not_do(self, gateway: Gateway, inbox: Inbox, base: str, email: str) -> None:
        asked(gateway, base, email=email)
        code = arrived(inbox)["code"]
        for body, told in (
            ({"code": code, "email": ""}, "Missing required email for password reset confirmation."),
            ({"code": code, "email": email, "new_password": ""}, "Missing new password for reset."),
            ({"code": "y", "email": email}, "Invalid confirmation code format."),
            ({"code": f"{code[:31]}\0", "email": email}, "Invalid confirmation code format."),
            ({"code": ["x"], "email": email}, "Invalid confirmation code format."),
        ):
            assert message(confirmed(gateway, base, **body), 400) == told
        # D18.
        short = confirmed(gateway, base, code=code, email=email, new_password="short")
        assert "at least 16 characters" in message(short, 400)
        assert message(confirmed(gateway, base, code=code.lower(), email=email), 404) == UNKNOWN
        assert confirmed(gateway, base, code=code, email=email.upper()).status_code == 200

    def test_guesses_are_limited(self, gateway: Gateway, inbox: Inbox, base: str, email: str) -> None:
        """Checklist 18: together with failed logins."""
        asked(gateway, base, email=email)
        code = arrived(inbox)["code"]
        statuses = [confirmed(gateway, base, email=email, code=f"{n:032}").status_code for n in range(11)]
        assert statuses == [404] * gateway.app.settings.login_attempts + [429]
        assert message(confirmed(gateway, base, email=email, code=code), 429)
        assert gateway.anonymous.post(f"{base}/session", json={"email": email, "password": "x"}).status_code == 429
        with ThreadPoolExecutor(8) as pool:
            unknown = {"email": "nobody@ex.org", "security_answer": "x"}
            found = list(pool.map(lambda _n: confirmed(gateway, base, **unknown).status_code, range(16)))
        assert sorted(found) == [400] * gateway.app.settings.login_attempts + [429] * 6

    def test_mails_are_limited(self, gateway: Gateway, inbox: Inbox, base: str, email: str) -> None:
        found = {name: [asked(gateway, base, email=name).status_code for _ in range(11)] for name in (email, "x@y.z")}
        assert set(map(tuple, found.values())) == {(*[200] * gateway.app.settings.login_attempts, 429)}


def test_codes_are_kept_as_digests(gateway: Gateway, inbox: Inbox, ana: User) -> None:
    asked(gateway, "/user", email="ana@ex.org")
    code = arrived(inbox)["code"]
    kept = stored(gateway, ana)["confirm_code"]
    assert code not in kept
    # What somebody reads in the database is no code.
    assert confirmed(gateway, "/user", email="ana@ex.org", code=kept[:32]).status_code == 404


def test_the_link_does_not_follow_the_host_header(gateway: Gateway, inbox: Inbox) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    body = {"email": "ana@ex.org"}
    gateway.anonymous.post("/user/password", params={"reset": "true"}, json=body, headers=headers)
    assert arrived(inbox)["page"].startswith("http://localhost/")


def test_by_username_too(gateway: Gateway, inbox: Inbox) -> None:
    assert asked(gateway, "/user", username="ana.ruiz").status_code == 200
    link = arrived(inbox)
    assert (link["email"], link["username"]) == ("ana@ex.org", "ana.ruiz")
    assert confirmed(gateway, "/user", username="Ana.Ruiz", code=link["code"]).status_code == 200


def test_the_other_kind_of_account(gateway: Gateway, inbox: Inbox, ana: User) -> None:
    """Clients ask ``user`` first and then ``system/admin``: the mail goes out, and the code tells which is right."""
    assert asked(gateway, "/user", email="boss@ex.org").json() == {"success": True}
    code = arrived(inbox)["code"]
    told = message(confirmed(gateway, "/user", email="boss@ex.org", code=code), 401)
    assert told == "You are not authorized to reset/change password for the account boss@ex.org"
    assert confirmed(gateway, "/system/admin", email="boss@ex.org", code=code).status_code == 200


def test_an_inactive_account_gets_nothing(gateway: Gateway, inbox: Inbox, ana: User) -> None:
    asked(gateway, "/user", email="ana@ex.org")
    code = arrived(inbox)["code"]
    gateway.admin.patch(f"/system/user/{ana.id}", json={"is_active": False})
    assert asked(gateway, "/user", email="ana@ex.org").json() == {"success": True}
    assert message(confirmed(gateway, "/user", email="ana@ex.org", code=code), 404) == UNKNOWN
    assert inbox.envelopes == []


def test_a_code_ends_when_the_address_changes(gateway: Gateway, inbox: Inbox, ana: User) -> None:
    for change in ({"email": "new@ex.org"}, {"password": NEW, "email": "ana@ex.org"}):
        name = stored(gateway, ana)["email"]
        asked(gateway, "/user", email=name)
        code = arrived(inbox)["code"]
        assert gateway.admin.patch(f"/system/user/{ana.id}", json=change).status_code == 200
        assert confirmed(gateway, "/user", email=change["email"], code=code).status_code == 404


class TestBySecurityAnswer:
    def test_the_question_is_asked_and_the_answer_does(self, gateway: Gateway, inbox: Inbox, ana: User) -> None:
        with_question(gateway, ana)
        assert asked(gateway, "/user", email="ana@ex.org").json() == {"security_question": "colour?"}
        assert inbox.envelopes == []
        wrong = confirmed(gateway, "/user", email="ana@ex.org", security_answer="red")
        assert message(wrong, 400) == NO_MATCH
        for bad in ("", [], None, {"a": 1}):
            assert confirmed(gateway, "/user", email="ana@ex.org", security_answer=bad).status_code == 400
        assert confirmed(gateway, "/user", email="ana@ex.org", security_answer="blue").json() == {"success": True}
        assert gateway.anonymous.post("/user/session", json={"email": "ana@ex.org", "password": NEW}).is_success

    def test_it_opens_no_account_that_was_never_confirmed(self, gateway: Gateway, ana: User) -> None:
        with_question(gateway, ana)
        mine = tables.user.c.id == ana.id
        change = sa.update(tables.user).where(mine).values(password=None)
        gateway.app.database.change(lambda connection: connection.execute(change))
        assert asked(gateway, "/user", email="ana@ex.org").json() == {"success": True}
        reply = confirmed(gateway, "/user", email="ana@ex.org", security_answer="blue")
        assert message(reply, 400) == NO_MATCH

    def test_it_is_for_its_own_kind(self, gateway: Gateway, ana: User) -> None:
        with_question(gateway, ana)
        reply = confirmed(gateway, "/system/admin", email="ana@ex.org", security_answer="blue")
        assert message(reply, 400) == NO_MATCH


def test_without_mail_there_is_only_the_question(fresh_gateway: Gateway, ana: User) -> None:
    for email in ("ana@ex.org", "nobody@ex.org"):
        assert message(asked(fresh_gateway, "/user", email=email), 500) == NO_MAIL
    with_question(fresh_gateway, ana)
    assert asked(fresh_gateway, "/user", email="ana@ex.org").json() == {"security_question": "colour?"}


@pytest.mark.parametrize(("length", "meant"), [(1, 5), (8, 8), (99, 32)])
def test_how_long_codes_are(tmp_path: Any, inbox: Inbox, length: int, meant: int) -> None:
    settings = settings_for(
        tmp_path, confirm_code_length=length, app_url="https://api.example/x/", confirm_reset_url="/reset?a=b"
    )
    with Gateway(settings) as started:
        user = started.create_user("ana@ex.org", "a long enough password")
        found = started.create_service("mail", "smtp_email", {"host": "127.0.0.1", "port": str(inbox.port)})["id"]
        record = started.admin.get("/system/service/user").json()
        started.admin.patch(f"/system/service/{record['id']}", json={"config": {"password_email_service_id": found}})
        asked(started, "/user", email=user.email)
        link = arrived(inbox)
        assert len(link["code"]) == meant
        assert (link["page"], link["a"]) == ("https://api.example/x/reset", "b")
        assert confirmed(started, "/user", email=user.email, code=link["code"]).status_code == 200


def test_a_wrong_old_password_counts_as_a_failed_login(gateway: Gateway, ana: User, password: str) -> None:
    client = gateway.as_user(ana)
    body = {"old_password": "wrong", "new_password": NEW}
    statuses = [client.post("/user/password", json=body).status_code for _ in range(11)]
    assert statuses == [400] * gateway.app.settings.login_attempts + [429]
    assert client.post("/user/password", json={**body, "old_password": password}).status_code == 429
