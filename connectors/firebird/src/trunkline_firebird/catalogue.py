"""Firebird's catalogue: one statement for each kind of thing, however many tables there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from trunkline_database.model import Constraint, TableName
from trunkline_database.relations import ForeignKey
from trunkline_database.sql.dialect import Declared, Dialect, FoundColumn

_WORDS = {
    7: "SMALLINT", 8: "INTEGER", 10: "FLOAT", 12: "DATE", 13: "TIME", 14: "CHAR", 16: "BIGINT", 23: "BOOLEAN",
    24: "DECFLOAT(16)", 25: "DECFLOAT(34)", 26: "INT128", 27: "DOUBLE PRECISION", 28: "TIME WITH TIME ZONE",
    29: "TIMESTAMP WITH TIME ZONE", 35: "TIMESTAMP", 37: "VARCHAR",
}  # fmt: skip
_DIGITS = {7: 4, 8: 9, 16: 18, 26: 38, 27: 15}
_DEFAULT = re.compile(r"\s*(?:DEFAULT\b|=)\s*", re.IGNORECASE)

#: What says of a column of RDB$FIELDS, called f, which type it is.
FIELD = """
    f.RDB$FIELD_TYPE AS kind, COALESCE(f.RDB$FIELD_SUB_TYPE, 0) AS sub_type, f.RDB$FIELD_LENGTH AS bytes,
    f.RDB$CHARACTER_LENGTH AS letters, COALESCE(f.RDB$FIELD_PRECISION, 0) AS digits,
    -COALESCE(f.RDB$FIELD_SCALE, 0) AS scale, f.RDB$DIMENSIONS AS dimensions, TRIM(c.RDB$CHARACTER_SET_NAME) AS charset
"""
_TABLES = """
    SELECT TRIM(RDB$RELATION_NAME), IIF(RDB$VIEW_BLR IS NULL, 0, 1) FROM RDB$RELATIONS
    WHERE COALESCE(RDB$SYSTEM_FLAG, 0) = 0 AND COALESCE(RDB$RELATION_TYPE, 0) <> 3
    ORDER BY IIF(RDB$RELATION_NAME = UPPER(RDB$RELATION_NAME), 1, 0), RDB$RELATION_NAME
"""
_ABOUT = "SELECT CAST(RDB$DESCRIPTION AS BLOB SUB_TYPE TEXT) FROM RDB$RELATIONS WHERE RDB$RELATION_NAME = ?"
# Before version 3 a trigger numbered new rows: one that uses both a generator and the column.
_COLUMNS = f"""
    SELECT TRIM(r.RDB$FIELD_NAME) AS name, {FIELD},
      COALESCE(r.RDB$NULL_FLAG, f.RDB$NULL_FLAG, 0) AS required,
      COALESCE(r.RDB$DEFAULT_SOURCE, f.RDB$DEFAULT_SOURCE) AS default_source,
      IIF(r.RDB$IDENTITY_TYPE IS NOT NULL OR EXISTS (
        SELECT 1 FROM RDB$TRIGGERS t
          JOIN RDB$DEPENDENCIES g ON g.RDB$DEPENDENT_NAME = t.RDB$TRIGGER_NAME AND g.RDB$DEPENDED_ON_TYPE = 14
          JOIN RDB$DEPENDENCIES d ON d.RDB$DEPENDENT_NAME = t.RDB$TRIGGER_NAME
            AND d.RDB$DEPENDED_ON_NAME = r.RDB$RELATION_NAME AND d.RDB$FIELD_NAME = r.RDB$FIELD_NAME
        WHERE t.RDB$RELATION_NAME = r.RDB$RELATION_NAME AND COALESCE(t.RDB$TRIGGER_INACTIVE, 0) = 0
          AND t.RDB$TRIGGER_TYPE IN (1, 17, 25, 113) AND COALESCE(t.RDB$SYSTEM_FLAG, 0) = 0
      ), 1, 0) AS counts,
      IIF(f.RDB$COMPUTED_BLR IS NULL, 0, 1) AS computed, CAST(r.RDB$DESCRIPTION AS BLOB SUB_TYPE TEXT) AS about
    FROM RDB$RELATION_FIELDS r
      JOIN RDB$FIELDS f ON f.RDB$FIELD_NAME = r.RDB$FIELD_SOURCE
      LEFT JOIN RDB$CHARACTER_SETS c ON c.RDB$CHARACTER_SET_ID = f.RDB$CHARACTER_SET_ID AND f.RDB$FIELD_TYPE IN (14, 37)
    WHERE r.RDB$RELATION_NAME = ? ORDER BY r.RDB$FIELD_POSITION
"""  # noqa: S608 - put together from constants
_CONSTRAINTS = """
    SELECT TRIM(k.RDB$CONSTRAINT_NAME) AS name, TRIM(k.RDB$CONSTRAINT_TYPE) AS kind, TRIM(s.RDB$FIELD_NAME) AS field,
      TRIM(o.RDB$RELATION_NAME) AS ref_table, TRIM(p.RDB$FIELD_NAME) AS ref_field,
      TRIM(f.RDB$UPDATE_RULE) AS on_update, TRIM(f.RDB$DELETE_RULE) AS on_delete
    FROM RDB$RELATION_CONSTRAINTS k
      JOIN RDB$INDEX_SEGMENTS s ON s.RDB$INDEX_NAME = k.RDB$INDEX_NAME
      LEFT JOIN RDB$REF_CONSTRAINTS f ON f.RDB$CONSTRAINT_NAME = k.RDB$CONSTRAINT_NAME
      LEFT JOIN RDB$RELATION_CONSTRAINTS o ON o.RDB$CONSTRAINT_NAME = f.RDB$CONST_NAME_UQ
      LEFT JOIN RDB$INDEX_SEGMENTS p ON p.RDB$INDEX_NAME = o.RDB$INDEX_NAME
        AND p.RDB$FIELD_POSITION = s.RDB$FIELD_POSITION
    WHERE k.RDB$CONSTRAINT_TYPE IN ('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY') AND k.RDB$RELATION_NAME = ?
    ORDER BY DECODE(k.RDB$CONSTRAINT_TYPE, 'PRIMARY KEY', 1, 'UNIQUE', 2, 3), k.RDB$CONSTRAINT_NAME,
      s.RDB$FIELD_POSITION
"""
_INDEXES = """
    SELECT TRIM(i.RDB$INDEX_NAME), COALESCE(i.RDB$UNIQUE_FLAG, 0), TRIM(s.RDB$FIELD_NAME)
    FROM RDB$INDICES i
      JOIN RDB$INDEX_SEGMENTS s ON s.RDB$INDEX_NAME = i.RDB$INDEX_NAME
      LEFT JOIN RDB$RELATION_CONSTRAINTS k ON k.RDB$INDEX_NAME = i.RDB$INDEX_NAME
    WHERE i.RDB$RELATION_NAME = ? AND k.RDB$INDEX_NAME IS NULL AND COALESCE(i.RDB$INDEX_INACTIVE, 0) = 0
    ORDER BY i.RDB$INDEX_NAME, s.RDB$FIELD_POSITION
"""
_FOREIGN_KEYS = """
    SELECT TRIM(k.RDB$RELATION_NAME), TRIM(s.RDB$FIELD_NAME), TRIM(o.RDB$RELATION_NAME), TRIM(p.RDB$FIELD_NAME),
      TRIM(f.RDB$UPDATE_RULE), TRIM(f.RDB$DELETE_RULE),
      IIF(EXISTS (
        SELECT 1 FROM RDB$INDICES u JOIN RDB$INDEX_SEGMENTS v ON v.RDB$INDEX_NAME = u.RDB$INDEX_NAME
        WHERE u.RDB$RELATION_NAME = k.RDB$RELATION_NAME AND u.RDB$UNIQUE_FLAG = 1 AND u.RDB$SEGMENT_COUNT = 1
          AND COALESCE(u.RDB$INDEX_INACTIVE, 0) = 0 AND v.RDB$FIELD_NAME = s.RDB$FIELD_NAME
      ), 1, 0)
    FROM RDB$RELATION_CONSTRAINTS k
      JOIN RDB$INDICES i ON i.RDB$INDEX_NAME = k.RDB$INDEX_NAME AND i.RDB$SEGMENT_COUNT = 1
      JOIN RDB$INDEX_SEGMENTS s ON s.RDB$INDEX_NAME = i.RDB$INDEX_NAME
      JOIN RDB$REF_CONSTRAINTS f ON f.RDB$CONSTRAINT_NAME = k.RDB$CONSTRAINT_NAME
      JOIN RDB$RELATION_CONSTRAINTS o ON o.RDB$CONSTRAINT_NAME = f.RDB$CONST_NAME_UQ
      JOIN RDB$INDEX_SEGMENTS p ON p.RDB$INDEX_NAME = o.RDB$INDEX_NAME
      JOIN RDB$RELATION_FIELDS r ON r.RDB$RELATION_NAME = k.RDB$RELATION_NAME AND r.RDB$FIELD_NAME = s.RDB$FIELD_NAME
    WHERE k.RDB$CONSTRAINT_TYPE = 'FOREIGN KEY'
    ORDER BY k.RDB$RELATION_NAME, r.RDB$FIELD_POSITION, k.RDB$CONSTRAINT_NAME
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What the catalogue says of one table."""

    columns: list[FoundColumn]
    constraints: list[Constraint]
    indexes: list[tuple[tuple[str, ...], bool]]
    description: str | None


def tables(connection: sa.Connection) -> list[TableName]:
    """List tables and views; who comes last wins where names differ in case only: what is in upper case."""
    return [TableName(name, is_view=bool(view)) for name, view in connection.exec_driver_sql(_TABLES)]


def foreign_keys(connection: sa.Connection) -> list[ForeignKey]:
    """List the foreign keys of one column in the whole database."""
    return [
        ForeignKey(table, column, ref_table, ref_column, _rule(on_update), _rule(on_delete), bool(unique))
        for table, column, ref_table, ref_column, on_update, on_delete, unique in connection.exec_driver_sql(
            _FOREIGN_KEYS
        )
    ]


def describe(connection: sa.Connection, dialect: Dialect, table: TableName) -> Found | None:
    """Read all about one table, or answer None when it is gone."""
    rows = read(connection, _COLUMNS, table.name)
    if not rows:
        return None
    columns = [_column(dialect, row) for row in rows]
    about = connection.exec_driver_sql(_ABOUT, (table.name,)).scalar()
    if table.is_view:
        return Found(columns, [], [], about)
    return Found(columns, _constraints(connection, table), _indexes(connection, table), about)


def read(connection: sa.Connection, sql: str, name: str) -> list[dict[str, Any]]:
    """Run a statement for a name and answer its rows by the names of columns, which the server put in upper case."""
    found = connection.exec_driver_sql(sql, (name,))
    return [{str(key).lower(): value for key, value in row.items()} for row in found.mappings()]


def declared(dialect: Dialect, row: Mapping[str, Any]) -> Declared:
    """Read a type: the columns of FIELD to what declares it, as one would write it."""
    kind, sub_type, scale = row["kind"], row["sub_type"], row["scale"]
    if row["dimensions"]:
        return dialect.declared(f"{_WORDS.get(kind, 'BLOB')}[{row['dimensions']}]")
    if kind == 261:
        word = {0: "BLOB SUB_TYPE BINARY", 1: "BLOB SUB_TYPE TEXT"}.get(sub_type, f"BLOB SUB_TYPE {sub_type}")
        return dialect.declared(word)
    if kind in (14, 37):
        charset = row["charset"] or "NONE"
        length = row["bytes"] if charset == "OCTETS" else row["letters"] or row["bytes"]
        return dialect.declared(
            f"{_WORDS[kind]}({length})" + ("" if charset == "UTF8" else f" CHARACTER SET {charset}")
        )
    if kind in _DIGITS and (sub_type in (1, 2) or scale):
        word = "DECIMAL" if sub_type == 2 else "NUMERIC"
        return dialect.declared(f"{word}({row['digits'] or _DIGITS[kind]},{scale})")
    return dialect.declared(_WORDS.get(kind, "BLOB"))


def default_of(source: str | None) -> str | None:
    """Read a default as it was written: ``DEFAULT 5`` or ``= 5``."""
    return None if source is None else _DEFAULT.sub("", source, count=1).strip()


def _column(dialect: Dialect, row: Mapping[str, Any]) -> FoundColumn:
    return FoundColumn(
        name=row["name"],
        declared=declared(dialect, row),
        nullable=not row["required"],
        default=default_of(row["default_source"]),
        counts=bool(row["counts"]),
        generated=bool(row["computed"]),
        description=row["about"],
    )


def _constraints(connection: sa.Connection, table: TableName) -> list[Constraint]:
    found: list[Constraint] = []
    for name, mine in _grouped((row["name"], row) for row in read(connection, _CONSTRAINTS, table.name)).items():
        first = mine[0]
        made = Constraint.of(table, first["kind"], [row["field"] for row in mine], name)
        if first["kind"] == "FOREIGN KEY":
            made = replace(
                made,
                ref_table=first["ref_table"],
                ref_columns=tuple(row["ref_field"] for row in mine),
                on_update=_rule(first["on_update"]),
                on_delete=_rule(first["on_delete"]),
            )
        found.append(made)
    return found


def _indexes(connection: sa.Connection, table: TableName) -> list[tuple[tuple[str, ...], bool]]:
    rows = connection.exec_driver_sql(_INDEXES, (table.name,)).all()
    unique = {name: bool(flag) for name, flag, _ in rows}
    return [(tuple(columns), unique[name]) for name, columns in _grouped((row[0], row[2]) for row in rows).items()]


def _rule(found: str) -> str:
    """Name a rule as everywhere: what Firebird calls RESTRICT is what others call NO ACTION."""
    return "NO ACTION" if found == "RESTRICT" else found


def _grouped(pairs: Iterable[tuple[str, Any]]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
