"""Redshift's catalogue, in what is left there of PostgreSQL 8.0's: no lateral joins, no arrays in results.

All of it is of the leader node; nothing here may be joined with tables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from trunkline_database.model import Constraint, ConstraintKind, TableName
from trunkline_database.relations import ForeignKey
from trunkline_database.sql.dialect import Dialect, FoundColumn
from trunkline_database.sql.postgresql_catalogue import Found, plain_default, public_name

_KINDS: dict[str, ConstraintKind] = {"p": "PRIMARY KEY", "u": "UNIQUE", "f": "FOREIGN KEY"}
_NOTHING = "NO ACTION"
_COUNTS = re.compile(r'"?(default_)?identity"?\(')
# As many columns as a key may have here.
_PLACES = "(SELECT generate_series(1, 16) AS place) AS s"
SERVED = """n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND ($1::text IS NULL OR n.nspname = $1) AND has_schema_privilege(n.nspname, 'USAGE')"""

TABLES = f"""
    SELECT n.nspname AS schema, c.relname AS name, c.relkind = 'v' AS is_view, n.nspname = current_schema() AS home
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'v') AND {SERVED}
    ORDER BY n.nspname = current_schema(), c.relname = lower(c.relname), n.nspname, c.relname
"""  # noqa: S608 - all of it is ours
FOREIGN_KEYS = f"""
    SELECT n.nspname AS schema, c.relname AS name, n.nspname = current_schema() AS home, a.attname AS column_name,
      rn.nspname AS ref_schema, rc.relname AS ref_name, rn.nspname = current_schema() AS ref_home,
      ra.attname AS ref_column_name,
      EXISTS (
        SELECT 1 FROM pg_constraint u WHERE u.conrelid = k.conrelid AND u.contype IN ('p', 'u')
        AND u.conkey[1] = k.conkey[1] AND u.conkey[2] IS NULL
      ) AS is_unique
    FROM pg_constraint k
      JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_class rc ON rc.oid = k.confrelid JOIN pg_namespace rn ON rn.oid = rc.relnamespace
      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
      JOIN pg_attribute ra ON ra.attrelid = k.confrelid AND ra.attnum = k.confkey[1]
    WHERE k.contype = 'f' AND k.conkey[2] IS NULL AND {SERVED}
    ORDER BY n.nspname, c.relname, k.conkey[1], k.conname
"""  # noqa: S608 - likewise
ABOUT = """
    SELECT c.oid, obj_description(c.oid, 'pg_class') AS description
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'v')
"""
COLUMNS = """
    SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS db_type, a.attnotnull AS required,
      pg_get_expr(d.adbin, d.adrelid) AS default_text, col_description(a.attrelid, a.attnum) AS description
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
"""
# Views WITH NO SCHEMA BINDING have no columns in the catalogue.
LATE_COLUMNS = """
    SELECT col_name AS name, col_type AS db_type
    FROM pg_get_late_binding_view_cols() AS c (view_schema name, view_name name, col_name name, col_type varchar,
      col_num int)
    WHERE view_schema = $1 AND view_name = $2
    ORDER BY col_num
"""
CONSTRAINTS = f"""
    SELECT k.conname AS name, k.contype::text AS kind, s.place, a.attname AS column_name,
      rn.nspname AS ref_schema, rc.relname AS ref_name, rn.nspname = current_schema() AS ref_home,
      ra.attname AS ref_column_name
    FROM pg_constraint k
      JOIN {_PLACES} ON k.conkey[s.place] IS NOT NULL
      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[s.place]
      LEFT JOIN pg_class rc ON rc.oid = k.confrelid
      LEFT JOIN pg_namespace rn ON rn.oid = rc.relnamespace
      LEFT JOIN pg_attribute ra ON ra.attrelid = k.confrelid AND ra.attnum = k.confkey[s.place]
    WHERE k.conrelid = $1 AND k.contype IN ('p', 'u', 'f')
    ORDER BY k.contype = 'f', k.contype = 'u', k.conname, s.place
"""  # noqa: S608 - likewise


async def tables(connection: Any, schema: str | None) -> list[TableName]:
    """List the tables and views of a schema, or of all."""
    return [
        TableName(row["name"], row["schema"], public_name(row["schema"], row["name"], row["home"]), row["is_view"])
        for row in await connection.fetch(TABLES, schema)
    ]


async def foreign_keys(connection: Any, schema: str | None) -> list[ForeignKey]:
    """List the declared foreign keys of one column; nothing enforces them, and they have no rules."""
    return [
        ForeignKey(
            table=public_name(row["schema"], row["name"], row["home"]),
            column=row["column_name"],
            ref_table=public_name(row["ref_schema"], row["ref_name"], row["ref_home"]),
            ref_column=row["ref_column_name"],
            on_update=_NOTHING,
            on_delete=_NOTHING,
            unique=row["is_unique"],
        )
        for row in await connection.fetch(FOREIGN_KEYS, schema)
        if schema is None or row["ref_schema"] == schema
    ]


async def describe(connection: Any, dialect: Dialect, table: TableName) -> Found | None:
    """Read all about one table, or answer None when it is gone."""
    about = await connection.fetchrow(ABOUT, table.schema, table.name)
    if about is None:
        return None
    columns = [_column(dialect, row) for row in await connection.fetch(COLUMNS, about["oid"])]
    if table.is_view:
        late = [] if columns else await connection.fetch(LATE_COLUMNS, table.schema, table.name)
        columns += [
            FoundColumn(row["name"], dialect.declared(row["db_type"]), True, None, counts=False, generated=False)
            for row in late
        ]
        return Found(columns, [], [], about["description"])
    constraints = _constraints(table, await connection.fetch(CONSTRAINTS, about["oid"]))
    return Found(columns, constraints, [], about["description"])


def _column(dialect: Dialect, row: Any) -> FoundColumn:
    declared, default = dialect.declared(row["db_type"]), row["default_text"]
    counts = bool(default and _COUNTS.match(default))
    return FoundColumn(
        name=row["name"],
        declared=declared,
        nullable=not row["required"],
        default=default if counts else plain_default(default, declared.type),
        counts=counts,
        generated=False,
        description=row["description"],
    )


@dataclass
class _Key:
    """One constraint, whose columns come in rows of their own."""

    first: Any
    columns: list[str] = field(default_factory=list)
    ref_columns: list[str] = field(default_factory=list)


def _constraints(table: TableName, rows: Sequence[Any]) -> list[Constraint]:
    found: dict[str, _Key] = {}
    for row in rows:
        key = found.setdefault(row["name"], _Key(row))
        key.columns.append(row["column_name"])
        if row["ref_column_name"] is not None:
            key.ref_columns.append(row["ref_column_name"])
    return [_constraint(table, name, key) for name, key in found.items()]


def _constraint(table: TableName, name: str, key: _Key) -> Constraint:
    row = key.first
    made = Constraint.of(table, _KINDS[row["kind"]], key.columns, name)
    if row["kind"] != "f":
        return made
    return replace(
        made,
        ref_table=public_name(row["ref_schema"], row["ref_name"], row["ref_home"]),
        ref_columns=tuple(key.ref_columns),
        on_update=_NOTHING,
        on_delete=_NOTHING,
    )
