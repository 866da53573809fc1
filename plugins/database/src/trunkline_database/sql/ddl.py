"""Making and changing tables: simple types to the engine's declarations, names quoted by the dialect (13.5, 13.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import UserDefinedType

from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.filters import Function
from trunkline_database.model import Column, Table, TableName
from trunkline_database.sql.dialect import Dialect

_KEYS = ("id", "pk")
_REFERENCES = ("reference", "fk")


class _Word(UserDefinedType[Any]):
    """A type that is rendered as the dialect spelled it."""

    cache_ok = True

    def __init__(self, text: str) -> None:
        self.text = text

    def get_col_spec(self, **_: Any) -> str:
        return self.text


def create_table(connection: sa.Connection, dialect: Dialect, definition: TableDefinition) -> None:
    """Make a table with its keys, uniques, references and indexes."""
    columns = [_column(dialect, one) for one in definition.columns]
    table = sa.Table(definition.name, sa.MetaData(), *columns, **dialect.table_options)
    for one in definition.columns:
        for constraint in _constraints(table, one):
            table.append_constraint(constraint)
    for one in definition.columns:
        if one.is_index:
            sa.Index(f"{definition.name}_{one.name}_index", table.c[one.name])
    connection.execute(sa.schema.CreateTable(table))
    for index in table.indexes:
        connection.execute(sa.schema.CreateIndex(index))


def add_column(connection: sa.Connection, dialect: Dialect, table: TableName, definition: ColumnDefinition) -> None:
    """Add a column; what refers to another table refers from the column itself."""
    metadata = sa.MetaData()
    column = _column(dialect, definition)
    holder = sa.Table(table.name, metadata, column, schema=table.schema)
    spec = dialect.sa.ddl_compiler(dialect.sa, sa.schema.CreateTable(holder)).get_column_specification(column)
    statement = f"ALTER TABLE {_quoted(dialect, table)} ADD COLUMN {spec}"
    if definition.ref_table:
        statement += _reference(dialect, definition)
    connection.exec_driver_sql(statement)
    unique = "UNIQUE " if definition.is_unique else ""
    if definition.is_unique or definition.is_index:
        name = f"{table.name}_{definition.name}_{'key' if definition.is_unique else 'index'}"
        quote = dialect.sa.identifier_preparer.quote
        target = f"{_quoted(dialect, table)} ({quote(definition.name)})"
        connection.exec_driver_sql(f"CREATE {unique}INDEX {quote(name)} ON {target}")


def drop_column(connection: sa.Connection, dialect: Dialect, table: TableName, column: Column) -> None:
    """Drop a column."""
    quoted = dialect.sa.identifier_preparer.quote(column.name)
    connection.exec_driver_sql(f"ALTER TABLE {_quoted(dialect, table)} DROP COLUMN {quoted}")


def drop_table(connection: sa.Connection, dialect: Dialect, table: Table) -> None:
    """Drop a table or view."""
    word = "VIEW" if table.is_view else "TABLE"
    connection.exec_driver_sql(f"DROP {word} {_quoted(dialect, table.identity)}")


def check(definitions: Sequence[ColumnDefinition]) -> None:
    """Refuse what no engine could make; raises BadRequest."""
    names = [one.name.lower() for one in definitions]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadRequest(f"Field '{twice}' is defined twice.")
    for one in definitions:
        if one.type in _REFERENCES and not one.ref_table:
            raise BadRequest(f"Field '{one.name}' is a reference and needs ref_table.")


def _column(dialect: Dialect, definition: ColumnDefinition) -> sa.Column[Any]:
    key = definition.type in _KEYS
    kind: Any = sa.Integer() if key else _Word(dialect.column_type(definition))
    return sa.Column(
        definition.name,
        kind,
        primary_key=key or definition.is_primary_key,
        autoincrement=key or definition.auto_increment,
        nullable=definition.allow_null and not (key or definition.is_primary_key),
        server_default=_default(dialect, definition),
    )


def _default(dialect: Dialect, definition: ColumnDefinition) -> Any:
    if definition.type == "timestamp_on_create":
        return dialect.function("CURRENT_TIMESTAMP")
    if not definition.has_default:
        return None
    value = definition.default
    if isinstance(value, Function):
        return sa.text(f"({dialect.function(value.name).compile(dialect=dialect.sa)})")
    # Data becomes a literal of the column's type: a text can only ever be a quoted text.
    typed = types.incoming(Column(definition.name, definition.type, ""), value)
    if isinstance(typed, bool):
        return sa.text("true" if typed and dialect.sa.supports_native_boolean else str(int(typed)))
    if isinstance(typed, bytes):
        raise BadRequest(f"Field '{definition.name}' can not have a binary default.")
    return str(typed) if isinstance(typed, str) else sa.text(str(typed))


def _constraints(table: sa.Table, definition: ColumnDefinition) -> Iterator[sa.Constraint]:
    if definition.is_unique:
        yield sa.UniqueConstraint(definition.name)
    if definition.ref_table:
        field = definition.ref_field or "id"
        other = table if definition.ref_table == table.name else _stand_in(table.metadata, definition.ref_table, field)
        if field not in other.c:
            raise BadRequest(f"Field '{definition.name}' refers to '{field}', which is not there.")
        yield sa.ForeignKeyConstraint(
            [definition.name], [other.c[field]], onupdate=definition.ref_on_update, ondelete=definition.ref_on_delete
        )


def _stand_in(metadata: sa.MetaData, name: str, field: str) -> sa.Table:
    """Answer a table with just the column that is referred to: the real one need not be known here."""
    return sa.Table(name, metadata, sa.Column(field, sa.Integer), extend_existing=True)


def _reference(dialect: Dialect, definition: ColumnDefinition) -> str:
    quote = dialect.sa.identifier_preparer.quote
    text = f" REFERENCES {quote(definition.ref_table or '')} ({quote(definition.ref_field or 'id')})"
    text += f" ON UPDATE {definition.ref_on_update}" if definition.ref_on_update else ""
    return text + (f" ON DELETE {definition.ref_on_delete}" if definition.ref_on_delete else "")


def _quoted(dialect: Dialect, table: TableName) -> str:
    preparer = dialect.sa.identifier_preparer
    name = preparer.quote(table.name)
    return f"{preparer.quote_schema(table.schema)}.{name}" if table.schema else name
