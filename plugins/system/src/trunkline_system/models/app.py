"""Apps and their API keys (system-api 7.4)."""

from __future__ import annotations

import re
import secrets
from typing import Any

import sqlalchemy as sa

from trunkline.app import App
from trunkline.db import tables
from trunkline.directory import digest_of
from trunkline_system.fields import invalid
from trunkline_system.model import Model, Relation, Row, Work
from trunkline_system.models.lookup import Lookup
from trunkline_system.models.role import Role
from trunkline_system.models.user import Assignment

_KEY = re.compile(r"[A-Za-z0-9]{64,255}")
# Consoles make links of addresses.
_SCRIPT = re.compile(r"[\s\x00-\x1f]*(javascript|data|vbscript)\s*:", re.IGNORECASE)


class AppModel(Model):
    """An app; its key is stored encrypted and found by its digest."""

    table = tables.app
    resource = "app"
    hidden = frozenset({"api_key_digest"})
    computed = frozenset({"launch_url"})

    @classmethod
    def shown(cls, app: App, row: Row) -> dict[str, Any]:
        """Show the key in clear: whoever may read apps hands keys out."""
        shown = super().shown(app, row)
        shown["api_key"] = app.vault.decrypt(row["api_key"])
        shown["launch_url"] = launch_url(app, row, app.settings.app_url)
        return shown

    @classmethod
    def must_be_sent(cls, column: sa.Column[Any]) -> bool:
        """Make a key when none is sent."""
        return column.name != "api_key" and super().must_be_sent(column)

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Take a key that is sent (64 letters and digits at least), make one otherwise or for ``regenerate=true``."""
        rest = {name: value for name, value in given.items() if name != "api_key"}
        values = super().values(work, rest, row)
        if not 0 <= values.get("type", 0) <= 3:
            raise invalid("type", "The selected type is invalid.")
        if _SCRIPT.match(values.get("url") or ""):
            raise invalid("url", "The url field must be the address of a page.")
        if (role_id := values.get("role_id")) is not None:
            query = sa.select(tables.role.c.id).where(tables.role.c.id == role_id)
            if work.connection.execute(query).first() is None:
                raise invalid("role_id", "The selected role_id is invalid.")
        api_key = cls._key_for(work, given.get("api_key"), row)
        if api_key is not None:
            values |= {"api_key": work.app.vault.encrypt(api_key), "api_key_digest": digest_of(api_key)}
        return values

    @classmethod
    def _key_for(cls, work: Work, sent: Any, row: Row | None) -> str | None:
        if work.call.path[:1] == (cls.resource,) and work.call.flag("regenerate") and row is not None:
            return secrets.token_hex(32)
        if sent in (None, ""):
            return secrets.token_hex(32) if row is None else None
        if not isinstance(sent, str) or not _KEY.fullmatch(sent):
            raise invalid("api_key", "The api_key field must be at least 64 alphanumeric characters.")
        query = sa.select(cls.table.c.id).where(cls.table.c.api_key_digest == digest_of(sent))
        taken = work.connection.scalar(query)
        if taken is None:
            return sent
        if row is not None:
            return None if taken == row["id"] else secrets.token_hex(32)
        return secrets.token_hex(32)


def launch_url(app: App, row: Row, base: str) -> str:
    """Answer where an app begins: its own address, or one on this server, which is reached at ``base``."""
    if row["type"] == 2:
        return row["url"] or ""
    parts = [row["path"]]
    if row["type"] == 1:
        storage = app.directory.snapshot.services_by_id.get(row["storage_service_id"] or 0)
        parts = [storage.name, row["storage_container"], row["path"]] if storage is not None else []
    elif row["type"] != 3:
        parts = []
    found = [part.strip("/") for part in parts if part and part.strip("/")]
    return "/".join((base.rstrip("/"), *found)) if found else ""


def _service() -> type[Model]:
    from trunkline_system.models.service import ServiceModel

    return ServiceModel


AppModel.relations = {
    "role_by_role_id": Relation("belongs_to", lambda: Role, "role_id"),
    "lookup_by_app_id": Relation("has_many", lambda: Lookup, "app_id"),
    "user_to_app_to_role_by_app_id": Relation("has_many", lambda: Assignment, "app_id"),
    "service_by_storage_service_id": Relation("belongs_to", _service, "storage_service_id"),
}
