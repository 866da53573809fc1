"""Making and changing tables: simple types to the engine's declarations, names quoted by the dialect (13.5, 13.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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


# Finds out how the engine calls a table that a client named.
Named = Callable[[str], TableName]


def create_table(dialect: Dialect, definition: TableDefinition, named: Named = TableName) -> list[str]:
    """Write what makes a table with its keys, uniques, references and indexes."""
    columns = [_column(dialect, one) for one in definition.columns]
    own = named(definition.name)
    table = sa.Table(own.name, sa.MetaData(), *columns, schema=own.schema, **dialect.table_options)
    for one in definition.columns:
        for constraint in _constraints(table, one, named):
            table.append_constraint(constraint)
    for one in definition.columns:
        if one.is_index:
            sa.Index(f"{own.name}_{one.name}_index", table.c[one.name])
    made: list[sa.schema.ExecutableDDLElement] = [sa.schema.CreateTable(table)]
    made += [sa.schema.CreateIndex(index) for index in table.indexes]
    return [str(one.compile(dialect=dialect.sa)) for one in made]


def add_column(dialect: Dialect, table: TableName, definition: ColumnDefinition, named: Named = TableName) -> list[str]:
    """Write what adds a column; what refers to another table refers from the column itself."""
    metadata = sa.MetaData()
    column = _column(dialect, definition)
    holder = sa.Table(table.name, metadata, column, schema=table.schema)
    spec = dialect.sa.ddl_compiler(dialect.sa, sa.schema.CreateTable(holder)).get_column_specification(column)
    statement = f"ALTER TABLE {quoted(dialect, table)} ADD COLUMN {spec}"
    if definition.ref_table:
        statement += reference(dialect, definition, named)
    statements = [statement]
    unique = "UNIQUE " if definition.is_unique else ""
    if definition.is_unique or definition.is_index:
        name = f"{table.name}_{definition.name}_{'key' if definition.is_unique else 'index'}"
        quote = dialect.sa.identifier_preparer.quote
        target = f"{quoted(dialect, table)} ({quote(definition.name)})"
        statements.append(f"CREATE {unique}INDEX {quote(name)} ON {target}")
    return statements


def alter_column(dialect: Dialect, table: TableName, definition: ColumnDefinition) -> list[str]:
    """Write what changes a column's type, default and whether it takes NULL, in the standard's words."""
    quote = dialect.sa.identifier_preparer.quote
    start = f"ALTER TABLE {quoted(dialect, table)} ALTER COLUMN {quote(definition.name)}"
    keeps_type = definition.type in _KEYS
    kind = "" if keeps_type else dialect.column_type(definition)
    statements: list[str] = []
    if definition.has_default:
        # A default of the old type may not fit the new one.
        statements.append(f"{start} DROP DEFAULT")
    if not keeps_type:
        statements.append(f"{start} TYPE {kind} USING {quote(definition.name)}::{kind}")
    if definition.has_default and definition.default is not None:
        statements.append(f"{start} SET DEFAULT {default_text(dialect, definition)}")
    if definition.null_given and not (keeps_type or definition.is_primary_key):
        statements.append(f"{start} {'DROP' if definition.allow_null else 'SET'} NOT NULL")
    return statements


def drop_column(dialect: Dialect, table: TableName, column: Column) -> list[str]:
    """Write what drops a column."""
    name = dialect.sa.identifier_preparer.quote(column.name)
    return [f"ALTER TABLE {quoted(dialect, table)} DROP COLUMN {name}"]


def drop_table(dialect: Dialect, table: Table, word: str = "") -> list[str]:
    """Write what drops a table or view."""
    word = word or ("VIEW" if table.is_view else "TABLE")
    return [f"DROP {word} {quoted(dialect, table.identity)}"]


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


def default_text(dialect: Dialect, definition: ColumnDefinition) -> str:
    """Write the default of a column."""
    column = sa.Column("x", sa.Text(), server_default=_default(dialect, definition))
    holder = sa.schema.CreateTable(sa.Table("x", sa.MetaData(), column))
    return dialect.sa.ddl_compiler(dialect.sa, holder).get_column_default_string(column) or "NULL"


def _default(dialect: Dialect, definition: ColumnDefinition) -> Any:
    if definition.type in dialect.born_now:
        return dialect.function("CURRENT_TIMESTAMP")
    if not definition.has_default:
        return None
    value = definition.default
    if isinstance(value, Function):
        return sa.text(f"({dialect.function(value.name).compile(dialect=dialect.sa)})")
    # Data becomes a literal of the column's type: a text can only ever be a quoted text.
    typed = types.incoming(Column(definition.name, definition.type, ""), value)
    if isinstance(typed, bool):
        return sa.text(str(typed).lower() if dialect.sa.supports_native_boolean else str(int(typed)))
    if isinstance(typed, bytes):
        raise BadRequest(f"Field '{definition.name}' can not have a binary default.")
    return str(typed) if isinstance(typed, str) else sa.text(str(typed))


def _constraints(table: sa.Table, definition: ColumnDefinition, named: Named) -> Iterator[sa.Constraint]:
    if definition.is_unique:
        yield sa.UniqueConstraint(definition.name)
    if definition.ref_table:
        field = definition.ref_field or "id"
        target = named(definition.ref_table)
        own = (target.name, target.schema) == (table.name, table.schema)
        other = table if own else _stand_in(table.metadata, target, field)
        if field not in other.c:
            raise BadRequest(f"Field '{definition.name}' refers to '{field}', which is not there.")
        yield sa.ForeignKeyConstraint(
            [definition.name], [other.c[field]], onupdate=definition.ref_on_update, ondelete=definition.ref_on_delete
        )


def _stand_in(metadata: sa.MetaData, name: TableName, field: str) -> sa.Table:
    """Answer a table with just the column that is referred to: the real one need not be known here."""
    return sa.Table(name.name, metadata, sa.Column(field, sa.Integer), schema=name.schema, extend_existing=True)


def reference(dialect: Dialect, definition: ColumnDefinition, named: Named) -> str:
    """Write what a column refers to."""
    quote = dialect.sa.identifier_preparer.quote
    text = f" REFERENCES {quoted(dialect, named(definition.ref_table or ''))} ({quote(definition.ref_field or 'id')})"
    text += f" ON UPDATE {definition.ref_on_update}" if definition.ref_on_update else ""
    return text + (f" ON DELETE {definition.ref_on_delete}" if definition.ref_on_delete else "")


def quoted(dialect: Dialect, table: TableName) -> str:
    """Write a table's name as the dialect quotes it."""
    preparer = dialect.sa.identifier_preparer
    name = preparer.quote(table.name)
    return f"{preparer.quote_schema(table.schema)}.{name}" if table.schema else name
