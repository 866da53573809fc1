"""Secrets at rest: AES-256-GCM under ``APP_KEY``, with the key's id in the ciphertext so that keys can be rotated."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from trunkline.errors import InternalError

MASK = "*" * 10
# How ciphertexts begin.
MARK = "tl1:"


def new_key() -> str:
    """Make a fresh application key, in the form the environment holds it."""
    return "base64:" + base64.b64encode(secrets.token_bytes(32)).decode()


def _material(app_key: str) -> bytes:
    if app_key.startswith("base64:"):
        return base64.b64decode(app_key[7:])
    return app_key.encode()


class Vault:
    """Encrypts with the current key and decrypts with it or with former ones."""

    def __init__(self, app_key: str, previous: tuple[str, ...] = ()) -> None:
        """Derive one encryption key per application key; the first is the current one."""
        self._app_key = app_key
        self._keys: dict[str, AESGCM] = {}
        for key in (app_key, *previous):
            derived = self._derive(key, b"trunkline encryption")
            self._keys.setdefault(hashlib.sha256(derived).hexdigest()[:8], AESGCM(derived))
        self._current = next(iter(self._keys))

    @staticmethod
    def _derive(app_key: str, purpose: bytes) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=purpose).derive(_material(app_key))

    def signing_key(self) -> bytes:
        """Derive the key for session tokens; knowing it tells nothing about the encryption key."""
        return self._derive(self._app_key, b"trunkline session tokens")

    def masking_key(self) -> bytes:
        """Derive the key for digests that stand for masked values."""
        return self._derive(self._app_key, b"trunkline masks")

    def export_salt(self) -> bytes:
        """Derive the salt for passwords of exported secrets; it is no secret itself."""
        return self._derive(self._app_key, b"trunkline export salt")[:16]

    def code_key(self) -> bytes:
        """Derive the key for digests of codes that are mailed."""
        return self._derive(self._app_key, b"trunkline confirmation codes")

    def encrypt(self, plain: str) -> str:
        """Encrypt text; every call gives another ciphertext."""
        nonce = os.urandom(12)
        sealed = self._keys[self._current].encrypt(nonce, plain.encode(), None)
        return f"{MARK}{self._current}:{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def decrypt(self, stored: str) -> str:
        """Decrypt what encrypt made; text without our mark stays as it is. Raises InternalError for a lost key."""
        if not stored.startswith(MARK):
            return stored
        _mark, key_id, body = stored.split(":", 2)
        key = self._keys.get(key_id)
        if key is None:
            raise InternalError("A stored secret was encrypted under another APP_KEY.")
        sealed = base64.urlsafe_b64decode(body)
        try:
            return key.decrypt(sealed[:12], sealed[12:], None).decode()
        except InvalidTag:
            raise InternalError("A stored secret is damaged.") from None

    @staticmethod
    def is_sealed(stored: object) -> bool:
        """Say whether a stored value is a ciphertext of a vault."""
        return isinstance(stored, str) and stored.startswith(MARK)

    def is_current(self, stored: str) -> bool:
        """Say whether a ciphertext was made under the current key."""
        return stored.startswith(f"{MARK}{self._current}:")

    def reveal(self, stored: str) -> str:
        """Decrypt, and follow a reference: ``env:NAME`` or ``file:/path`` instead of the secret itself."""
        plain = self.decrypt(stored)
        if plain.startswith("env:"):
            value = os.environ.get(plain[4:])
            if value is None:
                raise InternalError(f"A secret refers to the environment variable {plain[4:]}, which is not set.")
            return value
        if plain.startswith("file:"):
            try:
                return Path(plain[5:]).read_text().rstrip("\n")
            except OSError as error:
                raise InternalError("A secret refers to a file that cannot be read.") from error
        return plain
