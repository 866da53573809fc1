"""What is special about SQL Server: types both ways, functions, orders, patterns, locks."""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.types import UserDefinedType

from trunkline_database import types
from trunkline_database.definition import ColumnDefinition
from trunkline_database.model import Column, Table
from trunkline_database.sql import ddl
from trunkline_database.sql.dialect import Declared, Dialect
from trunkline_database.sql.errors import Diagnosis
from trunkline_database.sql.postgresql_values import shortest
from trunkline_database.sql.statement import Converter
from trunkline_sqlsrv import errors
from trunkline_sqlsrv.driver import PytdsDialect

_FUNCTIONS = {
    "CURRENT_TIMESTAMP": "SYSDATETIME()",
    "UTC_TIMESTAMP": "SYSUTCDATETIME()",
    "CURRENT_DATE": "CAST(SYSDATETIME() AS date)",
    "CURRENT_TIME": "CAST(SYSDATETIME() AS time(0))",
    "UUID": "NEWID()",
}
# Types that are sent and read as text, which the server casts: by the word in the declaration.
_MOMENTS = {
    "date": "date", "time": "time", "datetime2": "datetime2", "datetime": "datetime2", "smalldatetime": "datetime2",
    "datetimeoffset": "datetimeoffset",
}  # fmt: skip
_SIMPLE = {
    "bit": "boolean", "tinyint": "integer", "smallint": "integer", "int": "integer", "bigint": "bigint",
    "decimal": "decimal", "numeric": "decimal", "money": "money", "smallmoney": "money", "real": "float",
    "float": "double", "date": "date", "time": "time", "datetime": "datetime", "datetime2": "datetime",
    "smalldatetime": "datetime", "datetimeoffset": "timestamptz", "uniqueidentifier": "uuid", "text": "text",
    "ntext": "text", "image": "binary", "binary": "binary", "varbinary": "binary", "rowversion": "binary",
    "timestamp": "binary",
}  # fmt: skip
_TEXTS = frozenset({"char", "varchar", "nchar", "nvarchar", "sysname"})
_MOST_CHARACTERS = 4000
# Text with the date first, as ISO has it.
_STYLE = "121"


class _Sent(UserDefinedType[Any]):
    """A type that is sent as text and cast."""

    cache_ok = True

    def __init__(self, word: str) -> None:
        self.word = word

    def get_col_spec(self, **_: Any) -> str:
        return self.word

    def bind_expression(self, bindvalue: Any) -> Any:
        return sa.cast(sa.type_coerce(bindvalue, sa.Unicode()), self)


class SqlsrvDialect(Dialect):
    """What is special about SQL Server."""

    views_return = True
    creates = {  # noqa: RUF012 - a ClassVar in the base
        "reference": "int", "fk": "int", "integer": "int", "bigint": "bigint", "smallint": "smallint",
        "tinyint": "tinyint", "boolean": "bit", "decimal": "decimal{digits}", "money": "money", "float": "real",
        "double": "float", "text": "nvarchar(max)", "date": "date", "time": "time", "datetime": "datetime2",
        "timestamp": "datetime2", "datetimetz": "datetimeoffset", "timestamptz": "datetimeoffset",
        "timestamp_on_create": "datetime2", "timestamp_on_update": "datetime2", "user_id": "int",
        "user_id_on_create": "int", "user_id_on_update": "int", "binary": "varbinary(max)", "json": "nvarchar(max)",
        "uuid": "uniqueidentifier",
    }  # fmt: skip

    def __init__(self, dialect: sa.Dialect | None = None) -> None:
        """Render for python-tds."""
        super().__init__(dialect or PytdsDialect())

    # Values.

    def compared_as(self, column: Column) -> sa.types.TypeEngine[Any]:
        """Answer the type of a column in expressions."""
        word = word_of(column)
        if word in _MOMENTS or word == "uniqueidentifier":
            return _Sent(_MOMENTS.get(word, word))
        return sa.Unicode() if word in _TEXTS else super().compared_as(column)

    def selected(self, expression: sa.ColumnElement[Any], column: Column) -> sa.ColumnElement[Any]:
        """Read what Python has no type for, or a shorter one, as the server writes it (7 digits of a second)."""
        word = word_of(column)
        if word in _MOMENTS:
            return sa.func.convert(sa.literal_column("varchar(34)"), expression, sa.literal_column(_STYLE))
        if word == "uniqueidentifier":
            return sa.cast(expression, sa.CHAR(36))
        if word in _SIMPLE or word in _TEXTS or word == "":
            return expression
        return sa.cast(expression, sa.UnicodeText())

    def converter(self, column: Column) -> Converter | None:
        """Turn what the driver brings into what goes out as JSON."""
        word = word_of(column)
        if word in _MOMENTS:
            return without_zeros
        if column.type == "binary":
            return as_base64
        return shortest if word == "real" else None

    def aggregated(self, function: str, expression: sa.ColumnElement[Any], column: Column) -> sa.ColumnElement[Any]:
        """Sum and average integers in wider types: in their own, sums overflow and averages are cut off."""
        if column.type in types.INTEGERS and function in ("sum", "avg"):
            expression = sa.cast(expression, sa.BigInteger() if function == "sum" else sa.Float())
        return super().aggregated(function, expression, column)

    def pattern_binder(self) -> Converter:
        """Make an opening bracket one of itself: in patterns it begins a set of signs."""
        return plain_brackets

    def locked(self, query: sa.Select[Any], source: sa.FromClause) -> sa.Select[Any]:
        """Hold rows by a hint."""
        return query.with_hint(source, "WITH (UPDLOCK)", "mssql")

    def any_order(self) -> list[sa.ColumnElement[Any]]:
        """Answer an order that is none: a page needs one."""
        return [sa.literal_column("(SELECT NULL)")]

    def inserting(self, text: str, table: Table, names: Collection[str]) -> str:
        """Allow a number that was sent for a column that counts."""
        if not any(one.auto_increment and one.name in names for one in table.columns):
            return text
        switch = f"SET IDENTITY_INSERT {ddl.quoted(self, table.identity)}"
        return f"{switch} ON; {text}; {switch} OFF"

    def function(self, name: str) -> sa.ColumnElement[Any]:
        """Render a function."""
        return sa.literal_column(_FUNCTIONS[name])

    def ordered(
        self, column: sa.ColumnElement[Any], descending: bool, nulls: Literal["first", "last"] | None
    ) -> list[sa.ColumnElement[Any]]:
        """Sort by being null first: there are no words for it."""
        plain = super().ordered(column, descending, None)
        if nulls is None:
            return plain
        here, there = ("0", "1") if nulls == "first" else ("1", "0")
        empty = sa.case((column.is_(None), sa.literal_column(here)), else_=sa.literal_column(there))
        return [empty, *plain]

    # Declarations.

    def declared(self, declaration: str) -> Declared:
        """Read a declaration as ``catalogue.declaration`` writes it: ``nvarchar(40)``, ``decimal(8,2)``."""
        word, _, rest = declaration.partition("(")
        digits = [int(one) for one in rest.rstrip(")").split(",") if one.strip().isdigit()]
        length = digits[0] if digits else None
        if word in _TEXTS:
            wide, fixed = word.startswith("n") or word == "sysname", word in ("char", "nchar")
            kind = "text" if "max" in rest else "string"
            return Declared(kind, declaration, length, length, None, fixed, wide)
        simple = _SIMPLE.get(word, "string")
        if simple == "decimal":
            return Declared(simple, declaration, length, length, digits[1] if len(digits) > 1 else 0)
        return Declared(simple, declaration, length if simple == "binary" else None)

    def column_type(self, definition: ColumnDefinition) -> str:
        """Render the type of a new column; texts are always Unicode, so that they come back as they were sent."""
        if definition.type == "string":
            length = definition.length or 255
            word = "nchar" if definition.fixed_length and length <= _MOST_CHARACTERS else "nvarchar"
            return f"{word}({length if length <= _MOST_CHARACTERS else 'max'})"
        if definition.type == "binary" and definition.length and definition.length <= 2 * _MOST_CHARACTERS:
            return f"{'binary' if definition.fixed_length else 'varbinary'}({definition.length})"
        return super().column_type(definition)

    # Errors.

    def is_driver_error(self, error: BaseException) -> bool:
        """Say whether an error is python-tds's, of TLS, or of the network below it."""
        import OpenSSL.SSL
        import pytds

        known = pytds.Error | OpenSSL.SSL.Error | sa.exc.SQLAlchemyError | OSError | OverflowError | UnicodeEncodeError
        return isinstance(error, known)

    def diagnose(self, error: Exception) -> Diagnosis:
        """Read the error's number, and the field or constraint from its message."""
        return errors.diagnose(error)


def word_of(column: Column) -> str:
    """Answer the type of a column without what stands in brackets."""
    return column.db_type.partition("(")[0]


def plain_brackets(pattern: Any) -> Any:
    """Write a pattern in which an opening bracket stands for itself."""
    return pattern.replace("[", "[[]") if isinstance(pattern, str) else pattern


def without_zeros(value: Any) -> Any:
    """Leave out a fraction of a second that is nothing, in front of an offset too."""
    if not isinstance(value, str) or "." not in value:
        return value
    rest, _, behind = value.partition(".")
    fraction, space, offset = behind.partition(" ")
    kept = f"{rest}.{fraction}" if fraction.strip("0") else rest
    return f"{kept}{space}{offset}"


def as_base64(value: Any) -> Any:
    """Write bytes as base64 (D30)."""
    return base64.b64encode(value).decode() if isinstance(value, bytes | bytearray) else value
