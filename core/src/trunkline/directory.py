"""The directory: what identify and authorize need of the system database, in memory until a revision makes it stale."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from cachetools import LRUCache

from trunkline import json, response_filter
from trunkline.authorize import AccessRow, Role, RowFilter, component_of
from trunkline.db import tables
from trunkline.db.database import Database
from trunkline.db.records import AppRecord, LookupRecord, ServiceRecord, User
from trunkline.errors import TrunklineError
from trunkline.revisions import CONFIG
from trunkline.threads import in_thread
from trunkline.vault import Vault

_USERS = 10_000
_RETRY_SECONDS = 1.0


def digest_of(api_key: str) -> str:
    """Answer the digest under which an API key is found; keys are long and random, so a plain hash is enough."""
    return hashlib.sha256(api_key.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(slots=True)
class Snapshot:
    """Everything but users, as it stood at one revision; users are read when first asked for."""

    revision: int = -1
    apps: dict[str, AppRecord] = field(default_factory=dict)
    apps_by_id: dict[int, AppRecord] = field(default_factory=dict)
    roles: dict[int, Role] = field(default_factory=dict)
    services: dict[str, ServiceRecord] = field(default_factory=dict)
    services_by_id: dict[int, ServiceRecord] = field(default_factory=dict)
    # Lookup rows by owner: ("system", 0), ("app", id), ("role", id), ("user", id).
    lookups: dict[tuple[str, int], tuple[LookupRecord, ...]] = field(default_factory=dict)
    users: LRUCache[int, User | None] = field(default_factory=lambda: LRUCache(_USERS))

    def lookups_of(self, kind: str, owner: int | None) -> tuple[LookupRecord, ...]:
        """List the lookup rows of an owner."""
        return self.lookups.get((kind, owner or 0), ())


class Directory:
    """Keeps the current snapshot; ``fresh`` costs one memory read while nothing changed."""

    def __init__(self, database: Database, vault: Vault) -> None:
        """Know where to read from; nothing is loaded yet."""
        self._database = database
        self._vault = vault
        self._loading = asyncio.Lock()
        self._not_before = 0.0
        self.snapshot = Snapshot()

    async def fresh(self) -> Snapshot:
        """Answer a snapshot that has all changes known on this machine; loads one when the held one is stale.

        While the system database is down, the stale one goes on serving, and only one call a second tries again.
        """
        revision = self._database.revisions[CONFIG]
        if self.snapshot.revision == revision:
            return self.snapshot
        if self.snapshot.revision >= 0 and time.monotonic() < self._not_before:
            return self.snapshot
        async with self._loading:
            revision = self._database.revisions[CONFIG]
            if self.snapshot.revision != revision:
                try:
                    self.snapshot = await in_thread(self._load, revision)
                except TrunklineError:
                    self._not_before = time.monotonic() + _RETRY_SECONDS
                    if self.snapshot.revision < 0:
                        raise
        return self.snapshot

    def _load(self, revision: int) -> Snapshot:
        return self._database.read(lambda connection: self.read(connection, revision))

    def read(self, connection: sa.Connection, revision: int = -1) -> Snapshot:
        """Read a snapshot as a connection sees it, also amid a transaction."""
        snapshot = Snapshot(revision)
        for row in connection.execute(sa.select(tables.app)).mappings():
            api_key = self._vault.decrypt(row["api_key"])
            record = AppRecord(row["id"], row["name"], api_key, row["is_active"], row["role_id"])
            snapshot.apps[row["api_key_digest"]] = snapshot.apps_by_id[record.id] = record
        for row in connection.execute(sa.select(tables.service)).mappings():
            service = service_record(row)
            snapshot.services[service.name.lower()] = snapshot.services_by_id[service.id] = service
        snapshot.roles = _roles(connection)
        grouped: dict[tuple[str, int], list[LookupRecord]] = {}
        for row in connection.execute(sa.select(tables.lookup).order_by(tables.lookup.c.id)).mappings():
            value = None if row["value"] is None else self._vault.decrypt(row["value"])
            kind = next((one for one in ("user", "role", "app") if row[f"{one}_id"] is not None), "system")
            owner = 0 if kind == "system" else row[f"{kind}_id"]
            grouped.setdefault((kind, owner), []).append(LookupRecord(row["name"], value, row["private"]))
        snapshot.lookups = {owner: tuple(rows) for owner, rows in grouped.items()}
        return snapshot

    async def user(self, user_id: int) -> User | None:
        """Answer a user with the assignments, or None; read once per revision."""
        snapshot = await self.fresh()
        if user_id in snapshot.users:
            return snapshot.users[user_id]
        found = await self._database.aread(lambda connection: read_user(connection, tables.user.c.id == user_id))
        snapshot.users[user_id] = found
        return found


def service_record(row: Any) -> ServiceRecord:
    """Make a record of a row of the service table."""
    return ServiceRecord(
        row["id"], row["name"], row["label"] or row["name"], row["description"] or "", row["type"],
        row["is_active"], row["config"] or "{}",
    )  # fmt: skip


def read_user(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> User | None:
    """Read the user that a condition selects."""
    row = connection.execute(sa.select(tables.user).where(condition)).mappings().first()
    if row is None:
        return None
    link = tables.user_to_app_to_role
    assigned = connection.execute(
        sa.select(link.c.app_id, link.c.role_id).where(link.c.user_id == row["id"]).order_by(link.c.id)
    )
    names = [name for name in User.__dataclass_fields__ if name != "assignments"]
    return User(**{name: row[name] for name in names}, assignments={row.app_id: row.role_id for row in assigned})


def _roles(connection: sa.Connection) -> dict[int, Role]:
    access = tables.role_service_access
    rows: dict[int, list[AccessRow]] = {}
    for row in connection.execute(sa.select(access).order_by(access.c.id)).mappings():
        rows.setdefault(row["role_id"], []).append(
            AccessRow(
                row["service_id"],
                component_of(row["component"]),
                row["verb_mask"],
                row["requestor_mask"],
                row_filter(json.loads(row["filters"]) if row["filters"] else [], row["filter_op"]),
                response_filter.read(json.loads(row["response_filters"])) if row["response_filters"] else None,
            )
        )
    return {
        row["id"]: Role(row["id"], row["name"], row["is_active"], tuple(rows.get(row["id"], ())))
        for row in connection.execute(sa.select(tables.role)).mappings()
    }


def row_filter(conditions: Sequence[dict[str, Any]], joined_by: str | None) -> RowFilter | None:
    """Make a row filter of stored conditions, or None when there are none."""
    if not conditions:
        return None
    return RowFilter(
        tuple((one.get("name") or "", one.get("operator") or "", one.get("value")) for one in conditions),
        "or" if (joined_by or "").lower() == "or" else "and",
    )
