"""Users who log in on both endpoints."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from trunkline.db.records import User
from trunkline.testing import Gateway
from trunkline_email.testing import Inbox

PASSWORD = "a long enough password"


@pytest.fixture
def password() -> str:
    """The password of everybody here."""
    return PASSWORD


@pytest.fixture
def ana(fresh_gateway: Gateway) -> User:
    """A user who is not an administrator."""
    return fresh_gateway.create_user("ana@ex.org", PASSWORD, first_name="Ana", last_name="Ruiz", username="ana.ruiz")


@pytest.fixture
def boss(fresh_gateway: Gateway) -> User:
    """An administrator."""
    return fresh_gateway.create_user("boss@ex.org", PASSWORD, is_sys_admin=True)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing and failed logins are slow by design; here that would only cost time."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("trunkline.login._LONGEST_PAUSE", 0.0)
    monkeypatch.setattr("trunkline.passwords._HASHER", quick)
    monkeypatch.setattr("trunkline.passwords._DECOY", quick.hash("nobody's"))


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A mail server and what it has got."""
    inbox = Inbox()
    inbox.start()
    yield inbox
    inbox.stop()


@pytest.fixture
def mail(fresh_gateway: Gateway, inbox: Inbox) -> int:
    """A mail service, by which both kinds of accounts get all their mails; its id."""
    found = fresh_gateway.create_service("mail", "smtp_email", {"host": "127.0.0.1", "port": str(inbox.port)})["id"]
    fields = {f"{name}_email_service_id": found for name in ("password", "invite", "open_reg")}
    for service in ("user", "system"):
        record = fresh_gateway.admin.get(f"/system/service/{service}").json()
        reply = fresh_gateway.admin.patch(f"/system/service/{record['id']}", json={"config": fields})
        assert reply.status_code == 200, reply.text
    return int(found)
