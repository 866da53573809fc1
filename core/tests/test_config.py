from __future__ import annotations

from typing import Literal

import pytest
from toys import ToyConfig

from trunkline import Config, Field, Text
from trunkline.errors import BadRequest
from trunkline.vault import MASK, Vault, new_key

VAULT = Vault(new_key())


class Everything(Config):
    name: str = Field(title="Name", description="A string.")
    count: int = Field(default=3, title="Count", description="An integer.")
    on: bool = Field(default=False, title="On", description="A boolean.")
    mode: Literal["a", "b"] | None = Field(default=None, title="Mode", description="A picklist.")
    modes: list[Literal["a", "b"]] = Field(default_factory=list, title="Modes", description="A multi picklist.")
    lines: list[str] = Field(default_factory=list, title="Lines", description="An array.")
    options: dict[str, str] = Field(default_factory=dict, title="Options", description="An object.")
    notes: Text = Field(default="", title="Notes", description="A text.")


def test_every_kind_renders_to_its_schema_word() -> None:
    kinds = {entry["name"]: entry["type"] for entry in Everything.schema_entries()}
    assert kinds == {
        "name": "string", "count": "integer", "on": "boolean", "mode": "picklist", "modes": "multi_picklist",
        "lines": "array", "options": "object", "notes": "text",
    }  # fmt: skip
    assert {entry["name"]: entry["type"] for entry in ToyConfig.schema_entries()}["password"] == "password"


def test_an_invalid_value_is_named() -> None:
    """D16."""
    with pytest.raises(BadRequest) as caught:
        ToyConfig.check({"port": "no number"})
    assert set(caught.value.context) == {"host", "port"}
    assert "no number" not in caught.value.message


def test_numbers_as_text_and_blanks_are_what_forms_send() -> None:
    config = ToyConfig.check({"host": "h", "port": "8080"})
    assert config.port == 8080
    assert ToyConfig.check({"host": "h", "port": ""}).port == 80


def test_unknown_keys_are_dropped() -> None:
    assert ToyConfig.merged({}, {"host": "h", "service_id": 7}, VAULT) == {"host": "h"}


def test_a_secret_is_encrypted_masked_and_kept_by_its_mask() -> None:
    """Checklist 27."""
    stored = ToyConfig.merged({}, {"host": "h", "password": "canary"}, VAULT)
    assert "canary" not in str(stored)
    assert ToyConfig.shown(stored) == {"host": "h", "port": 80, "password": MASK}
    again = ToyConfig.merged(stored, {"host": "other", "password": MASK}, VAULT)
    assert ToyConfig.opened(again, VAULT) == {"host": "other", "password": "canary"}
    assert "canary" not in repr(ToyConfig.check(ToyConfig.opened(again, VAULT)))


def test_a_secret_can_be_removed() -> None:
    stored = ToyConfig.merged({}, {"host": "h", "password": "x"}, VAULT)
    assert ToyConfig.shown(ToyConfig.merged(stored, {"password": None}, VAULT))["password"] is None
