"""What a database service remembers beside its database, as records: labels, aliases, virtual relations and so on."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from trunkline.app import App
from trunkline.db import tables
from trunkline_database import remembered
from trunkline_system.fields import as_json, from_json, invalid
from trunkline_system.model import Model, Row, Work

_FACTS = ("type", "field", "ref_service_id", "ref_table", "ref_field")
_JUNCTION = ("junction_service_id", "junction_table", "junction_field", "junction_ref_field")

# As the database family makes it; only for statements.
db_extra = sa.Table(
    "db_extra",
    sa.MetaData(),
    tables.id_column(),
    sa.Column("service_id", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("table_name", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False, default=""),
    sa.Column("data", tables.LONG_TEXT),
)


class ExtraModel(Model):
    """What is remembered of one table, field or relation."""

    table = db_extra
    natural_key = ("kind", "table_name", "name")

    @classmethod
    def shown(cls, app: App, row: Row) -> dict[str, Any]:
        """Show the words as the object that they are."""
        return {**super().shown(app, row), "data": from_json(row["data"], {})}

    @classmethod
    def must_be_sent(cls, column: sa.Column[Any]) -> bool:
        """Take the service from the place in the file."""
        return column.name != "service_id" and super().must_be_sent(column)

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Check the words as the family checks those of clients, as far as that needs no database."""
        values = super().values(work, {name: one for name, one in given.items() if name != "data"}, row)
        whole = dict(row or {}) | values
        data = given.get("data")
        if not isinstance(data, dict) or not data:
            raise invalid("data", "The data field must be an object that is not empty.")
        if whole["kind"] == "table":
            words = remembered.table_words(data, whole["table_name"], [str(data.get("name_field"))])
        elif whole["kind"] == "field":
            words = remembered.field_words(data, whole["name"], virtual=bool(data.get("is_virtual")))
        elif whole["kind"] == "relation":
            words = {**remembered.relation_words(data, whole["name"]), **_facts(data)}
        else:
            raise invalid("kind", "The kind field must be table, field or relation.")
        kept = {name: value for name, value in words.items() if value is not None}
        if unknown := data.keys() - words.keys():
            raise invalid("data", f"The data field has an unknown entry '{min(unknown)[:64]}'.")
        return {**values, "data": as_json(kept)}


def _facts(data: dict[str, Any]) -> dict[str, Any]:
    """Check what a relation without a foreign key cannot do without."""
    if not data.get("is_virtual"):
        return {}
    needed = (*_FACTS, *_JUNCTION) if data.get("type") == "many_many" else _FACTS
    for name in needed:
        wanted = int if name.endswith("_id") else str
        if not isinstance(data.get(name), wanted) or isinstance(data[name], bool):
            raise invalid("data", f"The data of a virtual relation needs {name}.")
    return {name: data[name] for name in needed} | {"is_virtual": True}
