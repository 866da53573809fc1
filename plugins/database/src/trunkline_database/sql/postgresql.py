"""PostgreSQL's ways: types in its own words, text as the form of what JSON has no form for, errors by SQLSTATE."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.types import UserDefinedType

from trunkline_database import types
from trunkline_database.definition import ColumnDefinition
from trunkline_database.model import Column
from trunkline_database.sql.dialect import Declared, Dialect
from trunkline_database.sql.errors import Diagnosis, Kind, by_sqlstate
from trunkline_database.sql.json_text import exact_json
from trunkline_database.sql.postgresql_values import array_text, plain_text
from trunkline_database.sql.statement import Converter

_FUNCTIONS = {
    "CURRENT_TIMESTAMP": "CURRENT_TIMESTAMP",
    "UTC_TIMESTAMP": "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')",
    "CURRENT_DATE": "CURRENT_DATE",
    "CURRENT_TIME": "LOCALTIME",
    "UUID": "gen_random_uuid()",
}
# Length and precision, which a cast must not have: it would cut off where an assignment refuses.
# What a refused row is told to be; as a number it is none, so the statement fails with these words in its error.
_OUTSIDE = "not within the row filter"
_MODIFIER = re.compile(r"\(\d+(?:,-?\d+)?\)")
_TEXTS = frozenset({"text", "character varying", "name"})
# What the driver hands over as JSON wants it, or as PostgreSQL's own text.
_NATIVE = _TEXTS | {
    "smallint", "integer", "bigint", "numeric", "double precision", "boolean", "bytea", "bpchar", "date",
    "time without time zone", "time with time zone", "timestamp without time zone", "timestamp with time zone",
    "interval", "uuid", "inet", "cidr", "json", "jsonb", "money", "xml",
}  # fmt: skip
# What PostgreSQL's JSON has in the same form as ours.
_WRITTEN_ALIKE = _TEXTS | {"bpchar", "smallint", "integer", "bigint", "boolean", "json", "jsonb", "money", "xml"}
# Domains over these come as what they are made of.
_DOMAINS = types.NUMBERS | types.DATETIMES | types.TIMES | {"date", "boolean", "binary", "json", "uuid"}
# What these kinds say is about statements of ours, and a routine's own errors are not.
_OURS: frozenset[Kind] = frozenset({"stale", "operation", "too_complex", "other"})
_KEYS = re.compile(r"[^(]*\(([^()]+)\)=\(")
_ARRAY = re.compile(r"(\[\])+$")


class _Own(UserDefinedType[Any]):
    """A type in PostgreSQL's own word for it; values go in as text, which PostgreSQL reads."""

    cache_ok = True

    def __init__(self, word: str) -> None:
        self.word = word

    def get_col_spec(self, **_: Any) -> str:
        return self.word

    def bind_expression(self, bindvalue: Any) -> Any:
        return sa.cast(sa.type_coerce(bindvalue, sa.Text()), self)


class PostgresqlDialect(Dialect):
    """What is special about PostgreSQL and those that are it inside."""

    views_return = True
    checks = True
    unnests = True
    writes_json = True
    born_now = frozenset({"timestamp_on_create", "timestamp_on_update"})
    creates = {  # noqa: RUF012 - a ClassVar in the base
        "reference": "integer", "fk": "integer", "integer": "integer", "bigint": "bigint", "smallint": "smallint",
        "boolean": "boolean", "decimal": "numeric{digits}", "money": "money", "float": "real",
        "double": "double precision", "text": "text", "date": "date", "time": "time", "datetime": "timestamp",
        "timestamp": "timestamp", "datetimetz": "timestamp with time zone", "timestamptz": "timestamp with time zone",
        "timetz": "time with time zone", "timestamp_on_create": "timestamp", "timestamp_on_update": "timestamp",
        "user_id": "integer", "user_id_on_create": "integer", "user_id_on_update": "integer", "binary": "bytea",
        "json": "json", "uuid": "uuid",
    }  # fmt: skip

    def __init__(self) -> None:
        """Render for asyncpg, whose statements have numbered binds."""
        dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy's constructor has no annotations
        # Sessions have standard_conforming_strings on, so a backslash in a literal is just one.
        dialect._backslash_escapes = False
        super().__init__(dialect)

    # Values.

    def compared_as(self, column: Column) -> sa.types.TypeEngine[Any]:
        """Answer the type of a column in expressions: numbers and texts as such, all else by its own word."""
        word = word_of(column)
        if column.type in types.INTEGERS or column.type in ("boolean", "binary", "decimal") or word in ("", *_TEXTS):
            return super().compared_as(column)
        return sa.Double() if word == "double precision" else _Own(word)

    def sent_as(self, column: Column) -> sa.types.TypeEngine[Any]:
        """Answer the type as which values travel in lists: what has no better form goes as text."""
        kind = self.compared_as(column)
        return sa.Text() if isinstance(kind, _Own) else kind

    def guard(self, condition: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
        """Fail by a number that is none; planners do not look into it before a row is there."""
        words = sa.case((condition, sa.literal_column("'1'")), else_=sa.literal_column(f"'{_OUTSIDE}'"))
        return sa.cast(words, sa.Integer)

    def binder(self, column: Column) -> Converter | None:
        """Give the driver what the type above wants."""
        if column.type == "decimal":
            return _decimal
        kind = self.compared_as(column)
        if isinstance(kind, _Own):
            return array_text if column.type == "array" else plain_text
        return None

    def selected(self, expression: sa.ColumnElement[Any], column: Column) -> sa.ColumnElement[Any]:
        """Read types that the driver would have to look up, or would round, as PostgreSQL writes them."""
        word = word_of(column)
        if column.type == "array":
            return expression if _ARRAY.sub("", word) in _NATIVE else sa.cast(expression, _Own("text[]"))
        if word != "real" and (word in ("", *_NATIVE) or column.type in _DOMAINS):
            return expression
        return sa.cast(expression, sa.Text())

    def json_member(self, expression: sa.ColumnElement[Any], column: Column) -> sa.ColumnElement[Any] | None:
        """Write numbers, booleans, JSON and texts as they are, what is no finite number as NULL, all else as text."""
        word = word_of(column)
        if column.type == "array" or (word not in _NATIVE and column.type in _DOMAINS):
            return None
        if word in ("real", "double precision", "numeric"):
            # What is not a number, or not finite, is not equal to nothing when it is taken from itself.
            return sa.case((expression - expression == sa.literal_column("0"), expression))
        if word == "bytea":
            return sa.func.translate(
                sa.func.encode(expression, sa.literal_column("'base64'")),
                sa.literal_column("E'\\n'"),
                sa.literal_column("''"),
            )
        if word in _WRITTEN_ALIKE:
            return expression
        return sa.cast(expression, sa.Text())

    def converter(self, column: Column) -> Converter | None:
        """Parse JSON and single precision numbers, which come as text so that they keep their digits."""
        if column.type == "json":
            return exact_json
        word = word_of(column)
        if column.type == "array" and word.startswith(("json", "real")):
            return _each(exact_json if word.startswith("json") else float)
        return float if word == "real" else None

    def function(self, name: str) -> sa.ColumnElement[Any]:
        """Render a function."""
        return sa.literal_column(_FUNCTIONS[name])

    # Declarations.

    def declared(self, declaration: str) -> Declared:
        """Read a declaration; arrays are arrays of whatever it is, text is a string (database-api 13.5)."""
        if declaration.endswith("[]"):
            return Declared("array", declaration)
        if declaration.startswith("bit"):
            return Declared("string", declaration)
        found = super().declared(declaration)
        if found.type == "text":
            return Declared("string", declaration)
        return Declared("integer", declaration) if found.type == "smallint" else found

    def column_type(self, definition: ColumnDefinition) -> str:
        """Render the type of a new column; native types may be arrays, text is multibyte anyway."""
        if definition.type == "string":
            return f"{'char' if definition.fixed_length else 'varchar'}({definition.length or 255})"
        if found := _ARRAY.search(definition.type):
            element = ColumnDefinition(definition.name, definition.type[: found.start()])
            return super().column_type(element) + found[0]
        return super().column_type(definition)

    # Errors.

    def is_driver_error(self, error: BaseException) -> bool:
        """Say whether an error is asyncpg's, or of the network below it."""
        import asyncpg

        known = asyncpg.PostgresError | asyncpg.InterfaceError | asyncpg.InternalClientError
        return isinstance(error, known | sa.exc.SQLAlchemyError | OSError | OverflowError)

    def diagnose(self, error: Exception) -> Diagnosis:
        """Read the SQLSTATE with the names that PostgreSQL adds to it, or what asyncpg objects to by itself."""
        import asyncpg

        if isinstance(error, asyncpg.exceptions.InvalidCachedStatementError):
            return Diagnosis("stale")
        if isinstance(error, asyncpg.PostgresError):
            details: Any = error
            if _OUTSIDE in str(error) and isinstance(error, asyncpg.InvalidTextRepresentationError):
                return Diagnosis("outside")
            state = str(details.sqlstate)
            named = details.column_name or _key_in(details.detail)
            kind, told = by_sqlstate(state), None
            if details.server_source_function == "exec_stmt_raise":
                # RAISE: the words are those of whoever wrote the routine, and so may be the code.
                kind, told = "raised" if kind in _OURS else kind, details.message
            return Diagnosis(kind, state, named, details.constraint_name, told)
        if isinstance(error, ValueError | OverflowError) and not isinstance(error, asyncpg.ClientConfigurationError):
            return Diagnosis("out_of_range" if "range" in str(error) else "type")
        if "number of query arguments" in str(error):
            return Diagnosis("too_complex")
        # Internal ones come when a connection ends at an awkward moment.
        gone = asyncpg.InterfaceError | asyncpg.InternalClientError | OSError
        return Diagnosis("gone" if isinstance(error, gone) else "other")


def word_of(column: Column) -> str:
    """Answer a column's type without length and precision, as PostgreSQL writes it."""
    declared = column.db_type
    if '"' in declared:
        return declared
    word = _MODIFIER.sub("", declared, count=1)
    # Without a length these two would mean one character, one bit.
    for short, unlimited in (("character", "bpchar"), ("bit", '"bit"')):
        if word.removesuffix("[]") == short:
            return word.replace(short, unlimited)
    return word


def _key_in(detail: str | None) -> str | None:
    """Find the columns in ``Key (code)=(A1) already exists.``; expressions of an index are no columns."""
    found = _KEYS.match(detail or "")
    return found[1].replace('"', "") if found else None


def _decimal(value: Any) -> Any:
    return Decimal(repr(value)) if isinstance(value, float) else value


def _each(convert: Converter) -> Callable[[Any], Any]:
    def converted(value: Any) -> Any:
        if isinstance(value, list):
            return [converted(one) for one in value]
        return None if value is None else convert(value)

    return converted
