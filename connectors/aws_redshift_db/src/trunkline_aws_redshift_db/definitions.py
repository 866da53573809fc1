"""Making and changing tables in Redshift's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trunkline_aws_redshift_db.dialect import RedshiftDialect
from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.model import TableName
from trunkline_database.sql import ddl

_KEYS = ("id", "pk")


def create_table(dialect: RedshiftDialect, definition: TableDefinition, named: ddl.Named) -> list[str]:
    """Write what makes a table: keys, uniques and references are declared, though nothing enforces them."""
    quote = dialect.sa.identifier_preparer.quote
    columns = definition.columns
    parts = [_column(dialect, one) for one in columns]
    if keys := [quote(one.name) for one in columns if one.type in _KEYS or one.is_primary_key]:
        parts.append(f"PRIMARY KEY ({', '.join(keys)})")
    parts += [f"UNIQUE ({quote(one.name)})" for one in columns if one.is_unique]
    parts += [
        f"FOREIGN KEY ({quote(one.name)}){ddl.reference(dialect, _without_rules(one), named)}"
        for one in columns
        if one.ref_table
    ]
    return [f"CREATE TABLE {ddl.quoted(dialect, named(definition.name))} ({', '.join(parts)})"]


def add_column(
    dialect: RedshiftDialect, table: TableName, definition: ColumnDefinition, named: ddl.Named
) -> Sequence[str]:
    """Write what adds a column, and then declares what it is: a new column can not be declared in one statement."""
    quote = dialect.sa.identifier_preparer.quote
    start, name = f"ALTER TABLE {ddl.quoted(dialect, table)}", quote(definition.name)
    statements = [f"{start} ADD COLUMN {_column(dialect, definition)}"]
    if definition.is_unique:
        statements.append(f"{start} ADD UNIQUE ({name})")
    if definition.ref_table:
        target = ddl.reference(dialect, _without_rules(definition), named)
        statements.append(f"{start} ADD FOREIGN KEY ({name}){target}")
    return statements


def alter_column(dialect: RedshiftDialect, table: TableName, definition: ColumnDefinition) -> str:
    """Write what changes the length of a text."""
    name = dialect.sa.identifier_preparer.quote(definition.name)
    return f"ALTER TABLE {ddl.quoted(dialect, table)} ALTER COLUMN {name} TYPE {dialect.column_type(definition)}"


def _column(dialect: RedshiftDialect, definition: ColumnDefinition) -> str:
    words = [dialect.sa.identifier_preparer.quote(definition.name)]
    key = definition.type in _KEYS
    words.append(dialect.counting if key else dialect.column_type(definition))
    if definition.has_default or definition.type in dialect.born_now:
        words.append(f"DEFAULT {ddl.default_text(dialect, definition)}")
    if key or definition.is_primary_key or not definition.allow_null:
        words.append("NOT NULL")
    return " ".join(words)


def _without_rules(definition: ColumnDefinition) -> ColumnDefinition:
    return replace(definition, ref_on_update=None, ref_on_delete=None)
