"""The file that a package is: a zip of JSON documents, whose secrets a password may seal."""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
import zipfile
from collections.abc import Mapping
from typing import Any

from trunkline import json
from trunkline.errors import BadRequest
from trunkline.vault import Vault

MANIFEST = "package.json"
_INVALID = "Invalid package supplied."
_LEAST_PASSWORD = 6
_MOST_FILES = 1000
_CHECK = "trunkline package"


def write(documents: Mapping[str, Any]) -> bytes:
    """Make a zip of JSON documents by their names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in documents.items():
            archive.writestr(name, json.dumps(content))
    return buffer.getvalue()


def read(content: bytes, most: int) -> dict[str, Any]:
    """Read the JSON documents of a zip, at most ``most`` bytes unpacked; raises BadRequest."""
    documents: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = [one for one in archive.infolist() if one.filename.endswith(".json")]
            if len(found) > _MOST_FILES or sum(one.file_size for one in found) > most:
                raise BadRequest("The package is too large.")
            for one in found:
                with archive.open(one) as file:
                    # What the directory says of sizes is only a word: no more is read than that.
                    documents[one.filename] = json.loads(file.read(one.file_size))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise BadRequest(_INVALID) from error
    if not isinstance(documents.get(MANIFEST), dict):
        raise BadRequest(_INVALID)
    return documents


def seal(password: Any) -> tuple[Vault, dict[str, str]]:
    """Make the vault of a new package, and what the manifest must say so that it can be opened."""
    salt = secrets.token_bytes(16)
    vault = _vault(_checked(password), salt)
    return vault, {"salt": base64.b64encode(salt).decode(), "check": vault.encrypt(_CHECK)}


def unseal(manifest: Mapping[str, Any], password: Any) -> Vault | None:
    """Open the vault of a package, None where it has none; raises BadRequest for a password that does not fit."""
    if not manifest.get("secured"):
        return None
    sealed = manifest.get("seal")
    if not password:
        raise BadRequest("Password is required for secured package.")
    if not isinstance(sealed, dict) or not all(isinstance(sealed.get(key), str) for key in ("salt", "check")):
        raise BadRequest(_INVALID)
    try:
        salt = base64.b64decode(sealed["salt"], validate=True)
    except ValueError:
        raise BadRequest(_INVALID) from None
    vault = _vault(_checked(password), salt)
    if not vault.is_current(sealed["check"]):
        raise BadRequest("The password does not fit the package.")
    return vault


def _checked(password: Any) -> str:
    if not isinstance(password, str) or not password:
        raise BadRequest("Password is required for secured package.")
    if len(password) < _LEAST_PASSWORD:
        raise BadRequest("Password must be at least 6 characters long for secured package.")
    return password


def _vault(password: str, salt: bytes) -> Vault:
    """Stretch a password to a key; slow by design, so call it in a worker thread."""
    key = hashlib.scrypt(password.encode(), salt=salt, n=2**15, r=8, p=1, maxmem=2**26, dklen=32)
    return Vault("base64:" + base64.b64encode(key).decode())
