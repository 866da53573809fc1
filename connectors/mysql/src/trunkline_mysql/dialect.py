"""What is special about MySQL and MariaDB: types both ways, functions, errors by number."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.mysql.base import MySQLDialect

from trunkline_database import types
from trunkline_database.model import Column
from trunkline_database.sql.dialect import Declared, Dialect
from trunkline_database.sql.errors import Diagnosis, Kind
from trunkline_database.sql.statement import Converter
from trunkline_mysql import values
from trunkline_mysql.connection import Server

MOMENTS = frozenset({"datetime", "timestamp", "timestamp_on_create", "timestamp_on_update"})
_AS_TEXT = MOMENTS | {"date", "time"}

# By error number, the same in MySQL and MariaDB unless said.
_ERRORS: dict[int, Kind] = {
    1022: "duplicate", 1062: "duplicate", 1586: "duplicate",
    1216: "foreign_key", 1217: "foreign_key", 1451: "foreign_key", 1452: "foreign_key",
    1048: "not_null", 1138: "not_null", 1263: "not_null", 1364: "not_null",
    1644: "raised",
    3819: "check", 4025: "check",  # MySQL, MariaDB
    1406: "too_long", 1264: "out_of_range", 1690: "out_of_range",
    1265: "type", 1292: "type", 1366: "type", 1411: "type", 3140: "type",
    1054: "stale", 1146: "stale", 1305: "stale", 1318: "stale", 1615: "stale",
    1036: "read_only", 1288: "read_only", 1290: "read_only", 1471: "read_only", 1792: "read_only",
    1040: "busy", 1203: "busy", 1205: "busy", 1213: "busy", 1461: "busy",
    1044: "gone", 1045: "gone", 1049: "gone", 1053: "gone", 1927: "gone", 2002: "gone", 2003: "gone", 2006: "gone",
    2013: "gone", 2014: "gone", 2059: "gone",
    1317: "timeout", 1969: "timeout", 3024: "timeout",
    1153: "too_complex", 1390: "too_complex", 1436: "too_complex",
    1142: "denied", 1143: "denied", 1227: "denied", 1370: "denied",
    1050: "exists", 1060: "exists", 1061: "exists",
    1553: "needed", 1828: "needed", 1829: "needed", 1832: "needed", 1833: "needed", 3730: "needed",
}  # fmt: skip
# What cannot be made, which the server does not always say by an SQLSTATE: keys that fit nothing, unknown types.
_UNMAKEABLE = frozenset({1005, 1090, 1091, 1215, 1822, 3780, 4161})
_FUNCTIONS = {
    "CURRENT_TIMESTAMP": "CURRENT_TIMESTAMP()",
    "UTC_TIMESTAMP": "UTC_TIMESTAMP()",
    "CURRENT_DATE": "CURRENT_DATE()",
    "CURRENT_TIME": "CURRENT_TIME()",
    "UUID": "UUID()",
}


class PreparedMysql(MySQLDialect):
    """SQLAlchemy's dialect for statements with ``?``, as the server itself has them."""

    supports_statement_cache = True

    def __init__(self) -> None:
        """Render for MySQL until a server says more of itself."""
        super().__init__(paramstyle="qmark")

    def learn(self, server: Server) -> None:
        """Take in what a server says of itself: MariaDB answers the rows that it inserts."""
        self.is_mariadb = server.is_mariadb
        self.insert_returning = server.is_mariadb and server.number >= (10, 5)


class MysqlDialect(Dialect):
    """What is special about MySQL and MariaDB."""

    table_options = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}  # noqa: RUF012 - a ClassVar in the base
    creates = {  # noqa: RUF012
        "reference": "int(11)", "fk": "int(11)", "integer": "int(11)", "bigint": "bigint(20)",
        "smallint": "smallint(6)", "tinyint": "tinyint(4)", "mediumint": "mediumint(9)", "boolean": "tinyint(1)",
        "decimal": "decimal{digits}", "money": "decimal(19,4)", "float": "float", "double": "double", "text": "text",
        "date": "date", "time": "time(6)", "datetime": "datetime(6)", "timestamp": "timestamp(6)",
        "timestamp_on_create": "timestamp", "timestamp_on_update": "timestamp", "user_id": "int(11)",
        "user_id_on_create": "int(11)", "user_id_on_update": "int(11)", "binary": "longblob", "json": "json",
        "uuid": "char(36)",
    }  # fmt: skip

    def __init__(self, dialect: PreparedMysql) -> None:
        """Take the dialect that renders, which learns what the server is."""
        super().__init__(dialect)

    # Values.

    def selected(self, expression: sa.ColumnElement[Any], column: Column) -> sa.ColumnElement[Any]:
        """Read dates and times as the server writes them (database-api 12.1): Python has no 0000-00-00."""
        return sa.cast(expression, sa.CHAR()) if column.type in _AS_TEXT else expression

    def binder(self, column: Column) -> Converter | None:
        """Turn JSON into its text, and moments with a zone into UTC: MariaDB takes no zones."""
        if column.type == "json":
            return values.json_text
        return values.without_zone if column.type in MOMENTS else None

    def converter(self, column: Column) -> Converter | None:
        """Turn what the driver brings into what goes out as JSON."""
        if column.type == "json":
            return values.from_json
        if column.type == "boolean":
            return values.boolean
        if column.type == "float":
            return values.shortest
        if column.type in _AS_TEXT and "(" in column.db_type:
            return values.without_zeros
        return values.as_base64 if column.type == "binary" else None

    def aggregate_converter(self, function: str, column: Column | None) -> Converter | None:
        """Make whole sums whole numbers: MySQL sums integers as decimals."""
        if function == "sum" and column is not None and column.type not in types.DECIMALS | types.FLOATS:
            return values.whole
        return super().aggregate_converter(function, column)

    def function(self, name: str) -> sa.ColumnElement[Any]:
        """Render a function."""
        return sa.literal_column(_FUNCTIONS[name])

    def ordered(
        self, column: sa.ColumnElement[Any], descending: bool, nulls: Literal["first", "last"] | None
    ) -> list[sa.ColumnElement[Any]]:
        """Sort by being null first: there are no words for it."""
        empty = column.is_(None)
        first = {"first": [empty.desc()], "last": [empty.asc()], None: []}[nulls]
        return [*first, *super().ordered(column, descending, None)]

    def declared(self, declaration: str) -> Declared:
        """Read a declaration; blobs come in sizes."""
        if declaration.lower().endswith("blob"):
            return Declared("binary", declaration)
        return super().declared(declaration)

    # Errors.

    def is_driver_error(self, error: BaseException) -> bool:
        """Say whether an error is asyncmy's, or of the network below it."""
        from asyncmy.errors import MySQLError

        known = MySQLError | sa.exc.SQLAlchemyError | OSError | OverflowError | UnicodeEncodeError
        return isinstance(error, known)

    def diagnose(self, error: Exception) -> Diagnosis:
        """Read the error's number, and the field or constraint from its message."""
        if isinstance(error, UnicodeEncodeError):
            return Diagnosis("type")
        if isinstance(error, OverflowError):
            return Diagnosis("out_of_range")
        if isinstance(error, OSError):
            return Diagnosis("gone")
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[1]) if len(error.args) > 1 else ""
        kind = _ERRORS.get(number, "other")
        quoted = text.split("'")[1::2]
        if kind == "duplicate" and quoted:
            # "Duplicate entry 'x' for key 'table.name'"; the value itself is nobody's business.
            return Diagnosis(kind, constraint=quoted[-1].rpartition(".")[2])
        if kind in ("not_null", "too_long", "out_of_range") and quoted:
            return Diagnosis(kind, field=quoted[0])
        if number in (1217, 1451) and "`" not in text:
            # MariaDB says of tables what it says of rows, but then names no constraint.
            return Diagnosis("needed")
        if kind == "raised":
            # SIGNAL: the words are those of whoever wrote the routine or trigger.
            return Diagnosis(kind, getattr(error, "sqlstate", None), message=text)
        if kind != "other":
            return Diagnosis(kind)
        state = getattr(error, "sqlstate", None)
        # Without a state it is asyncmy's own, about a connection that is no more.
        return Diagnosis("gone") if state is None else Diagnosis("other", "42000" if number in _UNMAKEABLE else state)
