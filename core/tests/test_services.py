"""Service instances follow their rows."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from trunkline.db import tables
from trunkline.testing import Gateway


def change(gateway: Gateway, name: str, **values: Any) -> None:
    statement = sa.update(tables.service).where(tables.service.c.name == name).values(**values)
    gateway.app.database.change(lambda connection: connection.execute(statement))


def test_an_instance_is_built_once_and_anew_when_its_row_changes(toy: Gateway) -> None:
    def instance() -> Any:
        toy.admin.get("/toy/thing")
        return toy.app.services.built(toy.app.directory.snapshot.services["toy"].id)

    first = instance()
    change(toy, "system", label="another row")
    assert instance() is first
    change(toy, "toy", label="new words")
    assert instance() is not first


def test_secrets_and_lookups_are_filled_in_when_built(toy: Gateway) -> None:
    sealed = toy.app.vault.encrypt("looked up")
    toy._insert(tables.lookup, name="where", value=sealed, private=True)
    toy.create_service("toy2", "toy", {"host": "{where}", "password": "open sesame"})
    toy.admin.get("/toy2/thing")
    config: Any = toy.app.services.built(toy.app.directory.snapshot.services["toy2"].id).config  # type: ignore[union-attr]
    assert config.host == "looked up"
    assert config.password.get_secret_value() == "open sesame"


def test_a_deactivated_service_is_a_403(toy: Gateway) -> None:
    change(toy, "toy", is_active=False)
    reply = toy.admin.get("/toy/thing")
    assert (reply.status_code, reply.json()["error"]["message"]) == (403, "Service toy is deactivated.")


def test_a_missing_package_is_a_503_and_only_administrators_read_which(toy: Gateway) -> None:
    toy._insert(tables.service, name="gone", type="drop_box", label="gone", is_active=True, config="{}")
    reply = toy.admin.get("/gone/x")
    assert reply.status_code == 503
    assert "pip install trunkline-drop-box" in reply.json()["error"]["message"]
    other = toy.key_for([{"service": "gone", "component": "*", "verb_mask": 1}]).get("/gone/x")
    assert other.status_code == 503
    assert "pip" not in other.text


def test_a_configuration_that_cannot_be_used_is_a_503(toy: Gateway) -> None:
    change(toy, "toy", config='{"host": "h", "port": "nonsense"}')
    assert toy.admin.get("/toy/thing").status_code == 503
