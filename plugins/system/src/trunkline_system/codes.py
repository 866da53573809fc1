"""Codes that are mailed to confirm an address: random, kept as a digest, good once and for a while (checklist 18)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from trunkline.db import tables
from trunkline.errors import BadRequest

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline_system.model import Row

_LETTERS = string.digits + string.ascii_uppercase
_SHORTEST, _LONGEST = 5, 32


def length_of(app: App) -> int:
    """Answer how long codes are (system-api 8.5)."""
    return min(max(app.settings.confirm_code_length, _SHORTEST), _LONGEST)


def issue(app: App, user_id: int) -> str | None:
    """Give a user a new code, which ends an earlier one; None for a user who is gone. Blocks."""
    code = "".join(secrets.choice(_LETTERS) for _ in range(length_of(app)))
    stored = f"{_digest(app, user_id, code)}:{int(time.time()) + app.settings.confirm_code_ttl}"
    change = sa.update(tables.user).where(tables.user.c.id == user_id).values(confirm_code=stored)
    # Nobody caches codes, so no revision is raised for them.
    done = app.database.change(lambda connection: connection.execute(change).rowcount, which=None)
    return code if done else None


def checked(app: App, code: object) -> str:
    """Answer a code that has the right form; raises BadRequest."""
    if not isinstance(code, str) or len(code) != length_of(app) or not (code.isascii() and code.isprintable()):
        raise BadRequest("Invalid confirmation code format.")
    return code


def fits(app: App, row: Row | None, code: str) -> bool:
    """Say whether this is the user's code, expired or not; in the same time whatever is wrong."""
    stored = (row["confirm_code"] or "") if row is not None else ""
    digest = _digest(app, row["id"] if row is not None else 0, code)
    return hmac.compare_digest(digest.encode(), stored.partition(":")[0].encode())


def is_expired(stored: str | None) -> bool:
    """Say whether a stored code may no longer be used."""
    ends = (stored or "").partition(":")[2]
    return ends.isdecimal() and int(ends) <= time.time()


def _digest(app: App, user_id: int, code: str) -> str:
    """Bind the code to its user; without our key a short one cannot be found by trying."""
    return hmac.new(app.vault.code_key(), f"{user_id}:{code}".encode(), hashlib.sha256).hexdigest()
