"""Firebird's ways: what types are called, how values go in and out, what errors mean."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import UserDefinedType

from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.definition import ColumnDefinition
from trunkline_database.model import Column
from trunkline_database.sql.dialect import Declared, Dialect
from trunkline_database.sql.errors import Diagnosis
from trunkline_database.sql.statement import Converter
from trunkline_firebird import errors, values

_FUNCTIONS = {
    "CURRENT_TIMESTAMP": "CURRENT_TIMESTAMP",
    "UTC_TIMESTAMP": (
        "DATEADD(-CAST(COALESCE(RDB$GET_CONTEXT('USER_SESSION', 'AHEAD_OF_UTC'), '0') AS INTEGER) MINUTE "
        "TO CURRENT_TIMESTAMP)"
    ),
    "CURRENT_DATE": "CURRENT_DATE",
    "CURRENT_TIME": "CURRENT_TIME",
    "UUID": "UUID_TO_CHAR(GEN_UUID())",
}
# The longest text of a column or bind whose characters may take four bytes.
_LONGEST = 8191
_MOST_DIGITS = 18
_CHARSET = re.compile(r" CHARACTER SET (\w+)$")


class _Word(UserDefinedType[Any]):
    """A type in Firebird's own words; a bind of it is cast to them, as the server would judge by what it meets."""

    cache_ok = True
    render_bind_cast = True

    def __init__(self, text: str) -> None:
        self.text = text

    def get_col_spec(self, **_: Any) -> str:
        return self.text


class _Text(_Word, sa.String):
    """Text that is compared as what the column holds, and one more character: what is longer must not be equal."""


class _Bare(UserDefinedType[Any]):
    """A type that the server may find out by itself."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "BLOB SUB_TYPE BINARY"


class FirebirdDialect(Dialect):
    """What is special about Firebird."""

    views_return = True
    creates = {  # noqa: RUF012 - a ClassVar in the base
        "reference": "integer", "fk": "integer", "integer": "integer", "bigint": "bigint", "smallint": "smallint",
        "tinyint": "smallint", "mediumint": "integer", "boolean": "boolean", "decimal": "decimal{digits}",
        "money": "decimal(18,4)", "float": "float", "double": "double precision",
        "text": "blob sub_type text character set utf8", "date": "date", "time": "time", "datetime": "timestamp",
        "timestamp": "timestamp", "datetimetz": "timestamp", "timestamptz": "timestamp", "timetz": "time",
        "timestamp_on_create": "timestamp", "timestamp_on_update": "timestamp", "user_id": "integer",
        "user_id_on_create": "integer", "user_id_on_update": "integer", "binary": "blob sub_type binary",
        "json": "blob sub_type text character set utf8", "uuid": "char(36) character set ascii",
    }  # fmt: skip

    # Values.

    def compared_as(self, column: Column) -> sa.types.TypeEngine[Any]:
        """Answer the type of a column in expressions; binds are wide enough for whatever is compared."""
        if column.type in types.DECIMALS and column.precision is not None and column.precision <= _MOST_DIGITS:
            return _Word(f"NUMERIC({_MOST_DIGITS},{_finer_scale(column)})")
        if column.type == "float":
            return _Word("FLOAT")
        if column.type == "double":
            return _Word("DOUBLE PRECISION")
        if column.type in types.INTEGERS:
            return sa.BigInteger()
        if column.type in ("date", "boolean") or column.type in types.TIMES | types.DATETIMES:
            return super().compared_as(column)
        if column.type == "string":
            charset = found[1] if (found := _CHARSET.search(column.db_type)) else "UTF8"
            if column.length and column.length < _LONGEST:
                return _Text(f"VARCHAR({column.length + 1}) CHARACTER SET {charset}")
            return sa.String()
        return sa.Text() if column.type in ("text", "json") else _Bare()

    def binder(self, column: Column) -> Converter | None:
        """Give the driver what the types above want."""
        if column.type in types.DECIMALS and column.precision is not None and column.precision <= _MOST_DIGITS:
            return values.finer(_finer_scale(column), column.key)
        if column.type == "string" and column.length and column.length < _LONGEST:
            return values.fitting(column.length)
        return self.sender(column)

    def sender(self, column: Column) -> Converter | None:
        """Answer what turns a value into one for a place whose type the server knows."""
        if column.type in types.DATETIMES:
            return values.moment(column.key)
        if column.type == "date":
            return values.day(column.key)
        if column.type == "float":
            return values.single(column.key)
        return values.hour(column.key) if column.type in types.TIMES else None

    def converter(self, column: Column) -> Converter | None:
        """Turn what the driver brings into what goes out as JSON."""
        if column.type == "float":
            return short
        if column.type == "date" or column.type in types.DATETIMES | types.TIMES:
            return values.shown
        return values.base64_text if column.type == "binary" else None

    def function(self, name: str) -> sa.ColumnElement[Any]:
        """Render a function."""
        return sa.literal_column(_FUNCTIONS[name])

    def ordered(self, column: sa.ColumnElement[Any], descending: bool, nulls: Any) -> list[sa.ColumnElement[Any]]:
        """Sort long texts by their beginning: the server would sort them by where it keeps them."""
        if isinstance(column.type, sa.Text):
            beginning: Any = sa.literal_column(f"SUBSTRING({_rendered(column, self.sa)} FROM 1 FOR 255)")
            column = sa.cast(beginning, _Word("VARCHAR(255) CHARACTER SET UTF8"))
        return super().ordered(column, descending, nulls)

    # Declarations.

    def declared(self, declaration: str) -> Declared:
        """Read a declaration as the catalogue writes it."""
        bare = _CHARSET.sub("", declaration)
        if declaration.endswith("CHARACTER SET OCTETS"):
            return Declared("binary", declaration, length=super().declared(bare).length)
        if bare.startswith("BLOB"):
            return Declared("text" if bare == "BLOB SUB_TYPE TEXT" else "binary", declaration)
        if bare.endswith("]"):
            return Declared("array", declaration)
        if bare.startswith("DECFLOAT") or bare == "INT128":
            return Declared("decimal", declaration)
        return replace(super().declared(bare), db_type=declaration)

    def column_type(self, definition: ColumnDefinition) -> str:
        """Render the type of a new column; texts are UTF-8, whatever the database is by default."""
        if definition.type == "string":
            word = "char" if definition.fixed_length else "varchar"
            return f"{word}({definition.length or 255}) character set utf8"
        if definition.type == "decimal" and (definition.precision or definition.length or 0) > _MOST_DIGITS:
            raise BadRequest(f"Field '{definition.name}' can have {_MOST_DIGITS} digits at most.")
        return super().column_type(definition)

    # Errors.

    def is_driver_error(self, error: BaseException) -> bool:
        """Say whether an error is the driver's, also of what it cannot pack into a message to the server."""
        return super().is_driver_error(error) or isinstance(error, OSError) or errors.is_packing(error)

    def diagnose(self, error: Exception) -> Diagnosis:
        """Read an error."""
        return errors.diagnose(error)


def short(value: float) -> float:
    """Answer the shortest number that is the same in single precision."""
    for digits in range(6, 9):
        if struct.pack("f", shorter := float(f"{value:.{digits}g}")) == struct.pack("f", value):
            return shorter
    return float(f"{value:.9g}")


def _finer_scale(column: Column) -> int:
    """Answer the scale of binds: one digit more than the column's, where there is room for it."""
    scale = column.scale or 0
    return scale + 1 if (column.precision or 0) < _MOST_DIGITS else scale


def _rendered(column: sa.ColumnElement[Any], dialect: sa.Dialect) -> str:
    return str(column.compile(dialect=dialect))
