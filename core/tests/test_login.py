"""Logging in, and being throttled (D2; checklist 17)."""

from __future__ import annotations

import asyncio
from typing import Any

import bcrypt
import pytest
import sqlalchemy as sa

from trunkline.db import tables
from trunkline.errors import TooManyRequests, Unauthorized
from trunkline.testing import Gateway

NAME, PASSWORD = "someone@example.com", "a long enough password"


def login(gateway: Gateway, name: str, password: str, client: str = "127.0.0.1") -> Any:
    return gateway._http.portal.call(gateway.app.logins.login, "email", name, password, client)  # type: ignore[union-attr]


def test_the_right_password_opens_and_case_of_the_name_does_not_matter(fresh_gateway: Gateway) -> None:
    user = fresh_gateway.create_user(NAME, PASSWORD)
    assert login(fresh_gateway, NAME.upper(), PASSWORD).id == user.id


def test_unknown_wrong_and_inactive_are_told_alike(fresh_gateway: Gateway) -> None:
    fresh_gateway.create_user(NAME, PASSWORD)
    fresh_gateway.create_user("off@example.com", PASSWORD, is_active=False)
    for name, password in ((NAME, "wrong"), ("nobody@example.com", PASSWORD), ("off@example.com", PASSWORD)):
        with pytest.raises(Unauthorized, match=r"^Invalid credentials supplied\.$"):
            login(fresh_gateway, name, password)


def test_an_old_hash_is_replaced_at_login(fresh_gateway: Gateway) -> None:
    user = fresh_gateway.create_user(NAME)
    old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$")
    mine = tables.user.c.id == user.id
    change = sa.update(tables.user).where(mine).values(password=old)
    fresh_gateway.app.database.change(lambda connection: connection.execute(change))
    assert login(fresh_gateway, NAME, PASSWORD).id == user.id
    query = sa.select(tables.user.c.password).where(mine)
    assert fresh_gateway.app.database.read(lambda c: str(c.scalar(query))).startswith("$argon2id$")
    assert login(fresh_gateway, NAME, PASSWORD).id == user.id


def test_repeated_failures_are_refused_for_that_address(
    fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh_gateway.create_user(NAME, PASSWORD)
    monkeypatch.setattr("trunkline.login._LONGEST_PAUSE", 0.0)
    for _ in range(fresh_gateway.app.settings.login_attempts):
        with pytest.raises(Unauthorized):
            login(fresh_gateway, NAME, "wrong")
    with pytest.raises(TooManyRequests) as caught:
        login(fresh_gateway, NAME, PASSWORD)
    assert int(caught.value.headers["Retry-After"]) > 0
    # A stranger's failures do not lock the owner out, who comes from elsewhere.
    assert login(fresh_gateway, NAME, PASSWORD, client="10.0.0.7").email == NAME


def test_a_success_forgives_earlier_failures(fresh_gateway: Gateway) -> None:
    fresh_gateway.create_user(NAME, PASSWORD)
    for _ in range(2):
        with pytest.raises(Unauthorized):
            login(fresh_gateway, NAME, "wrong")
    login(fresh_gateway, NAME, PASSWORD)
    key = fresh_gateway.app.logins._throttle_keys(NAME, "127.0.0.1")[0]
    assert fresh_gateway.app.cache.get(key) is None


def test_attempts_at_the_same_time_are_all_counted(fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is judged elsewhere, such as codes, is counted before it is judged."""
    monkeypatch.setattr("trunkline.login._LONGEST_PAUSE", 0.0)
    logins, limit = fresh_gateway.app.logins, fresh_gateway.app.settings.login_attempts

    async def many() -> list[Any]:
        attempts = (logins.attempt(NAME, "127.0.0.1") for _ in range(limit + 5))
        return await asyncio.gather(*attempts, return_exceptions=True)

    results = fresh_gateway._http.portal.call(many)  # type: ignore[union-attr]
    assert sum(isinstance(one, TooManyRequests) for one in results) == 5
    # Failed logins and attempts are one count; other purposes have their own, and success ends it.
    fresh_gateway.create_user(NAME, PASSWORD)
    with pytest.raises(TooManyRequests):
        login(fresh_gateway, NAME, PASSWORD)
    fresh_gateway._http.portal.call(logins.attempt, NAME, "127.0.0.1", "reset")  # type: ignore[union-attr]
    fresh_gateway._http.portal.call(logins.forgive, NAME, "127.0.0.1")  # type: ignore[union-attr]
    assert login(fresh_gateway, NAME, PASSWORD).email == NAME
