"""Session tokens (system-api 2.3 and 9; checklist 15 and 16)."""

from __future__ import annotations

import time
from typing import Any

import pytest
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import OctKey

from trunkline.call import Session
from trunkline.db import tables
from trunkline.db.records import User
from trunkline.testing import Gateway


def using(toy: Gateway, token: str) -> Any:
    return toy.anonymous.get("/toy/thing", headers={"X-DreamFactory-Session-Token": token})


@pytest.fixture
def user(toy: Gateway) -> User:
    return toy.create_user("someone@example.com", is_sys_admin=True)


def claims_of(toy: Gateway, user: User) -> dict[str, Any]:
    return dict(jwt.decode(toy.app.sessions.issue(user), toy.app.sessions._key, algorithms=["HS256"]).claims)


def signed(toy: Gateway, claims: dict[str, Any], key: bytes | None = None, **header: Any) -> str:
    used = toy.app.sessions._key if key is None else OctKey.import_key(key)
    return jwt.encode({"alg": "HS256", **header}, claims, used)


def test_a_good_token_works(toy: Gateway, user: User) -> None:
    assert using(toy, toy.app.sessions.issue(user)).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "part"),
    [
        ({"exp": 1}, 401, "Token has expired: Session expired."),
        ({"user_id": 999}, 404, "User not found."),
        ({"user_id": "1"}, 401, "required claims"),
        ({"sub": "somebody else"}, 401, "User verification failed."),
        ({"epoch": 99}, 403, "The token has been blacklisted"),
        ({"epoch": None}, 403, "The token has been blacklisted"),
        ({"nbf": 2**40}, 401, "prior to its time"),
    ],
)
def test_tampered_claims_under_our_own_key(
    toy: Gateway, user: User, change: dict[str, Any], status: int, part: str
) -> None:
    reply = using(toy, signed(toy, {**claims_of(toy, user), **change}))
    assert (reply.status_code, part in reply.json()["error"]["message"]) == (status, True), reply.text


def test_missing_claims_are_refused(toy: Gateway, user: User) -> None:
    for name in ("iat", "exp", "sub", "user_id", "forever"):
        claims = claims_of(toy, user)
        del claims[name]
        assert using(toy, signed(toy, claims)).status_code == 401, name


def test_forged_tokens_are_refused(toy: Gateway, user: User) -> None:
    claims = claims_of(toy, user)
    good = toy.app.sessions.issue(user)
    header, body, signature = good.split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
    forged = [
        signed(toy, claims, key=b"x" * 32),
        f"{none}.{body}.",
        f"{none}.{body}.{signature}",
        f"{header}.{body}.",
        f"{header}.{body}",
        good[:-4] + "AAAA",
        signed(toy, claims, key=b"x" * 32, jku="http://127.0.0.1/keys", kid="../../etc/passwd"),
        "..",
    ]
    for token in forged:
        reply = using(toy, token)
        assert reply.status_code == 401, token
        assert reply.json()["error"]["message"].startswith("Invalid token: ")


def test_logging_out_counts_from_the_next_request(toy: Gateway, user: User) -> None:
    token = toy.app.sessions.issue(user)
    assert using(toy, token).status_code == 200
    claims = claims_of(toy, user) | dict(jwt.decode(token, toy.app.sessions._key, algorithms=["HS256"]).claims)
    session = Session(token, user.id, claims["jti"], claims["iat"], claims["exp"], False)
    toy._http.portal.call(toy.app.sessions.revoke, session)  # type: ignore[union-attr]  # started by the fixture
    reply = using(toy, token)
    assert reply.status_code == 403
    assert "blacklisted" in reply.json()["error"]["message"]


def test_a_changed_user_counts_from_the_next_request(toy: Gateway, user: User) -> None:
    token = toy.app.sessions.issue(user)
    table = tables.user

    def set_to(**values: Any) -> int:
        change = sa.update(table).where(table.c.id == user.id).values(**values)
        toy.app.database.change(lambda connection: connection.execute(change))
        return int(using(toy, token).status_code)

    assert set_to(is_active=False) == 403
    assert set_to(is_active=True) == 200
    assert set_to(email="other@example.com") == 401
    assert set_to(email="someone@example.com") == 200
    assert set_to(token_epoch=1) == 403


def test_refreshing_kills_the_old_token_and_keeps_the_first_login(toy: Gateway, user: User) -> None:
    refresh = toy.app.sessions.refresh
    call = toy._http.portal.call  # type: ignore[union-attr]  # started by the fixture
    old = signed(toy, {**claims_of(toy, user), "iat": int(time.time()) - 5000, "exp": int(time.time()) - 10})
    new, _user = call(refresh, old)
    assert using(toy, new).status_code == 200
    assert jwt.decode(new, toy.app.sessions._key, algorithms=["HS256"]).claims["iat"] <= time.time() - 5000
    for token, reason in ((old, "has been blacklisted"), ("a.b.c", "Malformed"), (None, "not provided")):
        with pytest.raises(Exception, match=reason):
            call(refresh, token)
    ancient = signed(toy, {**claims_of(toy, user), "iat": 1})
    with pytest.raises(Exception, match="can no longer be refreshed"):
        call(refresh, ancient)
