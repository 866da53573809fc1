"""Changing tables in SQL Server's words; what a constraint is called must be known to take it away."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline_database.definition import ColumnDefinition
from trunkline_database.model import Column, TableName
from trunkline_database.sql import ddl
from trunkline_sqlsrv.dialect import SqlsrvDialect

_KEYS = ("id", "pk")


def add_column(
    dialect: SqlsrvDialect, table: TableName, definition: ColumnDefinition, named: ddl.Named
) -> Sequence[str]:
    """Write what adds a column; there is no word COLUMN here."""
    first, *others = ddl.add_column(dialect, table, definition, named)
    start = f"ALTER TABLE {ddl.quoted(dialect, table)} ADD"
    return [f"{start}{first.removeprefix(f'{start} COLUMN')}", *others]


def alter_column(
    dialect: SqlsrvDialect, table: TableName, definition: ColumnDefinition, nullable: bool, defaults: Sequence[str]
) -> list[str]:
    """Write what changes a column: its default gives way first, and what is not said of NULL stays as it is."""
    quote = dialect.sa.identifier_preparer.quote
    start, name = f"ALTER TABLE {ddl.quoted(dialect, table)}", quote(definition.name)
    statements = [f"{start} DROP CONSTRAINT {quote(one)}" for one in defaults if definition.has_default]
    if definition.type not in _KEYS:
        takes_null = definition.allow_null if definition.null_given else nullable
        word = "NULL" if takes_null and not definition.is_primary_key else "NOT NULL"
        statements.append(f"{start} ALTER COLUMN {name} {dialect.column_type(definition)} {word}")
    if definition.has_default and definition.default is not None:
        statements.append(f"{start} ADD DEFAULT {ddl.default_text(dialect, definition)} FOR {name}")
    return statements


def drop_column(dialect: SqlsrvDialect, table: TableName, column: Column, defaults: Sequence[str]) -> list[str]:
    """Write what drops a column with its default."""
    quote = dialect.sa.identifier_preparer.quote
    start = f"ALTER TABLE {ddl.quoted(dialect, table)} DROP"
    return [*(f"{start} CONSTRAINT {quote(one)}" for one in defaults), f"{start} COLUMN {quote(column.name)}"]
