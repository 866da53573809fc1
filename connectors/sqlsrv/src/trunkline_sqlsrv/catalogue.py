"""SQL Server's catalogue: one statement for each kind of thing, however many tables there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.sql import quoted_name

from trunkline_database.model import Constraint, ConstraintKind, TableName
from trunkline_database.relations import ForeignKey
from trunkline_database.sql.dialect import Dialect, FoundColumn
from trunkline_sqlsrv.connection import Connection

_HOME = "SELECT SCHEMA_NAME()"
_SCHEMAS = "SELECT name FROM sys.schemas"
_TABLES = """
    SELECT s.name, o.name, o.type
    FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
    WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0
    ORDER BY s.name, o.name
"""
_ABOUT = """
    SELECT o.object_id, CAST(p.value AS nvarchar(4000))
    FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
      LEFT JOIN sys.extended_properties p
        ON p.class = 1 AND p.major_id = o.object_id AND p.minor_id = 0 AND p.name = 'MS_Description'
    WHERE s.name = %s AND o.name = %s AND o.type IN ('U', 'V')
"""
# The type of an alias is that of what it stands for; the types of the system have their own numbers.
_COLUMNS = """
    SELECT c.name, t.name, b.name, c.max_length, c.precision, c.scale, c.is_nullable, c.is_identity, c.is_computed,
      d.definition, CAST(p.value AS nvarchar(4000))
    FROM sys.columns c
      JOIN sys.types t ON t.user_type_id = c.user_type_id
      LEFT JOIN sys.types b ON b.user_type_id = c.system_type_id
      LEFT JOIN sys.default_constraints d ON d.parent_object_id = c.object_id AND d.parent_column_id = c.column_id
      LEFT JOIN sys.extended_properties p
        ON p.class = 1 AND p.major_id = c.object_id AND p.minor_id = c.column_id AND p.name = 'MS_Description'
    WHERE c.object_id = %s
    ORDER BY c.column_id
"""
_INDEXES = """
    SELECT i.name, i.is_primary_key, i.is_unique_constraint, i.is_unique, c.name
    FROM sys.indexes i
      JOIN sys.index_columns x ON x.object_id = i.object_id AND x.index_id = i.index_id
      JOIN sys.columns c ON c.object_id = x.object_id AND c.column_id = x.column_id
    WHERE i.object_id = %s AND i.is_hypothetical = 0 AND i.has_filter = 0 AND x.is_included_column = 0
    ORDER BY i.index_id, x.key_ordinal
"""
_FOREIGN_KEYS = """
    SELECT f.object_id, f.name, s.name, o.name, c.name, rs.name, ro.name, rc.name,
      f.update_referential_action_desc, f.delete_referential_action_desc, f.parent_object_id, k.parent_column_id
    FROM sys.foreign_keys f
      JOIN sys.foreign_key_columns k ON k.constraint_object_id = f.object_id
      JOIN sys.objects o ON o.object_id = f.parent_object_id
      JOIN sys.schemas s ON s.schema_id = o.schema_id
      JOIN sys.columns c ON c.object_id = k.parent_object_id AND c.column_id = k.parent_column_id
      JOIN sys.objects ro ON ro.object_id = f.referenced_object_id
      JOIN sys.schemas rs ON rs.schema_id = ro.schema_id
      JOIN sys.columns rc ON rc.object_id = k.referenced_object_id AND rc.column_id = k.referenced_column_id
    ORDER BY f.object_id, k.constraint_column_id
"""
_UNIQUE_COLUMNS = """
    SELECT x.object_id, MIN(x.column_id)
    FROM sys.indexes i JOIN sys.index_columns x ON x.object_id = i.object_id AND x.index_id = i.index_id
    WHERE i.is_unique = 1 AND i.has_filter = 0 AND x.is_included_column = 0
    GROUP BY x.object_id, x.index_id
    HAVING COUNT(*) = 1
"""
# What stands in the way of dropping a column, or of another default: constraints of their own.
DEFAULTS = """
    SELECT d.name FROM sys.default_constraints d
      JOIN sys.columns c ON c.object_id = d.parent_object_id AND c.column_id = d.parent_column_id
      JOIN sys.objects o ON o.object_id = d.parent_object_id
      JOIN sys.schemas s ON s.schema_id = o.schema_id
    WHERE s.name = %s AND o.name = %s AND c.name = %s
"""
NULLABLE = """
    SELECT c.is_nullable FROM sys.columns c
      JOIN sys.objects o ON o.object_id = c.object_id
      JOIN sys.schemas s ON s.schema_id = o.schema_id
    WHERE s.name = %s AND o.name = %s AND c.name = %s
"""
_SYSTEM = frozenset({"sys", "INFORMATION_SCHEMA"})
_SIZED = frozenset({"char", "varchar", "binary", "varbinary"})
_WIDE = frozenset({"nchar", "nvarchar"})
_DIGITS = frozenset({"decimal", "numeric"})
_FRACTIONS = frozenset({"time", "datetime2", "datetimeoffset"})


@dataclass(frozen=True, slots=True)
class Served:
    """What is served: one schema, or every one (``only`` is None); tables of the ``home`` schema have bare names."""

    home: str
    only: str | None

    def public(self, schema: str, name: str) -> str:
        """Answer the name for clients."""
        return name if schema == self.home else f"{schema}.{name}"

    def has(self, schema: str) -> bool:
        """Say whether a schema is served."""
        return schema == self.only if self.only is not None else schema not in _SYSTEM


@dataclass(frozen=True, slots=True)
class Found:
    """What the catalogue says of one table."""

    columns: list[FoundColumn]
    constraints: list[Constraint]
    indexes: list[tuple[tuple[str, ...], bool]]
    description: str | None


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: its name, the tables, and the pairs of columns."""

    name: str
    schema: str
    table: str
    ref_schema: str
    ref_table: str
    on_update: str
    on_delete: str
    place: tuple[int, int]
    columns: list[str] = field(default_factory=list)
    ref_columns: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class References:
    """All foreign keys of a database, and the columns that are unique alone, by their numbers."""

    keys: list[Reference]
    unique: frozenset[tuple[int, int]]

    def simple(self, served: Served) -> list[ForeignKey]:
        """Answer those of one column between tables that are served."""
        return [
            ForeignKey(
                table=served.public(one.schema, one.table),
                column=one.columns[0],
                ref_table=served.public(one.ref_schema, one.ref_table),
                ref_column=one.ref_columns[0],
                on_update=one.on_update,
                on_delete=one.on_delete,
                unique=one.place in self.unique,
            )
            for one in self.keys
            if len(one.columns) == 1 and served.has(one.schema) and served.has(one.ref_schema)
        ]


def home(connection: Connection) -> str:
    """Answer the schema of the login."""
    ((name,),) = connection.rows(_HOME)
    return str(name or "")


def schemas(connection: Connection) -> list[str]:
    """List the schemas."""
    return [str(name) for (name,) in connection.rows(_SCHEMAS)]


def tables(connection: Connection, served: Served) -> list[TableName]:
    """List tables and views; who comes last wins where names look the same."""
    found = [
        # Quoted as a whole: a dot in the name of a schema is no border.
        TableName(name, quoted_name(schema, True), served.public(schema, name), kind.strip() == "V")
        for schema, name, kind in connection.rows(_TABLES)
        if served.has(schema)
    ]
    return sorted(found, key=lambda one: one.schema == served.home)


def references(connection: Connection) -> References:
    """Read all foreign keys."""
    keys: dict[int, Reference] = {}
    for number, name, schema, table, column, ref_schema, ref_table, ref_column, *rest in connection.rows(_FOREIGN_KEYS):
        on_update, on_delete, *place = rest
        if number not in keys:
            keys[number] = Reference(
                name, schema, table, ref_schema, ref_table, _rule(on_update), _rule(on_delete), (place[0], place[1])
            )
        keys[number].columns.append(column)
        keys[number].ref_columns.append(ref_column)
    unique = frozenset((int(table), int(column)) for table, column in connection.rows(_UNIQUE_COLUMNS))
    return References(list(keys.values()), unique)


def describe(
    connection: Connection, dialect: Dialect, served: Served, table: TableName, known: References
) -> Found | None:
    """Read all about one table, or answer None when it is gone."""
    about = connection.rows(_ABOUT, (str(table.schema), table.name))
    if not about:
        return None
    number, description = about[0]
    columns = [_column(dialect, row) for row in connection.rows(_COLUMNS, (number,))]
    if table.is_view:
        return Found(columns, [], [], description)
    constraints, indexes = _indexes(table, connection.rows(_INDEXES, (number,)))
    constraints += [
        _foreign(table, served, one) for one in known.keys if (one.schema, one.table) == (table.schema, table.name)
    ]
    return Found(columns, constraints, indexes, description)


def declaration(word: str, length: int, precision: int, scale: int) -> str:
    """Write a type as it is declared; ``length`` is in bytes, -1 for the longest."""
    if word in _SIZED:
        return f"{word}({'max' if length < 0 else length})"
    if word in _WIDE:
        return f"{word}({'max' if length < 0 else length // 2})"
    if word in _DIGITS:
        return f"{word}({precision},{scale})"
    return f"{word}({scale})" if word in _FRACTIONS else word


def _column(dialect: Dialect, row: Sequence[Any]) -> FoundColumn:
    name, word, base, length, precision, scale, nullable, counts, computed, default, description = row
    word = base or word
    return FoundColumn(
        name=name,
        declared=dialect.declared(declaration(word, length, precision, scale)),
        nullable=bool(nullable),
        default="IDENTITY" if counts else _plain(default),
        counts=bool(counts),
        generated=bool(computed) or word in ("timestamp", "rowversion"),
        description=description,
    )


def _plain(default: str | None) -> str | None:
    """Take off the brackets, and the sign that a text is Unicode: ``(N'new')`` → ``'new'``."""
    if default is None:
        return None
    while default.startswith("(") and default.endswith(")") and not default.endswith("()"):
        default = default[1:-1]
    return default[1:] if default.startswith("N'") else default


def _indexes(
    table: TableName, rows: Sequence[Sequence[Any]]
) -> tuple[list[Constraint], list[tuple[tuple[str, ...], bool]]]:
    grouped: dict[str, tuple[ConstraintKind | None, bool, list[str]]] = {}
    for name, primary, constraint, unique, column in rows:
        kind: ConstraintKind | None = "PRIMARY KEY" if primary else "UNIQUE" if constraint else None
        grouped.setdefault(name, (kind, bool(unique), []))[2].append(column)
    constraints = [Constraint.of(table, kind, columns, name) for name, (kind, _, columns) in grouped.items() if kind]
    return constraints, [(tuple(columns), unique) for kind, unique, columns in grouped.values() if kind is None]


def _foreign(table: TableName, served: Served, one: Reference) -> Constraint:
    return replace(
        Constraint.of(table, "FOREIGN KEY", one.columns, one.name),
        ref_table=served.public(one.ref_schema, one.ref_table),
        ref_columns=tuple(one.ref_columns),
        on_update=one.on_update,
        on_delete=one.on_delete,
    )


def _rule(described: str) -> str:
    return described.replace("_", " ")
