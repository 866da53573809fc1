"""Values that clients keep for themselves, by name (system-api 7.10)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from trunkline.app import App
from trunkline.db import tables
from trunkline_system.fields import from_json, invalid, json_text
from trunkline_system.model import Model, Row, Work

custom = sa.Table(
    "custom",
    sa.MetaData(),
    tables.id_column(),
    sa.Column("name", sa.String(255), unique=True, nullable=False),
    # JSON, whatever it is.
    sa.Column("value", tables.LONG_TEXT),
    *tables.stamps(),
)


class CustomModel(Model):
    """A value under a name, which is its key."""

    table = custom
    key = "name"
    resource = "custom"
    hidden = frozenset({"id"})
    shapes = {"value": {}}  # noqa: RUF012 - declared as a ClassVar by the parent

    @classmethod
    def shown(cls, app: App, row: Row) -> dict[str, Any]:
        """Show the value as it was sent."""
        return {**super().shown(app, row), "value": from_json(row["value"], None)}

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Keep any JSON value; the name stays what it was when the record was made."""
        if row is not None and "value" not in given:
            # Who sends the value itself instead of a record shall not be told that it was kept.
            raise invalid("value", "The value field is required.")
        dropped = ("value",) if row is None else ("value", "name")
        values = super().values(work, {key: one for key, one in given.items() if key not in dropped}, row)
        return {**values, "value": json_text(given.get("value"))}
