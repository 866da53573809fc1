"""Checklist 27: secrets at rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import InternalError
from trunkline.vault import Vault, new_key

KEY = new_key()


@given(st.text())
def test_what_is_encrypted_can_be_read_again_and_not_seen(plain: str) -> None:
    vault = Vault(KEY)
    sealed = vault.encrypt(plain)
    assert vault.decrypt(sealed) == plain
    assert len(plain) < 4 or plain not in sealed
    assert vault.encrypt(plain) != sealed


def test_a_ciphertext_is_told_from_other_values() -> None:
    vault = Vault(KEY)
    assert vault.is_sealed(vault.encrypt("x"))
    assert not any(vault.is_sealed(one) for one in ("x", "", None, 1))


def test_the_salt_of_exports_belongs_to_the_instance() -> None:
    assert Vault(KEY).export_salt() == Vault(KEY).export_salt()
    assert Vault(KEY).export_salt() != Vault(new_key()).export_salt()


def test_a_former_key_still_opens_and_is_told_apart() -> None:
    old = Vault(KEY)
    new = Vault(new_key(), previous=(KEY,))
    sealed = old.encrypt("x")
    assert new.decrypt(sealed) == "x"
    assert not new.is_current(sealed)
    assert new.is_current(new.encrypt("x"))


def test_another_key_opens_nothing() -> None:
    with pytest.raises(InternalError, match="another APP_KEY"):
        Vault(new_key()).decrypt(Vault(KEY).encrypt("x"))


def test_a_changed_ciphertext_is_refused() -> None:
    vault = Vault(KEY)
    sealed = vault.encrypt("hello")
    changed = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]
    with pytest.raises(InternalError, match="damaged"):
        vault.decrypt(changed)


def test_references_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault(KEY)
    monkeypatch.setenv("TEST_SECRET", "from the environment")
    (tmp_path / "secret").write_text("from a file\n")
    assert vault.reveal(vault.encrypt("env:TEST_SECRET")) == "from the environment"
    assert vault.reveal(vault.encrypt(f"file:{tmp_path / 'secret'}")) == "from a file"
    with pytest.raises(InternalError, match="not set"):
        vault.reveal("env:NO_SUCH_VARIABLE_HERE")


def test_signing_and_encryption_keys_differ() -> None:
    """A leak of one must not break the other."""
    vault = Vault(KEY)
    assert vault.signing_key() != Vault(new_key()).signing_key()
    assert vault.signing_key() == Vault(KEY).signing_key()
