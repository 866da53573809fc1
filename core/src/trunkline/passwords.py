"""Passwords: argon2id for new ones, bcrypt hashes of older systems still verify."""

from __future__ import annotations

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from trunkline.errors import BadRequest

_HASHER = PasswordHasher()
# Verified when a name is unknown, so that unknown names take as long as known ones (checklist 17).
_DECOY = _HASHER.hash("a decoy that nobody's password matches")


def hashed(password: str) -> str:
    """Hash a password; takes tens of milliseconds by design, so call it in a worker thread."""
    return _HASHER.hash(password)


def matches(password: str, stored: str | None) -> bool:
    """Say whether a password fits a stored hash; a missing hash takes as long and never fits."""
    if not stored:
        _verify(password, _DECOY)
        return False
    if stored.startswith(("$2a$", "$2b$", "$2y$")):
        encoded = stored.replace("$2y$", "$2b$", 1).encode()
        try:
            # bcrypt never looked further than 72 bytes; the library now refuses longer input instead of cutting it.
            return bcrypt.checkpw(password.encode()[:72], encoded)
        except ValueError:
            return False
    return _verify(password, stored)


def needs_rehash(stored: str) -> bool:
    """Say whether a hash should be replaced at the next login."""
    try:
        return _HASHER.check_needs_rehash(stored)
    except InvalidHashError:
        return True


def check_policy(password: object, least: int, field: str = "password") -> str:
    """Answer the password if it may be set; raises BadRequest that names the field (D18)."""
    if not isinstance(password, str):
        raise _bad(field, f"The {field} must be a string.")
    if len(password) < least:
        raise _bad(field, f"The {field} must be at least {least} characters.")
    if len(password) > 1024:
        raise _bad(field, f"The {field} may not be greater than 1024 characters.")
    return password


def _bad(field: str, message: str) -> BadRequest:
    return BadRequest(f"Invalid data supplied. {message}", context={field: [message]})


def _verify(password: str, stored: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
