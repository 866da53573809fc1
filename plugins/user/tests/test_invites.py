"""Invitations of users and administrators (system-api 7.2)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

from trunkline.events import RecordChanged
from trunkline.testing import Gateway
from trunkline_email.testing import Inbox

PASSWORD = "a long enough password"
KINDS = [("/system/user", "/user", "0"), ("/system/admin", "/system/admin", "1")]
INVITE = {"send_invite": "true"}


def record(email: str = "eva@ex.org") -> dict[str, Any]:
    return {"email": email, "first_name": "Eva", "last_name": "Berg"}


def create(gateway: Gateway, path: str, *records: dict[str, Any], **params: str) -> Any:
    return gateway.admin.post(path, params={**INVITE, **params}, json={"resource": list(records)})


def emails(gateway: Gateway, path: str) -> set[str]:
    return {one["email"] for one in gateway.admin.get(path).json()["resource"]} - {"admin@example.com"}


def link(inbox: Inbox) -> dict[str, str]:
    (line,) = [one for one in inbox.body().splitlines() if one.startswith("http")]
    page, _, query = line.partition("?")
    return {name: values[0] for name, values in parse_qs(query).items()} | {"page": page}


@pytest.mark.parametrize(("path", "base", "admin"), KINDS)
class TestInviting:
    @pytest.fixture
    def gateway(self, fresh_gateway: Gateway, mail: int) -> Gateway:
        """A gateway with mail."""
        return fresh_gateway

    def test_the_whole_way(self, gateway: Gateway, inbox: Inbox, path: str, base: str, admin: str) -> None:
        reply = create(gateway, path, record(), fields="*")
        assert reply.status_code == 201, reply.text
        (made,) = reply.json()["resource"]
        found = link(inbox)
        assert found["page"] == "http://localhost/dreamfactory/dist/index.html#/auth/user-invite"
        assert (found["email"], found["username"], found["admin"]) == ("eva@ex.org", "eva@ex.org", admin)
        assert gateway.admin.get(f"{path}/{made['id']}").json()["confirmed"] is False
        body = {"email": "eva@ex.org", "code": found["code"], "new_password": PASSWORD}
        assert gateway.anonymous.post(f"{base}/password", json=body).json() == {"success": True}
        assert gateway.admin.get(f"{path}/{made['id']}").json()["confirmed"] is True
        body = {"email": "eva@ex.org", "password": PASSWORD}
        assert gateway.anonymous.post(f"{base}/session", json=body).status_code == 200

    @pytest.mark.parametrize("method", ["PATCH", "PUT"])
    def test_again_with_a_change(
        self, gateway: Gateway, inbox: Inbox, path: str, base: str, admin: str, method: str
    ) -> None:
        key = create(gateway, path, record()).json()["resource"][0]["id"]
        first = link(inbox)["code"]
        inbox.empty()
        for at, body in ((f"{path}/{key}", {"phone": "1"}), (path, {"resource": [{"id": key, "phone": "2"}]})):
            reply = gateway.admin.request(method, at, params=INVITE, json=body)
            assert reply.status_code == 200, reply.text
            assert link(inbox)["code"] != first
            inbox.empty()
        assert gateway.admin.request(method, f"{path}/{key}", json={"phone": "3"}).status_code == 200
        assert inbox.envelopes == []

    def test_who_cannot_be_invited_is_not_created(
        self, gateway: Gateway, inbox: Inbox, path: str, base: str, admin: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[object] = []
        monkeypatch.setattr(gateway.app.events, "publish", told.append)
        reply = create(gateway, path, record(), record("nobody@ex.org"), record("ida@ex.org"))
        assert reply.status_code == 500, reply.text
        error = reply.json()["error"]
        assert error["message"].startswith("Error processing user invite. The mail server refused recipients")
        assert error["context"]["error"] == [1]
        assert error["context"]["resource"][1]["message"] == error["message"]
        assert emails(gateway, path) == {"eva@ex.org", "ida@ex.org"}
        assert len(inbox.envelopes) == 2
        actions = [one.action for one in told if isinstance(one, RecordChanged)]
        assert actions == ["created", "created", "created", "deleted"]

    def test_a_server_that_is_not_there_is_a_503(
        self, gateway: Gateway, inbox: Inbox, path: str, base: str, admin: str
    ) -> None:
        key = create(gateway, path, record()).json()["resource"][0]["id"]
        inbox.stop()
        reply = create(gateway, path, record("ida@ex.org"))
        assert reply.status_code == 503
        assert int(reply.headers["Retry-After"]) > 0
        assert gateway.admin.patch(f"{path}/{key}", params=INVITE, json={"phone": "9"}).status_code == 503
        # Only who was to be created for it is not kept.
        assert emails(gateway, path) == {"eva@ex.org"}

    def test_a_batch_with_mistakes(self, gateway: Gateway, inbox: Inbox, path: str, base: str, admin: str) -> None:
        records = record(), {"email": "no address"}, record("ida@ex.org")
        reply = create(gateway, path, *records, rollback="true")
        assert (reply.status_code, inbox.envelopes) == (400, [])
        reply = create(gateway, path, *records, **{"continue": "true"})
        assert (reply.status_code, reply.json()["error"]["context"]["error"]) == (400, [1])
        assert sorted(one.rcpt_tos[0] for one in inbox.envelopes) == ["eva@ex.org", "ida@ex.org"]
        assert emails(gateway, path) == {"eva@ex.org", "ida@ex.org"}


@pytest.mark.parametrize(("path", "base", "admin"), KINDS)
def test_without_a_mail_service_nobody_is_created(fresh_gateway: Gateway, path: str, base: str, admin: str) -> None:
    reply = create(fresh_gateway, path, record())
    assert reply.status_code == 500
    error = reply.json()["error"]
    assert error["message"] == "No email service configured for user invite."
    assert error["context"]["resource"][0]["message"] == error["message"]
    assert emails(fresh_gateway, path) == set()
