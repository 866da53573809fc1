"""Secrets in files: references as they are, placeholders, or ciphertexts under a password."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from trunkline.errors import BadRequest

PLACEHOLDER = "secret:"
_SEALED = "encrypted:"
_REFERENCES = ("env:", "file:")
# Some 32 MiB and a fraction of a second for each guess.
_COST = {"n": 2**15, "r": 8, "p": 1}


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of a record, in clear; how it is written says who writes."""

    plain: str

    def __repr__(self) -> str:
        """Never show it."""
        return "Secret()"


# Answers the text for the file of a secret in its place.
Writer = Callable[[Secret, str], str]


def is_reference(text: str) -> bool:
    """Say whether a secret only says where it is kept."""
    return text.startswith(_REFERENCES)


def is_sealed(text: str) -> bool:
    """Say whether a text of a file is a ciphertext."""
    return text.startswith(_SEALED)


def placeholders(secret: Secret, _place: str) -> str:
    """Write references as they are and a placeholder for everything else."""
    return secret.plain if is_reference(secret.plain) else PLACEHOLDER


class Password:
    """Seals secrets under a password: each for its place and always alike: the same state shall give the same file."""

    def __init__(self, password: str, salt: bytes) -> None:
        """Derive the key."""
        self.salt = salt
        self._cipher = AESSIV(Scrypt(salt, 64, **_COST).derive(password.encode()))

    def __call__(self, secret: Secret, place: str) -> str:
        """Write references as they are and ciphertexts for everything else."""
        if is_reference(secret.plain):
            return secret.plain
        sealed = self._cipher.encrypt(secret.plain.encode() or b"\0", [place.encode()])
        return _SEALED + base64.b64encode(sealed).decode()

    def open(self, text: str, place: str) -> str:
        """Answer the secret of a ciphertext; raises BadRequest for a wrong password or place."""
        try:
            plain = self._cipher.decrypt(base64.b64decode(text.removeprefix(_SEALED), validate=True), [place.encode()])
        except (InvalidTag, binascii.Error, ValueError):
            raise BadRequest("the secret cannot be opened: the password is another one, or it was moved.") from None
        return "" if plain == b"\0" else plain.decode()
