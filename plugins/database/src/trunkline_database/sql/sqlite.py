"""SQLite's ways: declared types that bind nobody, pragmas as catalogue, errors by extended codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from trunkline_database.model import Column, Constraint, TableName
from trunkline_database.relations import ForeignKey
from trunkline_database.sql.dialect import Dialect, FoundColumn
from trunkline_database.sql.errors import Diagnosis, Kind
from trunkline_database.sql.statement import Converter

_FUNCTIONS = {
    "CURRENT_TIMESTAMP": "CURRENT_TIMESTAMP",
    "UTC_TIMESTAMP": "CURRENT_TIMESTAMP",
    "CURRENT_DATE": "CURRENT_DATE",
    "CURRENT_TIME": "CURRENT_TIME",
    "UUID": "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-' || "
    "hex(randomblob(2)) || '-' || hex(randomblob(6)))",
}
_ERRORS: dict[str, Kind] = {
    "SQLITE_CONSTRAINT_UNIQUE": "duplicate",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "duplicate",
    "SQLITE_CONSTRAINT_ROWID": "duplicate",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "foreign_key",
    "SQLITE_CONSTRAINT_NOTNULL": "not_null",
    "SQLITE_CONSTRAINT_CHECK": "check",
    "SQLITE_CONSTRAINT_DATATYPE": "type",
    "SQLITE_CONSTRAINT_TRIGGER": "check",
    "SQLITE_MISMATCH": "type",
    "SQLITE_TOOBIG": "too_long",
    "SQLITE_READONLY": "read_only",
    "SQLITE_BUSY": "busy",
    "SQLITE_LOCKED": "busy",
    "SQLITE_FULL": "busy",
    "SQLITE_CANTOPEN": "gone",
    "SQLITE_IOERR": "gone",
    "SQLITE_NOTADB": "gone",
    "SQLITE_CORRUPT": "gone",
    "SQLITE_INTERRUPT": "timeout",
}
# Plain errors have no code of their own; these beginnings are stable parts of SQLite's messages.
_MESSAGES: tuple[tuple[str, Kind], ...] = (
    ("no such table", "stale"),
    ("no such column", "stale"),
    ("has no column named", "stale"),
    ("cannot modify", "read_only"),
    ("Cannot add a NOT NULL column", "not_null"),
    # What a key, an index, a view or another column needs.
    ("cannot drop", "needed"),
    ("error in ", "needed"),
    ("LIKE or GLOB pattern too complex", "too_complex"),
    ("Expression tree is too large", "too_complex"),
    ("too many SQL variables", "too_complex"),
    ("parser stack overflow", "too_complex"),
)


class SqliteDialect(Dialect):
    """Types by declaration, since a column takes any value."""

    table_options = {"sqlite_autoincrement": True}  # noqa: RUF012 - a ClassVar in the base
    creates = {  # noqa: RUF012
        "reference": "integer", "fk": "integer", "integer": "integer", "bigint": "bigint", "smallint": "smallint",
        "tinyint": "tinyint", "mediumint": "mediumint", "boolean": "tinyint(1)", "decimal": "decimal{digits}",
        "money": "decimal(19,4)", "float": "float", "double": "double", "text": "text", "date": "date",
        "time": "time", "datetime": "datetime", "timestamp": "timestamp", "datetimetz": "datetimetz",
        "timestamptz": "timestamptz", "timetz": "timetz", "timestamp_on_create": "timestamp",
        "timestamp_on_update": "timestamp", "user_id": "integer", "user_id_on_create": "integer",
        "user_id_on_update": "integer", "binary": "blob", "json": "json", "uuid": "uuid",
    }  # fmt: skip

    def binder(self, column: Column) -> Converter | None:
        """Let decimals through as numbers: SQLite knows no other kind."""
        return _number if column.type in ("decimal", "money") else None

    def converter(self, column: Column) -> Converter | None:
        """Turn 0 and 1 of boolean columns into false and true."""
        return _boolean if column.type == "boolean" else None

    def aggregate_converter(self, function: str, column: Column | None) -> Converter | None:
        """Take the noise of binary fractions off sums of decimals (D14)."""
        if column is not None and function == "sum" and column.type == "decimal" and column.scale is not None:
            scale = column.scale
            return lambda value: round(value, scale)
        return super().aggregate_converter(function, column)

    def function(self, name: str) -> sa.ColumnElement[Any]:
        """Render a function; times are UTC."""
        return sa.literal_column(_FUNCTIONS[name])

    def columns(self, connection: sa.Connection, table: TableName) -> list[FoundColumn]:
        """Read the columns with their declarations as they were written."""
        found = connection.exec_driver_sql(_COLUMNS, (table.name,)).all()
        keys = sum(1 for row in found if row.pk)
        return [
            FoundColumn(
                name=str(row.name),
                declared=self.declared(str(row.type or "").lower()),
                nullable=not row.notnull,
                default=row.dflt_value,
                # A key that is declared as exactly this is the row's number.
                counts=bool(row.pk) and keys == 1 and str(row.type).lower() == "integer",
                generated=row.hidden in (2, 3),
            )
            for row in found
        ]

    def constraints(self, connection: sa.Connection, table: TableName) -> list[Constraint]:
        """Read keys and uniques from pragmas: reading the table's text misses what is written in unusual ways."""
        keys = [row.name for row in connection.exec_driver_sql(_KEYS, (table.name,))]
        found = [Constraint.of(table, "PRIMARY KEY", keys)] if keys else []
        uniques = _grouped((row.index, row.name) for row in connection.exec_driver_sql(_INDEXES, (table.name, "u")))
        found += [Constraint.of(table, "UNIQUE", columns) for columns in uniques.values()]
        rows = connection.exec_driver_sql(_REFERENCES, (table.name,)).all()
        for number, columns in _grouped((row.id, row.column) for row in rows).items():
            mine = [row for row in rows if row.id == number]
            found.append(
                replace(
                    Constraint.of(table, "FOREIGN KEY", columns),
                    ref_table=mine[0].ref_table,
                    ref_columns=tuple(row.ref_column or _key_of(connection, row.ref_table) for row in mine),
                    on_update=mine[0].on_update,
                    on_delete=mine[0].on_delete,
                )
            )
        return found

    def indexes(self, connection: sa.Connection, table: TableName) -> list[tuple[tuple[str, ...], bool]]:
        """Read the indexes that were made as such."""
        rows = connection.exec_driver_sql(_INDEXES, (table.name, "c")).all()
        unique = {row.index: bool(row.unique) for row in rows}
        return [(tuple(columns), unique[name]) for name, columns in _grouped((r.index, r.name) for r in rows).items()]

    def foreign_keys(self, connection: sa.Connection) -> list[ForeignKey]:
        """Read all foreign keys in one statement, however many tables there are."""
        unique = {tuple(row) for row in connection.exec_driver_sql(_UNIQUE_COLUMNS)}
        return [
            ForeignKey(table, column, ref_table, ref_column or _key_of(connection, ref_table), update, delete, alone)
            for table, column, ref_table, ref_column, update, delete in connection.exec_driver_sql(_FOREIGN_KEYS)
            for alone in [(table, column) in unique]
        ]

    def diagnose(self, error: Exception) -> Diagnosis:
        """Read SQLite's extended code and, for constraints, the column in its message."""
        if isinstance(error, OverflowError):
            return Diagnosis("out_of_range")
        name = getattr(error, "sqlite_errorname", None) or ""
        text = str(error)
        by_code = next((found for code, found in _ERRORS.items() if name.startswith(code)), None)
        by_text = next((found for start, found in _MESSAGES if start in text), None)
        kind: Kind = by_code or by_text or "other"
        if kind in ("duplicate", "not_null"):
            columns = [part.rpartition(".")[2] for part in text.partition("failed: ")[2].split(", ")]
            return Diagnosis(kind, field=", ".join(columns) if columns != [""] else None)
        return Diagnosis(kind, constraint=text.partition("failed: ")[2] or None if kind == "check" else None)


_BOOLEANS = {0: False, 1: True}
_COLUMNS = """
    SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid
"""
_KEYS = "SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk"
_INDEXES = """
    SELECT i.name AS "index", i."unique" AS "unique", c.name AS name
    FROM pragma_index_list(?) AS i JOIN pragma_index_info(i.name) AS c
    WHERE i.origin = ? AND NOT i.partial AND c.name IS NOT NULL ORDER BY i.seq DESC, c.seqno
"""
_REFERENCES = """
    SELECT id, "from" AS "column", "table" AS ref_table, "to" AS ref_column, on_update, on_delete
    FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq
"""
_FOREIGN_KEYS = """
    SELECT m.name, min(f."from"), min(f."table"), min(f."to"), min(f.on_update), min(f.on_delete)
    FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f
    WHERE m.type = 'table' GROUP BY m.name, f.id HAVING count(*) = 1 ORDER BY m.name, f.id DESC
"""
_UNIQUE_COLUMNS = """
    SELECT m.name, min(c.name)
    FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS i JOIN pragma_index_info(i.name) AS c
    WHERE m.type = 'table' AND i."unique" AND NOT i.partial GROUP BY m.name, i.name HAVING count(*) = 1
    UNION
    SELECT m.name, min(t.name) FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS t
    WHERE m.type = 'table' AND t.pk GROUP BY m.name HAVING count(*) = 1
"""


def _key_of(connection: sa.Connection, table: str) -> str:
    """Answer the key column that a foreign key without columns means."""
    found = connection.exec_driver_sql("SELECT name FROM pragma_table_info(?) WHERE pk = 1", (table,)).scalar()
    return str(found) if found is not None else "rowid"


def _grouped(pairs: Iterable[tuple[Any, str]]) -> dict[Any, list[str]]:
    groups: dict[Any, list[str]] = {}
    for key, name in pairs:
        groups.setdefault(key, []).append(str(name))
    return groups


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(value)
    return value


def _boolean(value: Any) -> Any:
    # A column that is called boolean may hold anything; what is neither 0 nor 1 goes out as it is.
    return _BOOLEANS.get(value, value)
