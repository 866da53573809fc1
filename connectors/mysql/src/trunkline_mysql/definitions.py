"""Changing tables in MySQL's words: all that belongs together in one statement, as each commits by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import sqlalchemy as sa

from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.definition import ColumnDefinition
from trunkline_database.model import TableName
from trunkline_database.sql import ddl
from trunkline_database.store import StaleSchema
from trunkline_mysql.catalogue import Detail
from trunkline_mysql.dialect import MOMENTS, MysqlDialect

_FRACTION = re.compile(r"\((\d)\)")


def add_columns(dialect: MysqlDialect, table: TableName, columns: Sequence[ColumnDefinition], named: ddl.Named) -> str:
    """Write what adds columns. MySQL reads over references within a column, so they are keys of their own."""
    start = f"ALTER TABLE {ddl.quoted(dialect, table)}"
    parts: list[str] = []
    for one in columns:
        bare = replace(one, ref_table=None, is_unique=False, is_index=False)
        (statement,) = ddl.add_column(dialect, table, bare)
        parts.append(statement.removeprefix(start).strip())
        parts += _keys(dialect, table, one, named)
    return f"{start} {', '.join(parts)}"


def _keys(dialect: MysqlDialect, table: TableName, column: ColumnDefinition, named: ddl.Named) -> Iterator[str]:
    quote = dialect.sa.identifier_preparer.quote
    if column.is_unique or column.is_index:
        name = quote(f"{table.name}_{column.name}_{'key' if column.is_unique else 'index'}")
        yield f"ADD {'UNIQUE ' if column.is_unique else ''}INDEX {name} ({quote(column.name)})"
    if column.ref_table:
        yield f"ADD FOREIGN KEY ({quote(column.name)}){ddl.reference(dialect, column, named)}"


def alter_columns(
    dialect: MysqlDialect, table: TableName, columns: Sequence[ColumnDefinition], details: Sequence[Detail]
) -> str:
    """Write what changes columns. What is not said again is lost, so all that stays is said again."""
    known = {one.column.name.lower(): one for one in details}
    parts = []
    for one in columns:
        detail = known.get(one.name.lower())
        if detail is None:
            raise StaleSchema("The table is no longer as it was described. Try again.")
        if detail.column.generated:
            raise BadRequest(f"Field '{one.name}' is computed by the database and can not be changed.")
        parts.append(f"MODIFY COLUMN {_changed(dialect, one, detail)}")
    return f"ALTER TABLE {ddl.quoted(dialect, table)} {', '.join(parts)}"


def _changed(dialect: MysqlDialect, column: ColumnDefinition, old: Detail) -> str:
    name = dialect.sa.identifier_preparer.quote(old.column.name)
    kind = old.column_type if column.type in ("id", "pk") else dialect.column_type(column)
    declared = dialect.declared(kind)
    words = [name, kind]
    if old.collation and declared.type in ("string", "text"):
        words.append(f"COLLATE {old.collation}")
    nullable = column.allow_null if column.null_given else old.column.nullable
    words.append("NULL" if nullable else "NOT NULL")
    # As many digits as the type has, or the server refuses.
    digits = _FRACTION.search(kind)
    now = f"CURRENT_TIMESTAMP{digits[0] if digits else ''}" if declared.type in MOMENTS else None
    if (default := _default(dialect, column, old, now)) is not None:
        words.append(f"DEFAULT {default}")
    if "on update" in old.extra and now:
        words.append(f"ON UPDATE {now}")
    if old.column.counts and declared.type in types.INTEGERS:
        words.append("AUTO_INCREMENT")
    if old.column.description:
        words.append(f"COMMENT {_literal(dialect, old.column.description)}")
    if old.check:
        words.append(f"CHECK ({old.check})")
    return " ".join(words)


def _default(dialect: MysqlDialect, column: ColumnDefinition, old: Detail, now: str | None) -> str | None:
    if column.has_default:
        return ddl.default_text(dialect, column)
    text = old.column.default
    if text is None or old.column.counts:
        return None
    if old.computes_default:
        return now if now and text.lower().startswith("current_timestamp") else f"({text})"
    return _literal(dialect, text[1:-1].replace("''", "'")) if text.startswith("'") else text


def _literal(dialect: MysqlDialect, text: str) -> str:
    """Write a text as a literal for a session in which a backslash escapes."""
    compiler = dialect.sa.statement_compiler(dialect.sa, None)
    return str(compiler.render_literal_value(text, sa.String()))
