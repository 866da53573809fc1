from __future__ import annotations

import bcrypt
import pytest

from trunkline import passwords
from trunkline.errors import BadRequest


def test_a_hash_fits_its_password_only() -> None:
    stored = passwords.hashed("open sesame")
    assert stored.startswith("$argon2id$")
    assert passwords.matches("open sesame", stored)
    assert not passwords.matches("open sesam", stored)
    assert not passwords.matches("open sesame", None)
    assert not passwords.matches("open sesame", "plain text")


def test_hashes_of_older_systems_still_fit() -> None:
    old = bcrypt.hashpw(b"from the old days", bcrypt.gensalt(4)).decode()
    for prefix in ("$2b$", "$2y$", "$2a$"):
        assert passwords.matches("from the old days", prefix + old[4:])
        assert not passwords.matches("wrong", prefix + old[4:])
    assert passwords.needs_rehash(old)
    long = "x" * 100
    assert passwords.matches(long, bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode())


@pytest.mark.parametrize("password", ["short", "", 7, None, "x" * 2000])
def test_the_policy_names_the_field(password: object) -> None:
    """D18."""
    with pytest.raises(BadRequest) as caught:
        passwords.check_policy(password, 16)
    assert "password" in caught.value.context
