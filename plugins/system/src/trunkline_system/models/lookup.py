"""Lookups: values kept encrypted, private ones masked (system-api 7.7)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from trunkline.app import App
from trunkline.call import Call
from trunkline.db import tables
from trunkline.vault import MASK
from trunkline_system.fields import invalid
from trunkline_system.model import STAMPS, Model, Row, Work

_OWNERS = ("app_id", "role_id", "user_id")


class Lookup(Model):
    """A lookup, owned by an app, a role or a user, or by nobody and then global."""

    table = tables.lookup
    sibling_key = "name"
    read_only = frozenset({"id", *_OWNERS}) | STAMPS
    owners = frozenset(_OWNERS)

    @classmethod
    def shown(cls, app: App, row: Row) -> dict[str, Any]:
        """Decrypt the value, or mask it."""
        value = row["value"]
        if value is not None:
            value = MASK if row["private"] else app.vault.decrypt(value)
        return {**super().shown(app, row), "value": value}

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Encrypt the value; the mask of a private one keeps what is stored."""
        given = dict(given)
        if row is not None and row["private"] and given.get("value") == MASK:
            del given["value"]
        owner = {name: given.get(name) if row is None else row[name] for name in _OWNERS}
        values = super().values(work, given, row)
        if values.get("value") is not None:
            values["value"] = work.app.vault.encrypt(values["value"])
        if row is None:
            # Set by the parent's relation, never by the client: the resource itself makes global ones.
            values |= {name: parent for name, parent in owner.items() if parent is not None}
        cls._check_name(work, values.get("name"), owner, row)
        return values

    @classmethod
    def _check_name(cls, work: Work, name: str | None, owner: dict[str, Any], row: Row | None) -> None:
        if name is None:
            return
        table = cls.table
        query = sa.select(table.c.id).where(table.c.name == name, *(table.c[key] == owner[key] for key in _OWNERS))
        if row is not None:
            query = query.where(table.c.id != row["id"])
        if work.connection.execute(query).first() is not None:
            raise invalid("name", "Lookup name can not be modified to one that already exists.")


class GlobalLookup(Lookup):
    """The lookups that belong to nobody."""

    resource = "lookup"

    @classmethod
    def scope(cls, _call: Call) -> sa.ColumnElement[bool]:
        """Hide those of apps, roles and users: they are reached through their owners."""
        return sa.and_(*(cls.table.c[name].is_(None) for name in _OWNERS))

    @classmethod
    def shown(cls, app: App, row: Row) -> dict[str, Any]:
        """Leave the owner columns out, as there is no owner."""
        return {name: value for name, value in super().shown(app, row).items() if name not in _OWNERS}

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Drop owners that a client sends."""
        return super().values(work, {name: value for name, value in given.items() if name not in _OWNERS}, row)
