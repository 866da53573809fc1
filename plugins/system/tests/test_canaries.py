"""Secrets that appear nowhere: not in replies, not in the log, not in errors (checklist 27 and 28)."""

from __future__ import annotations

import logging
from typing import Any, NoReturn

import pytest
from asking import create_one

from trunkline import Call, Config, Field, Resource, Secret, Service
from trunkline.testing import Client, Gateway

CANARY = "canary-7f3a91"


def canary(what: str) -> str:
    """A secret that is long enough for every rule and easy to find."""
    return f"{CANARY}-{what}-xxxxxxxxxxxx"


class CageConfig(Config):
    """One secret, and something that can be wrong."""

    port: int = Field(default=1, title="Port", description="Where.")
    password: Secret = Field(title="Password", description="What opens it.")


class Bird(Resource):
    """Fails in the ways that services fail."""

    name = "bird"

    async def get(self, _call: Call, _rest: tuple[str, ...]) -> NoReturn:
        config = self.service.config
        assert isinstance(config, CageConfig)
        raise RuntimeError(f"cannot connect with {config!r}")


class Cage(Service):
    """Keeps a canary."""

    label = "Cage"
    description = "Keeps a canary."
    resources = (Bird,)
    config: CageConfig


@pytest.fixture
def texts(fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that was answered; what must be told once, such as a new session token, is taken out."""
    heard: list[str] = []
    request = Client.request

    def listening(self: Client, method: str, path: str, **more: Any) -> Any:
        reply = request(self, method, path, **more)
        heard.append(f"{method} {path} {reply.text} {dict(reply.headers)}")
        return reply

    monkeypatch.setattr(Client, "request", listening)
    fresh_gateway.app.registry.add("cage", Cage)
    return heard


def test_no_secret_is_answered_or_logged(
    fresh_gateway: Gateway, texts: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, "httpx2")  # the client's own log, which is not ours to keep clean
    monkeypatch.setattr("trunkline.login._LONGEST_PAUSE", 0.0)
    admin, anonymous = fresh_gateway.admin, fresh_gateway.anonymous
    password = canary("password")

    def everywhere(path: str) -> None:
        for params in ({}, {"fields": "*", "related": "*"}, {"order": "nothing"}, {"filter": "nothing=1"}):
            admin.get(path, params=params)

    user = create_one(
        admin, "/system/user", email="u@ex.org", password=password, security_answer=canary("answer"),
        lookup_by_user_id=[{"name": "pin", "value": canary("pin"), "private": True}],
    )  # fmt: skip
    create_one(admin, "/system/lookup", name="global", value=canary("lookup"), private=True)
    cage = create_one(
        admin, "/system/service", name="cage", type="cage", is_active=True, config={"password": canary("config")}
    )
    for path in (
        "/system/user",
        "/system/lookup",
        "/system/service",
        f"/system/service/{cage['id']}",
        "/system/environment",
    ):
        everywhere(path)

    # Refused writes do not echo what was sent.
    for path, body in (
        ("/system/user", {"email": "u@ex.org", "password": password}),
        ("/system/user", {"email": "no address", "password": password, "security_answer": canary("answer")}),
        ("/system/user", {"email": "v@ex.org", "password": [password]}),
        ("/system/lookup", {"name": "global", "value": canary("lookup"), "private": True}),
        ("/system/service", {"name": "other", "type": "cage", "config": {"password": canary("config"), "port": "x"}}),
        ("/system/service", {"name": "other", "type": "cage", "config": {"password": [canary("config")]}}),
        ("/system/app", {"name": "app", "api_key": canary("key")}),
        ("/user/session", {"email": "u@ex.org", "password": canary("wrong")}),
        ("/user/session", {"email": canary("name"), "password": password}),
        ("/user/password", {"old_password": canary("wrong"), "new_password": password}),
    ):  # fmt: skip
        assert 400 <= admin.post(path, json=body).status_code < 500, path
    admin.patch(f"/system/user/{user['id']}", json={"password": canary("p")[:10]})

    # Credentials in the wrong place, and those that are wrong.
    anonymous.get("/system/role", params={"session_token": canary("token"), "api_key": canary("key")})
    anonymous.get("/system/role", headers={"Authorization": f"Bearer {canary('a')}.{canary('b')}.{canary('c')}"})
    anonymous.get("/system/role", headers={"X-DreamFactory-API-Key": canary("key")})

    # A service that fails with its secret in hand, and a database that fails in the middle of a write.
    assert admin.get("/cage/bird").status_code == 500
    fresh_gateway.app.database.change(lambda connection: connection.exec_driver_sql("drop table service_doc"))
    fresh_gateway.app.database.change(lambda connection: connection.exec_driver_sql("drop table lookup"))
    failed = admin.post("/system/lookup", json={"name": "x", "value": canary("lookup")})
    assert failed.status_code in (500, 503)
    assert "lookup" not in failed.json()["error"]["message"]

    for text in texts:
        assert CANARY not in text
        assert "$argon2" not in text
        assert "tl1:" not in text
    logged = [caplog.text, *(repr(one.__dict__) for one in caplog.records)]
    assert "cannot connect with" in logged[0]
    for text in logged:
        for secret in (CANARY, "$argon2", "tl1:", admin.headers["X-DreamFactory-Session-Token"]):
            assert secret not in text


def test_a_failed_write_of_a_user_leaves_no_hash_in_the_log(
    fresh_gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    admin = fresh_gateway.admin
    assert admin.get("/system/user").status_code == 200
    rename = 'alter table "user" rename column security_question to something'
    fresh_gateway.app.database.change(lambda connection: connection.exec_driver_sql(rename), which=None)
    body = {"email": "x@ex.org", "password": canary("password"), "security_question": "colour?"}
    assert admin.post("/system/user", json=body).status_code in (500, 503)
    assert "INSERT INTO" in caplog.text
    assert "$argon2" not in caplog.text
    assert CANARY not in caplog.text
