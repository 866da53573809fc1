"""Users who log in on both endpoints."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from trunkline.db.records import User
from trunkline.testing import Gateway

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
