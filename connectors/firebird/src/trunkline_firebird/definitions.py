"""Changing tables in Firebird's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trunkline_database.definition import ColumnDefinition
from trunkline_database.model import Table, TableName
from trunkline_database.sql import ddl
from trunkline_firebird.dialect import FirebirdDialect
from trunkline_firebird.rendering import short_name


def known(columns: Sequence[ColumnDefinition]) -> tuple[ColumnDefinition, ...]:
    """Say NO ACTION for RESTRICT: there is no such word, but that is what happens."""
    return tuple(
        replace(one, ref_on_update=_rule(one.ref_on_update), ref_on_delete=_rule(one.ref_on_delete)) for one in columns
    )


def add_column(dialect: FirebirdDialect, table: TableName, column: ColumnDefinition, named: ddl.Named) -> list[str]:
    """Write what adds a column with its reference and its index."""
    quote, start = dialect.sa.identifier_preparer.quote, f"ALTER TABLE {ddl.quoted(dialect, table)}"
    (statement,) = ddl.add_column(dialect, table, replace(column, is_unique=False, is_index=False), named)
    made = [f"{start} ADD {statement.removeprefix(f'{start} ADD COLUMN ')}"]
    if column.is_unique or column.is_index:
        name = quote(short_name(f"{table.name}_{column.name}_{'key' if column.is_unique else 'index'}"))
        kind = "UNIQUE INDEX" if column.is_unique else "INDEX"
        made.append(f"CREATE {kind} {name} ON {ddl.quoted(dialect, table)} ({quote(column.name)})")
    return made


def alter_column(dialect: FirebirdDialect, table: Table, column: ColumnDefinition) -> list[str]:
    """Write what changes a column's type, default and whether it takes NULL."""
    old = table.real_column(column.name)
    name = dialect.sa.identifier_preparer.quote(old.name if old else column.name)
    start = f"ALTER TABLE {ddl.quoted(dialect, table.identity)} ALTER COLUMN {name}"
    keeps_type = column.type in ("id", "pk")
    made: list[str] = []
    if column.has_default and old is not None and old.default is not None:
        # A default of the old type may not fit the new one.
        made.append(f"{start} DROP DEFAULT")
    if not keeps_type:
        made.append(f"{start} TYPE {dialect.column_type(column)}")
    if column.has_default and column.default is not None:
        made.append(f"{start} SET DEFAULT {ddl.default_text(dialect, column)}")
    may_change = old is not None and not (keeps_type or old.is_primary_key) and column.allow_null != old.allow_null
    if column.null_given and may_change:
        made.append(f"{start} {'DROP' if column.allow_null else 'SET'} NOT NULL")
    return made


def _rule(rule: str | None) -> str | None:
    return "NO ACTION" if rule == "RESTRICT" else rule
