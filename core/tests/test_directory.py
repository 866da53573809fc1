from __future__ import annotations

import time
from typing import Any

import pytest

from trunkline.errors import Unavailable
from trunkline.testing import Gateway


def test_while_the_system_database_is_down_the_last_snapshot_serves(
    toy: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checklist 34: known keys go on working, and only one call a second waits for the database."""
    client = toy.key_for([{"service": "toy", "component": "*", "verb_mask": 1}])
    assert client.get("/toy/thing").status_code == 200
    tries: list[float] = []

    def down(_revision: int) -> Any:
        tries.append(time.monotonic())
        raise Unavailable("The system database is not available.")

    monkeypatch.setattr(toy.app.directory, "_load", down)
    toy.app.database.change(lambda _connection: None)
    assert [client.get("/toy/thing").status_code for _ in range(20)] == [200] * 20
    assert len(tries) <= 2
    monkeypatch.undo()
    toy.app.directory._not_before = 0.0
    assert client.get("/toy/thing").status_code == 200
    assert toy.app.directory.snapshot.revision == toy.app.database.revisions[0]


def test_a_user_is_read_once_per_revision(toy: Gateway) -> None:
    user = toy.create_user("once@example.com", is_sys_admin=True)
    client = toy.as_user(user)
    client.get("/toy/thing")
    first = toy.app.directory.snapshot.users[user.id]
    client.get("/toy/thing")
    assert toy.app.directory.snapshot.users[user.id] is first
    toy.app.database.change(lambda _connection: None)
    client.get("/toy/thing")
    assert toy.app.directory.snapshot.users[user.id] is not first
