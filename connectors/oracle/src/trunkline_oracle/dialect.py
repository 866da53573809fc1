"""Oracle's ways: what types are called, how values go in and out, what errors mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import sqlalchemy as sa

from trunkline.errors import BadRequest
from trunkline_database.definition import ColumnDefinition
from trunkline_database.model import Column
from trunkline_database.sql.dialect import Declared, Dialect
from trunkline_database.sql.errors import Diagnosis
from trunkline_database.sql.statement import Converter
from trunkline_oracle import errors, values
from trunkline_oracle.kinds import DayType, HourType, LongText, MomentType, NationalType, Word, ZonedType
from trunkline_oracle.rendering import JSON_TEXT, OracleRendering

_FUNCTIONS = {
    "CURRENT_TIMESTAMP": "LOCALTIMESTAMP",
    "UTC_TIMESTAMP": "SYS_EXTRACT_UTC(SYSTIMESTAMP)",
    "CURRENT_DATE": "TRUNC(CURRENT_DATE)",
    "CURRENT_TIME": "(LOCALTIMESTAMP - TRUNC(LOCALTIMESTAMP))",
    "UUID": (r"LOWER(REGEXP_REPLACE(RAWTOHEX(SYS_GUID()), '(.{8})(.{4})(.{4})(.{4})(.{12})', '\1-\2-\3-\4-\5'))"),
}
_NUMBER = re.compile(r"NUMBER(?:\((\d+|\*)(?:,(-?\d+))?\))?")
_LENGTH = re.compile(r"\((\d+)(?: (?:CHAR|BYTE))?\)")
# Of decimal digits: what integers of the family and these of Oracle's both hold.
_INTEGER_DIGITS, _BIGINT_DIGITS = 10, 19
# A decimal of which nobody said how many digits: NUMBER by itself would be read as an integer.
_DECIMAL = "NUMBER(38,10)"
# The characters of a long text that count in orders.
_BEGINNING = 255
_LONGEST_TEXT = 4000
OBJECT, ARRAY = "OBJECT ", "ARRAY "
PLSQL_BOOLEAN = "PL/SQL BOOLEAN"
_BOOLEANS = frozenset({"BOOLEAN", PLSQL_BOOLEAN})


class OracleDialect(Dialect):
    """What is special about Oracle."""

    creates = {  # noqa: RUF012 - a ClassVar in the base
        "reference": "NUMBER(19)", "fk": "NUMBER(19)", "integer": "NUMBER(10)", "bigint": "NUMBER(19)",
        "smallint": "NUMBER(5)", "tinyint": "NUMBER(3)", "mediumint": "NUMBER(7)", "boolean": "NUMBER(1)",
        "decimal": "NUMBER{digits}", "money": "NUMBER(19,4)", "float": "BINARY_FLOAT", "double": "BINARY_DOUBLE",
        "text": "CLOB", "date": "DATE", "time": HourType.word, "datetime": "TIMESTAMP(6)",
        "timestamp": "TIMESTAMP(6)", "datetimetz": "TIMESTAMP(6) WITH TIME ZONE",
        "timestamptz": "TIMESTAMP(6) WITH TIME ZONE", "timestamp_on_create": "TIMESTAMP(6)",
        "timestamp_on_update": "TIMESTAMP(6)", "user_id": "NUMBER(19)", "user_id_on_create": "NUMBER(19)",
        "user_id_on_update": "NUMBER(19)", "binary": "BLOB", "json": JSON_TEXT, "uuid": "CHAR(36 CHAR)",
    }  # fmt: skip

    def __init__(self, dialect: OracleRendering | None = None, number_is_decimal: bool = False) -> None:
        """Take what renders, and whether NUMBER without digits is a decimal rather than an integer."""
        super().__init__(dialect or OracleRendering())
        self._bare_number = "decimal" if number_is_decimal else "integer"

    # Values.

    def compared_as(self, column: Column) -> sa.types.TypeEngine[Any]:
        """Answer the type of a column in expressions, by what Oracle calls it."""
        word, kind = column.db_type, column.type
        if word.startswith((OBJECT, ARRAY)) or word in ("LONG", "LONG RAW", "BFILE", "XMLTYPE"):
            return Word(word, None)
        if word == "DATE":
            return DayType()
        if word.startswith("TIMESTAMP"):
            return ZonedType() if "TIME ZONE" in word else MomentType()
        if kind == "time":
            return HourType()
        if word in ("CLOB", "NCLOB"):
            return LongText(national=word == "NCLOB")
        if word in _BOOLEANS:
            return Word("BOOLEAN", "BOOLEAN")
        if word in ("BINARY_FLOAT", "BINARY_DOUBLE", "JSON"):
            return Word(word, word)  # type: ignore[arg-type]  # one of the carriers, all of which are spelled so
        if word.startswith("RAW"):
            return Word(word, "RAW")
        if word.startswith(("NCHAR", "NVARCHAR2")):
            return NationalType()
        return super().compared_as(column)

    def selected(self, expression: sa.ColumnElement[Any], column: Column) -> sa.ColumnElement[Any]:
        """Read moments and times as text of one form; what lies in files outside the database is not read."""
        kind = self.compared_as(column)
        if isinstance(kind, DayType | MomentType | ZonedType | HourType):
            return kind.written(expression)
        if column.db_type.startswith("INTERVAL"):
            return sa.func.to_char(expression, type_=sa.String())
        return sa.null() if column.db_type == "BFILE" else expression

    def binder(self, column: Column) -> Converter | None:
        """Give the driver texts in the forms above, and say how others travel."""
        kind, word = self.compared_as(column), column.db_type
        if (timed := _TIMED.get(type(kind))) is not None:
            return timed(column.key)
        if column.type == "json":
            return values.json_text
        if word == "BINARY_FLOAT":
            return values.single(column.key)
        if word == "BINARY_DOUBLE":
            return values.double
        if column.type == "boolean" and word not in _BOOLEANS:
            return values.number
        if word.startswith(("NCHAR", "NVARCHAR2", "NCLOB")):
            return values.national
        return values.fixed if word.startswith("CHAR(") else None

    def converter(self, column: Column) -> Converter | None:
        """Turn what the driver brings into what goes out as JSON."""
        word, kind = column.db_type, column.type
        if word == "DATE":
            return values.shown_day
        if word.startswith("TIMESTAMP") or kind == "time":
            return values.shown_moment
        if kind == "json":
            # What is JSON to the database itself the driver has parsed.
            return values.plain if word == "JSON" else values.from_json
        if kind == "boolean":
            return values.boolean
        if word == "BINARY_FLOAT":
            return values.shortest
        if word.startswith("FLOAT"):
            return values.as_float
        if kind == "binary":
            return values.as_base64
        return values.plain if word.startswith((OBJECT, ARRAY, "VECTOR")) else None

    def function(self, name: str) -> sa.ColumnElement[Any]:
        """Render a function."""
        return sa.literal_column(_FUNCTIONS[name])

    def ordered(
        self, column: sa.ColumnElement[Any], descending: bool, nulls: Literal["first", "last"] | None
    ) -> list[sa.ColumnElement[Any]]:
        """Sort long texts by their beginning: there is no order of CLOBs."""
        if isinstance(column.type, LongText):
            column = sa.func.dbms_lob.substr(column, sa.literal_column(str(_BEGINNING)), sa.literal_column("1"))
        return super().ordered(column, descending, nulls)

    # Declarations.

    def declared(self, declaration: str) -> Declared:
        """Read a declaration as the catalogue of ours writes it."""
        word = declaration.upper()
        if found := _NUMBER.fullmatch(word):
            return self._number(declaration, found)
        if word.startswith("FLOAT"):
            return Declared("double", declaration)
        if word == "DATE":
            return Declared("date", declaration)
        if word.startswith("TIMESTAMP"):
            return Declared("timestamptz" if "TIME ZONE" in word else "timestamp", declaration)
        if word.startswith("INTERVAL DAY(0)"):
            return Declared("time", declaration)
        if (simple := _SIMPLE.get(word)) is not None:
            return Declared(simple, declaration)
        length = int(found[1]) if (found := _LENGTH.search(word)) else None
        if word.startswith("RAW"):
            return Declared("binary", declaration, length=length)
        if word.startswith(ARRAY):
            return Declared("array", declaration)
        if word.startswith(("CHAR", "NCHAR", "VARCHAR2", "NVARCHAR2")):
            fixed = word.startswith(("CHAR", "NCHAR"))
            return Declared("string", declaration, length, length, None, fixed, word.startswith("N"))
        return Declared("string", declaration)

    def _number(self, declaration: str, found: re.Match[str]) -> Declared:
        digits = int(found[1]) if found[1] not in (None, "*") else None
        scale = int(found[2]) if found[2] else 0
        if digits is None and found[2] is None:
            # It may hold fractions, so no scale is told that values would be rounded to.
            return Declared(self._bare_number, declaration)
        if scale < 0:
            # Rounded before the point, which nothing but the database does.
            return Declared("decimal", declaration)
        if scale:
            return Declared("decimal", declaration, digits, digits, scale if digits else None)
        if digits is None:
            return Declared("integer", declaration)
        if digits == 1:
            return Declared("boolean", declaration)
        if digits <= _BIGINT_DIGITS:
            kind = "integer" if digits <= _INTEGER_DIGITS else "bigint"
            return Declared(kind, declaration, digits, digits, 0)
        return Declared("decimal", declaration, digits, digits, 0)

    # Definitions.

    def column_type(self, definition: ColumnDefinition) -> str:
        """Render the type of a new column; texts are counted in characters."""
        if definition.type == "string":
            length = definition.length or 255
            word = ("N" if definition.supports_multibyte else "") + ("CHAR" if definition.fixed_length else "VARCHAR2")
            if length > _LONGEST_TEXT:
                raise BadRequest(f"Field '{definition.name}' can have {_LONGEST_TEXT} characters at most.")
            return f"{word}({length})" if definition.supports_multibyte else f"{word}({length} CHAR)"
        if definition.type == "timetz":
            raise BadRequest(f"Field '{definition.name}' can not be a time with a zone in this kind of database.")
        if definition.type == "decimal" and not (definition.precision or definition.length):
            return _DECIMAL
        return super().column_type(definition)

    # Errors.

    def is_driver_error(self, error: BaseException) -> bool:
        """Say whether an error is python-oracledb's, or of the network below it."""
        import oracledb

        return isinstance(error, oracledb.Error | sa.exc.SQLAlchemyError | OSError | OverflowError)

    def diagnose(self, error: Exception) -> Diagnosis:
        """Read an error."""
        return errors.diagnose(error)


_TIMED: dict[type, Callable[[str], Converter]] = {
    DayType: values.day, MomentType: values.moment, ZonedType: values.zoned, HourType: values.hour,
}  # fmt: skip
_SIMPLE = {
    "CLOB": "text", "NCLOB": "text", "LONG": "text", "BLOB": "binary", "BFILE": "binary", "LONG RAW": "binary",
    "BINARY_FLOAT": "float", "BINARY_DOUBLE": "double", "JSON": "json", JSON_TEXT: "json", "BOOLEAN": "boolean",
    "DOUBLE PRECISION": "double", "REAL": "double", "INTEGER": "integer",
}  # fmt: skip
