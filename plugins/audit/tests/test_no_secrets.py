"""Secrets that are in no record: not in the table, not in the file, not in the log (checklist 27)."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from reading import records

from trunkline import Config, Field, Secret, Service
from trunkline.testing import Gateway
from trunkline_audit.table import audit

CANARY = "canary-2c9d71"


def canary(what: str) -> str:
    """A secret that is long enough for every rule and easy to find."""
    return f"{CANARY}-{what}-xxxxxxxxxxxx"


class CageConfig(Config):
    """One secret."""

    password: Secret = Field(title="Password", description="What opens it.")


class Cage(Service):
    """Keeps a canary."""

    label = "Cage"
    description = "Keeps a canary."
    config: CageConfig


@pytest.mark.parametrize("to_file", [True, False], ids=["file", "logger"])
def test_no_secret_is_in_the_trail(
    to_file: bool, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path: Path | None = request.getfixturevalue("audit_log") if to_file else None
    caplog.set_level(logging.INFO, "trunkline.audit")
    gateway: Gateway = request.getfixturevalue("fresh_gateway")
    monkeypatch.setattr("trunkline.login._LONGEST_PAUSE", 0.0)
    gateway.app.registry.add("cage", Cage)
    admin, anonymous = gateway.admin, gateway.anonymous
    email, password = "u@ex.org", canary("password")
    user = {
        "email": email, "password": password, "security_answer": canary("answer"), canary("field"): 1,
        "lookup_by_user_id": [{"name": "pin", "value": canary("pin"), "private": True}],
    }  # fmt: skip
    made = admin.post("/system/user", json=[user])
    assert made.status_code == 201, made.text
    user_path = f"/system/user/{made.json()['resource'][0]['id']}"
    cage = {"name": "cage", "type": "cage", "is_active": True, "config": {"password": canary("config")}}
    api_key = "a1" * 40
    for path_, record in (
        ("/system/lookup", {"name": "global", "value": canary("lookup"), "private": True}),
        ("/system/service", cage),
        ("/system/app", {"name": "app", "api_key": api_key, "is_active": True}),
    ):
        assert admin.post(path_, json=[record]).status_code == 201, path_
    assert admin.patch(user_path, json={"password": canary("new")}).status_code == 200
    assert admin.patch(user_path, json={canary("field"): canary("value")}).status_code == 200
    admin.post("/system/service", json=[{**cage, "name": "other", "config": [canary("config")]}])
    tokens = []
    for credentials in (
        {"email": email, "password": canary("new")},
        {"email": email, "password": canary("wrong")},
        {"email": canary("typed in the wrong place"), "password": password},
    ):
        reply = anonymous.post("/user/session", json=credentials)
        tokens += [reply.json()["session_token"]] if reply.status_code == 200 else []
    assert len(tokens) == 1
    header = {"X-DreamFactory-Session-Token": tokens[0], "X-DreamFactory-API-Key": api_key}
    assert anonymous.delete("/user/session", headers=header).status_code == 200
    for params, headers in (
        ({"session_token": canary("token"), "api_key": canary("key")}, {}),
        ({}, {"Authorization": f"Bearer {canary('a')}.{canary('b')}.{canary('c')}"}),
        ({}, {"Authorization": f"Basic {canary('basic')}"}),
        ({}, {"X-DreamFactory-API-Key": canary("key")}),
        ({"filter": f"name='{canary('filter')}'"}, {}),
    ):
        anonymous.get("/system/role", params=params, headers=headers)
        anonymous.delete("/system/role/1", params=params, headers=headers)

    found = records(gateway, limit=1000)
    rows = gateway.app.database.read(lambda connection: connection.execute(sa.select(audit)).all())
    assert len(found) == len(rows) > 15
    assert any("password" in one["fields"] for one in found)
    assert any("config" in one["fields"] for one in found)
    texts = [json.dumps(found), *map(str, rows)]
    if path is not None:
        texts.append(path.read_text())
        assert len(texts[-1].splitlines()) == len(found)
    told: list[Any] = [vars(one) for one in caplog.records if one.name == "trunkline.audit"]
    assert len(told) == (0 if to_file else len(found))
    secrets = (CANARY, "$argon2", "tl1:", api_key, *tokens, *admin.headers.values())
    for text in (*texts, *map(str, told)):
        for secret in secrets:
            assert secret not in text
