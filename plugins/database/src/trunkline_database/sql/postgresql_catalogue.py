"""PostgreSQL's catalogue: one statement for each kind of thing, however many tables there are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from trunkline_database import types
from trunkline_database.model import Constraint, ConstraintKind, TableName
from trunkline_database.relations import ForeignKey
from trunkline_database.sql.dialect import Dialect, FoundColumn

_KINDS: dict[str, ConstraintKind] = {"p": "PRIMARY KEY", "u": "UNIQUE", "f": "FOREIGN KEY"}
_RULES = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_CAST = re.compile(r"('(?:[^']|'')*'|NULL)::[^':]+", re.DOTALL)

# $1 is the one schema that is served, or null for every one that the login may use. Who comes last wins where names
# differ in case only, or where a dot in a name looks like a schema.
_TABLES = """
    SELECT n.nspname::text, c.relname::text, c.relkind IN ('v', 'm') AS is_view, n.nspname = current_schema() AS home
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ($1::text IS NULL OR n.nspname = $1)
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND has_schema_privilege(n.oid, 'USAGE')
    ORDER BY n.nspname = current_schema(), c.relname = lower(c.relname), n.nspname, c.relname
"""
_FOREIGN_KEYS = """
    WITH served AS (
      SELECT n.oid, n.nspname::text AS name, n.nspname = current_schema() AS home FROM pg_namespace n
      WHERE ($1::text IS NULL OR n.nspname = $1)
        AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND has_schema_privilege(n.oid, 'USAGE')
    )
    SELECT n.name AS nspname, c.relname::text, n.home, a.attname::text AS column,
      rn.name AS ref_schema, rc.relname::text AS ref_table, rn.home AS ref_home,
      ra.attname::text AS ref_column, k.confupdtype::text AS on_update, k.confdeltype::text AS on_delete,
      EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indisunique AND i.indpred IS NULL
        AND i.indnkeyatts = 1 AND i.indkey[0] = k.conkey[1]
      ) AS is_unique
    FROM pg_constraint k
      JOIN pg_class c ON c.oid = k.conrelid JOIN served n ON n.oid = c.relnamespace
      JOIN pg_class rc ON rc.oid = k.confrelid JOIN served rn ON rn.oid = rc.relnamespace
      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
      JOIN pg_attribute ra ON ra.attrelid = k.confrelid AND ra.attnum = k.confkey[1]
    WHERE k.contype = 'f' AND cardinality(k.conkey) = 1 AND k.conparentid = 0
    ORDER BY n.name, c.relname, k.conkey[1], k.conname
"""
_ABOUT = """
    SELECT c.oid, obj_description(c.oid, 'pg_class') AS description
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
_COLUMNS = """
    SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS db_type,
      CASE WHEN t.typtype <> 'd' THEN NULL
        WHEN b.typtype = 'd' THEN format_type(b.typbasetype, b.typtypmod)
        ELSE format_type(t.typbasetype, t.typtypmod) END AS base,
      t.typtype = 'd' AND t.typnotnull OR a.attnotnull AS required,
      coalesce(pg_get_expr(d.adbin, d.adrelid), t.typdefault) AS default,
      a.attidentity::text AS identity, a.attgenerated <> '' AS generated,
      col_description(a.attrelid, a.attnum) AS description
    FROM pg_attribute a
      JOIN pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_type b ON b.oid = t.typbasetype
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
"""
_CONSTRAINTS = """
    SELECT k.conname::text AS name, k.contype::text AS kind, n.nspname = current_schema() AS home,
      n.nspname::text AS ref_schema, c.relname::text AS ref_table,
      k.confupdtype::text AS on_update, k.confdeltype::text AS on_delete,
      ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (number, place)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.place) AS columns,
      ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u (number, place)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.place) AS ref_columns
    FROM pg_constraint k
      LEFT JOIN pg_class c ON c.oid = nullif(k.confrelid, 0) LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.conrelid = $1 AND k.contype IN ('p', 'u', 'f')
    ORDER BY k.contype = 'p' DESC, k.contype = 'u' DESC, k.conname
"""
_INDEXES = """
    SELECT i.indisunique AS is_unique,
      ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u (number, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
        WHERE u.place <= i.indnkeyatts ORDER BY u.place) AS columns
    FROM pg_index i
    WHERE i.indrelid = $1 AND NOT i.indisprimary AND i.indpred IS NULL AND i.indexprs IS NULL
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What the catalogue says of one table."""

    columns: list[FoundColumn]
    constraints: list[Constraint]
    indexes: list[tuple[tuple[str, ...], bool]]
    description: str | None


async def tables(connection: Any, schema: str | None) -> list[TableName]:
    """List the tables and views of a schema, or of all."""
    return [
        TableName(
            row["relname"], row["nspname"], public_name(row["nspname"], row["relname"], row["home"]), row["is_view"]
        )
        for row in await connection.fetch(_TABLES, schema)
    ]


async def foreign_keys(connection: Any, schema: str | None) -> list[ForeignKey]:
    """List the foreign keys of one column between the tables that are served."""
    return [
        ForeignKey(
            table=public_name(row["nspname"], row["relname"], row["home"]),
            column=row["column"],
            ref_table=public_name(row["ref_schema"], row["ref_table"], row["ref_home"]),
            ref_column=row["ref_column"],
            on_update=_RULES[row["on_update"]],
            on_delete=_RULES[row["on_delete"]],
            unique=row["is_unique"],
        )
        for row in await connection.fetch(_FOREIGN_KEYS, schema)
    ]


async def describe(connection: Any, dialect: Dialect, table: TableName) -> Found | None:
    """Read all about one table, or answer None when it is gone."""
    about = await connection.fetchrow(_ABOUT, table.schema, table.name)
    if about is None:
        return None
    columns = [_column(dialect, row) for row in await connection.fetch(_COLUMNS, about["oid"])]
    if table.is_view:
        return Found(columns, [], [], about["description"])
    constraints = [_constraint(table, row) for row in await connection.fetch(_CONSTRAINTS, about["oid"])]
    indexes = [(tuple(row["columns"]), row["is_unique"]) for row in await connection.fetch(_INDEXES, about["oid"])]
    return Found(columns, constraints, indexes, about["description"])


def public_name(schema: str, name: str, home: bool) -> str:
    """Answer the name for clients: bare in the default schema."""
    return name if home else f"{schema}.{name}"


def _column(dialect: Dialect, row: Any) -> FoundColumn:
    declared = dialect.declared(row["db_type"])
    if row["base"] is not None:
        declared = replace(dialect.declared(row["base"]), db_type=row["db_type"])
    default, identity = row["default"], row["identity"]
    counts = bool(identity) or (default or "").startswith("nextval(")
    return FoundColumn(
        name=row["name"],
        declared=declared,
        nullable=not row["required"],
        default="GENERATED AS IDENTITY" if identity else plain_default(default, declared.type),
        counts=counts,
        generated=row["generated"],
        description=row["description"],
    )


def plain_default(default: str | None, kind: str) -> str | None:
    """Take the cast off a literal: ``'new'::character varying`` → ``'new'``, ``'-1'::integer`` → ``-1``."""
    if default is None or (found := _CAST.fullmatch(default)) is None:
        return default
    literal = found[1]
    return literal[1:-1] if kind in types.NUMBERS and literal != "NULL" else literal


def _constraint(table: TableName, row: Any) -> Constraint:
    columns: Sequence[str] = row["columns"]
    made = Constraint.of(table, _KINDS[row["kind"]], columns, row["name"])
    if row["kind"] != "f":
        return made
    return replace(
        made,
        ref_table=public_name(row["ref_schema"], row["ref_table"], row["home"]),
        ref_columns=tuple(row["ref_columns"]),
        on_update=_RULES[row["on_update"]],
        on_delete=_RULES[row["on_delete"]],
    )
