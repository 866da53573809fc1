"""Reading the structure of a database through SQLAlchemy's inspector, in bulk where there is a bulk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from trunkline_database.model import Column, Constraint, Table, TableName
from trunkline_database.relations import ForeignKey, relations_of
from trunkline_database.sql.dialect import Declared, Dialect, FoundColumn

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def list_tables(connection: sa.Connection) -> list[TableName]:
    """List tables and views of the default schema."""
    inspector = sa.inspect(connection)
    tables = [TableName(str(name)) for name in inspector.get_table_names()]
    return tables + [TableName(str(name), is_view=True) for name in inspector.get_view_names()]


def describe(
    connection: sa.Connection, dialect: Dialect, name: TableName, keys: list[ForeignKey], service_id: int
) -> Table | None:
    """Describe one table, or answer None when it is gone."""
    found = dialect.columns(connection, name)
    if not found:
        return None
    constraints, indexes = (
        ([], [])
        if name.is_view
        else (
            dialect.constraints(connection, name),
            dialect.indexes(connection, name),
        )
    )
    return assemble(name, found, constraints, indexes, keys, service_id)


def assemble(
    name: TableName,
    found: Sequence[FoundColumn],
    constraints: Sequence[Constraint],
    indexes: Sequence[tuple[tuple[str, ...], bool]],
    keys: list[ForeignKey],
    service_id: int,
    description: str | None = None,
) -> Table:
    """Put together what was read of a table, however it was read."""
    known = _Known(constraints, indexes, [key for key in keys if key.table == name.key])
    columns = tuple(known.column(one) for one in found)
    relations = relations_of(name.key, keys, service_id)
    return Table(name, columns, relations, tuple(constraints), description=description)


class _Known:
    """What is known of a table beside its columns."""

    def __init__(
        self, constraints: Sequence[Constraint], indexes: Sequence[tuple[tuple[str, ...], bool]], keys: list[ForeignKey]
    ) -> None:
        self._keys = {key.column: key for key in keys}
        self._primary = next((one.columns for one in constraints if one.kind == "PRIMARY KEY"), ())
        uniques = [one.columns for one in constraints if one.kind == "UNIQUE"]
        uniques += [columns for columns, unique in indexes if unique]
        self._unique = {columns[0] for columns in uniques if len(columns) == 1}
        self._indexed = {columns[0] for columns, unique in indexes if columns and not unique}

    def column(self, found: FoundColumn) -> Column:
        name, declared = found.name, found.declared
        primary = name in self._primary
        counts = found.counts and primary
        key = self._keys.get(name)
        return Column(
            name=name,
            type=_type(declared, counts, key),
            db_type=declared.db_type,
            description=found.description,
            length=declared.length,
            precision=declared.precision,
            scale=declared.scale,
            default=None if counts or found.generated else default_of(found.default, declared.type),
            allow_null=found.nullable and not primary,
            fixed_length=declared.fixed_length,
            supports_multibyte=declared.supports_multibyte,
            auto_increment=counts,
            is_primary_key=primary,
            is_unique=name in self._unique,
            is_index=name in self._indexed,
            ref_table=key.ref_table if key else None,
            ref_field=key.ref_column if key else None,
            is_generated=found.generated,
            is_loose=found.loose,
        )


def _type(declared: Declared, counts: bool, key: ForeignKey | None) -> str:
    if counts:
        return "id"
    # A reference is a number; a foreign key of text keeps its own type, as recorded.
    return "reference" if key is not None and declared.type == "integer" else declared.type


def default_of(text: Any, kind: str) -> Any:
    """Turn the text of a default into a value where it is a plain one."""
    if text is None:
        return None
    text = str(text).strip()
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    if text.upper() == "NULL":
        return None
    if kind == "boolean" and text.strip("'").lower() in ("0", "1", "true", "false"):
        return text.strip("'").lower() in ("1", "true")
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text
