"""The catalogue of MySQL and MariaDB: one statement for each kind of thing, however many tables there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trunkline_database.model import Constraint, TableName
from trunkline_database.relations import ForeignKey
from trunkline_database.sql.dialect import Dialect, FoundColumn
from trunkline_mysql.connection import Connection

SYSTEM_SCHEMAS = ("information_schema", "mysql", "performance_schema", "sys")
_SYSTEM = ", ".join(f"'{name}'" for name in SYSTEM_SCHEMAS)

# {served} is either one schema, as a value, or all but the system's. Who comes last wins where names differ in case
# only, or where a dot in a name looks like a schema.
_SCHEMAS = "SELECT schema_name FROM information_schema.schemata WHERE {served}"
_TABLES = """
    SELECT table_schema, table_name, table_type = 'VIEW' FROM information_schema.tables
    WHERE {served} AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW')
"""
_REFERENCES = """
    SELECT k.table_schema, k.table_name, min(k.column_name), min(k.referenced_table_schema),
        min(k.referenced_table_name), min(k.referenced_column_name), k.constraint_name
    FROM information_schema.key_column_usage AS k WHERE {served} AND k.referenced_table_name IS NOT NULL
    GROUP BY k.table_schema, k.table_name, k.constraint_name HAVING count(*) = 1
    ORDER BY k.table_schema, k.table_name, k.constraint_name
"""
_RULES = """
    SELECT constraint_schema, table_name, constraint_name, update_rule, delete_rule
    FROM information_schema.referential_constraints WHERE {served}
"""
_UNIQUE_COLUMNS = """
    SELECT table_schema, table_name, min(column_name) FROM information_schema.statistics
    WHERE {served} AND non_unique = 0 GROUP BY table_schema, table_name, index_name HAVING count(*) = 1
"""
_ABOUT = """
    SELECT table_comment FROM information_schema.tables WHERE table_schema = ? AND table_name = ?
"""
_COLUMNS = """
    SELECT column_name, column_type, data_type, is_nullable, column_default, extra, column_comment, collation_name
    FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position
"""
_CHECKS = """
    SELECT constraint_name, check_clause FROM information_schema.check_constraints
    WHERE constraint_schema = ? AND table_name = ? AND level = 'Column'
"""
_KEYS = """
    SELECT constraint_name, column_name, referenced_table_schema, referenced_table_name, referenced_column_name
    FROM information_schema.key_column_usage WHERE table_schema = ? AND table_name = ?
    ORDER BY constraint_name, ordinal_position
"""
_INDEXES = """
    SELECT index_name, non_unique = 0, column_name FROM information_schema.statistics
    WHERE table_schema = ? AND table_name = ? ORDER BY index_name, seq_in_index
"""
_ESCAPED = re.compile(r"''|\\(.)", re.DOTALL)
_ESCAPES = {"0": "\0", "n": "\n", "r": "\r", "Z": "\x1a"}


@dataclass(frozen=True, slots=True)
class Served:
    """Which schemas are served: one, or all but the system's. Those of ``home`` are named without their schema."""

    home: str
    only: str | None

    def where(self, column: str) -> tuple[str, Sequence[str]]:
        """Answer a condition with its values."""
        return (f"{column} NOT IN ({_SYSTEM})", ()) if self.only is None else (f"{column} = ?", (self.only,))

    def public(self, schema: str, name: str) -> str:
        """Answer the name for clients."""
        return name if schema == self.home else f"{schema}.{name}"


@dataclass(frozen=True, slots=True)
class Detail:
    """What must be said of a column again when it is changed."""

    column: FoundColumn
    column_type: str
    extra: str
    collation: str | None
    check: str | None
    # Whether the default is an expression, and not a literal.
    computes_default: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What the catalogue says of one table."""

    columns: list[FoundColumn]
    constraints: list[Constraint]
    indexes: list[tuple[tuple[str, ...], bool]]
    description: str | None


async def schemas(connection: Connection, served: Served) -> list[str]:
    """List the schemas that the login may see, without the system's."""
    return [name for (name,) in await _served(connection, _SCHEMAS, served, "schema_name")]


async def tables(connection: Connection, served: Served) -> list[TableName]:
    """List tables and views."""
    found = await _served(connection, _TABLES, served, "table_schema")
    names = [TableName(name, schema, served.public(schema, name), bool(is_view)) for schema, name, is_view in found]
    return sorted(names, key=lambda one: (one.schema == served.home, one.name == one.name.lower(), one.key))


async def foreign_keys(connection: Connection, served: Served) -> list[ForeignKey]:
    """List the foreign keys of one column between the tables that are served."""
    found = await _served(connection, _REFERENCES, served, "k.table_schema")
    if not found:
        # Asking costs the server a look at every table.
        return []
    rules = await _served(connection, _RULES, served, "constraint_schema")
    known = {(schema, table, name): (update, delete) for schema, table, name, update, delete in rules}
    unique = {tuple(row) for row in await _served(connection, _UNIQUE_COLUMNS, served, "table_schema")}
    return [
        ForeignKey(
            served.public(schema, table), column, served.public(ref_schema, ref_table), ref_column,
            *known.get((schema, table, name), ("NO ACTION", "NO ACTION")), unique=(schema, table, column) in unique,
        )
        for schema, table, column, ref_schema, ref_table, ref_column, name in found
        if served.only in (None, ref_schema) and ref_schema not in SYSTEM_SCHEMAS
    ]  # fmt: skip


async def describe(connection: Connection, dialect: Dialect, served: Served, table: TableName) -> Found | None:
    """Read all about one table, or answer None when it is gone."""
    details = await columns(connection, dialect, table)
    if not details:
        return None
    found = [one.column for one in details]
    if table.is_view:
        return Found(found, [], [], None)
    place = (table.schema, table.name)
    about = await connection.rows(_ABOUT, place)
    indexes = _grouped(await connection.rows(_INDEXES, place))
    return Found(
        found,
        await _constraints(connection, served, table),
        # An index of an expression has a column without a name.
        [(tuple(row[1] for row in rows if row[1]), bool(rows[0][0])) for rows in indexes.values()],
        about[0][0] or None if about else None,
    )


async def columns(connection: Connection, dialect: Dialect, table: TableName) -> list[Detail]:
    """Read the columns of one table or view; none when it is gone."""
    place = (table.schema, table.name)
    rows = await connection.rows(_COLUMNS, place)
    mariadb = connection.server.is_mariadb
    # MySQL has no checks of columns that would be lost, and a JSON type of its own.
    checks: dict[str, str] = dict(await connection.rows(_CHECKS, place)) if mariadb else {}  # type: ignore[arg-type]
    return [_detail(dialect, row, checks.get(row[0]), mariadb) for row in rows]


async def _constraints(connection: Connection, served: Served, table: TableName) -> list[Constraint]:
    place = (table.schema, table.name)
    keys = _grouped(await connection.rows(_KEYS, place))
    rules = await connection.rows(_RULES.format(served="constraint_schema = ? AND table_name = ?"), place)
    known = {row[2]: (row[3], row[4]) for row in rules}
    found: list[Constraint] = []
    for name, rows in keys.items():
        names = [row[0] for row in rows]
        _, ref_schema, ref_table, _ = rows[0]
        if name == "PRIMARY":
            found.append(Constraint.of(table, "PRIMARY KEY", names))
        elif ref_table is None:
            found.append(Constraint.of(table, "UNIQUE", names, name))
        else:
            on_update, on_delete = known.get(name, ("NO ACTION", "NO ACTION"))
            made = Constraint.of(table, "FOREIGN KEY", names, name)
            found.append(
                replace(
                    made,
                    ref_table=served.public(ref_schema, ref_table),
                    ref_columns=tuple(row[3] for row in rows),
                    on_update=on_update,
                    on_delete=on_delete,
                )
            )
    order = ("PRIMARY KEY", "UNIQUE", "FOREIGN KEY")
    return sorted(found, key=lambda one: (order.index(one.kind), one.name))


async def _served(connection: Connection, sql: str, served: Served, column: str) -> list[Any]:
    condition, values = served.where(column)
    return await connection.rows(sql.format(served=condition), values)


def _grouped(rows: Iterable[Sequence[Any]]) -> dict[str, list[Sequence[Any]]]:
    groups: dict[str, list[Sequence[Any]]] = {}
    for first, *rest in rows:
        groups.setdefault(first, []).append(rest)
    return groups


def _detail(dialect: Dialect, row: Sequence[Any], check: str | None, mariadb: bool) -> Detail:
    name, column_type, data_type, nullable, default, extra, comment, collation = row
    # A JSON column of MariaDB is a text with a check, which is quoted as the session's modes say.
    is_json = data_type == "json" or (data_type == "longtext" and check in _json_checks(name))
    flags = extra.lower()
    text, computes = _default(default, data_type, flags, mariadb)
    column = FoundColumn(
        name=name,
        declared=dialect.declared("json" if is_json else column_type),
        nullable=nullable == "YES",
        default=text,
        counts="auto_increment" in flags,
        generated="generated" in flags.replace("default_generated", ""),
        description=comment or None,
        loose=bool(collation) and collation.endswith("_ci") and not collation.endswith("_as_ci"),
    )
    return Detail(column, "json" if is_json else column_type, flags, collation, None if is_json else check, computes)


def _default(default: Any, data_type: str, extra: str, mariadb: bool) -> tuple[str | None, bool]:
    """Answer a default as SQL text, and whether it is an expression.

    MariaDB writes what it would take, in quotes and with backslashes; MySQL writes texts as they are.
    """
    if default is None or (mariadb and default == "NULL"):
        return None, False
    text = str(default)
    if mariadb:
        if len(text) > 1 and text[0] == text[-1] == "'":
            return f"'{_ESCAPED.sub(_unescaped, text[1:-1])}'", False
        return text, not _is_plain(text)
    if "default_generated" in extra or text.upper().startswith("CURRENT_TIMESTAMP"):
        return text, True
    if data_type in ("bit",) or _is_plain(text):
        return text, False
    return "'" + text.replace("'", "''") + "'", False


def _unescaped(found: re.Match[str]) -> str:
    if found[0] == "''":
        return found[0]
    plain = _ESCAPES.get(found[1], found[1])
    return "''" if plain == "'" else plain


def _is_plain(text: str) -> bool:
    """Say whether a default is a number, or bits."""
    return re.fullmatch(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?|[bx]'[0-9a-f]*'", text, re.IGNORECASE) is not None


def _json_checks(name: str) -> tuple[str, ...]:
    return tuple(f"json_valid({mark}{name.replace(mark, mark * 2)}{mark})" for mark in '`"')
