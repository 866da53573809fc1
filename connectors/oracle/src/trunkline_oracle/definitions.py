"""Changing tables in Oracle's words: what belongs together in one statement, as each commits by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from trunkline.errors import BadRequest
from trunkline_database.definition import ColumnDefinition
from trunkline_database.model import TableName
from trunkline_database.sql import ddl
from trunkline_database.sql.dialect import FoundColumn
from trunkline_database.store import StaleSchema
from trunkline_oracle.dialect import OracleDialect
from trunkline_oracle.rendering import JSON_TEXT, cascades, moment_default, short_name

_KEYS = ("id", "pk")


def add_columns(
    dialect: OracleDialect, table: TableName, columns: Sequence[ColumnDefinition], named: ddl.Named
) -> list[str]:
    """Write what adds columns with their keys, and then their indexes."""
    quote = dialect.sa.identifier_preparer.quote
    target = ddl.quoted(dialect, table)
    parts, indexes = [], []
    for one in columns:
        text = _specification(dialect, table, one)
        if one.is_unique:
            text += " UNIQUE"
        elif one.is_index:
            name = quote(short_name(f"{table.name}_{one.name}_index"))
            indexes.append(f"CREATE INDEX {name} ON {target} ({quote(one.name)})")
        if one.ref_table:
            field = quote(one.ref_field or "id")
            text += f" REFERENCES {ddl.quoted(dialect, named(one.ref_table))} ({field})"
            text += cascades(one.ref_on_update, one.ref_on_delete)
        parts.append(text)
    return [f"ALTER TABLE {target} ADD ({', '.join(parts)})", *indexes]


def alter_columns(
    dialect: OracleDialect, table: TableName, columns: Sequence[ColumnDefinition], found: Sequence[FoundColumn]
) -> list[str]:
    """Write what changes columns; what is not said stays, and what is so already must not be said."""
    known = {one.name.lower(): one for one in found}
    parts = []
    for one in columns:
        old = known.get(one.name.lower())
        if old is None:
            raise StaleSchema("The table is no longer as it was described. Try again.")
        if old.generated:
            raise BadRequest(f"Field '{one.name}' is computed by the database and can not be changed.")
        name = dialect.sa.identifier_preparer.quote(old.name)
        if words := list(_changes(dialect, one, old, name)):
            parts.append(" ".join((name, *words)))
    return [f"ALTER TABLE {ddl.quoted(dialect, table)} MODIFY ({', '.join(parts)})"] if parts else []


def _changes(dialect: OracleDialect, column: ColumnDefinition, old: FoundColumn, name: str) -> Iterator[str]:
    kind = "" if column.type in _KEYS else dialect.column_type(column)
    becomes_json = kind == JSON_TEXT and old.declared.type != "json"
    wanted = "CLOB" if kind == JSON_TEXT else kind
    # Long columns refuse to be told even what they are.
    if wanted and wanted.upper() != old.declared.db_type.upper() and not (kind == JSON_TEXT and not becomes_json):
        yield wanted
    if column.has_default and kind:
        yield f"DEFAULT {moment_default(column.name, kind, ddl.default_text(dialect, column))}"
    if column.null_given and column.allow_null != old.nullable and not old.counts:
        yield "NULL" if column.allow_null else "NOT NULL"
    if becomes_json:
        yield f"CHECK ({name} IS JSON)"


def _specification(dialect: OracleDialect, table: TableName, column: ColumnDefinition) -> str:
    """Write a column without what is said behind it, or apart."""
    bare = replace(column, ref_table=None, is_unique=False, is_index=False)
    (statement,) = ddl.add_column(dialect, table, bare)
    return statement.removeprefix(f"ALTER TABLE {ddl.quoted(dialect, table)} ADD COLUMN ")
