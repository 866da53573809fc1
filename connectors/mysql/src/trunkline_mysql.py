"""MySQL and MariaDB databases as REST services."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa

from trunkline import Field, Secret, json
from trunkline.errors import BadRequest
from trunkline_database.model import Column, Constraint, TableName
from trunkline_database.relations import ForeignKey
from trunkline_database.sql import SqlConfig, SqlService
from trunkline_database.sql.dialect import Declared, Dialect, FoundColumn
from trunkline_database.sql.errors import Diagnosis, Kind
from trunkline_database.sql.statement import Converter
from trunkline_database.sql.threaded import ThreadedDriver

_CONNECT_SECONDS = 10
_MOMENTS = frozenset({"datetime", "timestamp", "timestamp_on_create", "timestamp_on_update"})

# By error number, the same in MySQL and MariaDB unless said.
_ERRORS: dict[int, Kind] = {
    1022: "duplicate", 1062: "duplicate", 1586: "duplicate",
    1216: "foreign_key", 1217: "foreign_key", 1451: "foreign_key", 1452: "foreign_key",
    1048: "not_null", 1364: "not_null", 1263: "not_null",
    3819: "check", 4025: "check",  # MySQL, MariaDB
    1406: "too_long", 1264: "out_of_range", 1690: "out_of_range",
    1265: "type", 1292: "type", 1366: "type", 1411: "type", 3140: "type",
    1054: "stale", 1146: "stale",
    1036: "read_only", 1288: "read_only", 1290: "read_only", 1471: "read_only", 1792: "read_only",
    1040: "busy", 1203: "busy", 1205: "busy", 1213: "busy",
    1044: "gone", 1045: "gone", 1049: "gone", 1053: "gone", 2002: "gone", 2003: "gone", 2006: "gone", 2013: "gone",
    1317: "timeout", 1969: "timeout", 3024: "timeout",
}  # fmt: skip
_FUNCTIONS = {
    "CURRENT_TIMESTAMP": "CURRENT_TIMESTAMP()",
    "UTC_TIMESTAMP": "UTC_TIMESTAMP()",
    "CURRENT_DATE": "CURRENT_DATE()",
    "CURRENT_TIME": "CURRENT_TIME()",
    "UUID": "UUID()",
}


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

    def binder(self, column: Column) -> Converter | None:
        """Turn JSON into its text, and moments with a zone into UTC: MariaDB takes no zones."""
        if column.type == "json":
            return _json_text
        return _without_zone if column.type in _MOMENTS else None

    def converter(self, column: Column) -> Converter | None:
        """Turn what the driver brings into what goes out as JSON."""
        if column.type in ("time", "timetz"):
            return _time
        if column.type == "json":
            return _from_json
        if column.type == "boolean":
            return _boolean
        if column.type == "date" or column.type in _MOMENTS:
            return _moment
        return _base64 if column.type == "binary" else None

    def aggregate_converter(self, function: str, column: Column | None) -> Converter | None:
        """Make whole sums whole numbers: MySQL sums integers as decimals."""
        if function == "sum" and column is not None and column.type not in ("decimal", "money", "float", "double"):
            return lambda value: int(value) if isinstance(value, Decimal) else value
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

    def columns(self, connection: sa.Connection, table: TableName) -> list[FoundColumn]:
        """Read the columns of one table from the catalogue."""
        rows = connection.exec_driver_sql(_COLUMNS, (table.name,)).all()
        return [
            FoundColumn(
                name=name,
                declared=self.declared("json" if is_json else str(column_type)),
                nullable=nullable == "YES",
                default=_default_text(default, data_type),
                counts="auto_increment" in extra.lower(),
                generated="generated" in extra.lower() and "default_generated" not in extra.lower(),
            )
            for name, column_type, data_type, nullable, default, extra, is_json in rows
        ]

    def foreign_keys(self, connection: sa.Connection) -> list[ForeignKey]:
        """Read all foreign keys of one column in one statement, however many tables there are."""
        unique = {tuple(row) for row in connection.exec_driver_sql(_UNIQUE_COLUMNS)}
        return [
            ForeignKey(table, column, ref_table, ref_column, on_update, on_delete, (table, column) in unique)
            for table, column, ref_table, ref_column, on_update, on_delete in connection.exec_driver_sql(_FOREIGN_KEYS)
        ]

    def constraints(self, connection: sa.Connection, table: TableName) -> list[Constraint]:
        """Read keys, uniques and foreign keys of one table."""
        found: list[Constraint] = []
        rows = connection.exec_driver_sql(_CONSTRAINTS, (table.name,)).all()
        for name, columns in _grouped((row[0], row) for row in rows).items():
            kind, first = columns[0][1], columns[0]
            made = Constraint.of(table, kind, [row[2] for row in columns], None if kind == "PRIMARY KEY" else name)
            if kind == "FOREIGN KEY":
                made = replace(
                    made, ref_table=first[3], ref_columns=tuple(row[4] for row in columns), on_update=first[5],
                    on_delete=first[6],
                )  # fmt: skip
            found.append(made)
        return found

    def diagnose(self, error: Exception) -> Diagnosis:
        """Read the error's number, and the field or constraint from its message."""
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[1]) if len(error.args) > 1 else ""
        kind = _ERRORS.get(number, "other")
        quoted = text.split("'")[1::2]
        if kind == "duplicate" and quoted:
            # "Duplicate entry 'x' for key 'table.name'"; the value itself is nobody's business.
            return Diagnosis(kind, constraint=quoted[-1].rpartition(".")[2])
        if kind in ("not_null", "too_long", "out_of_range") and quoted:
            return Diagnosis(kind, field=quoted[0])
        return Diagnosis(kind)


class MysqlDriver(ThreadedDriver):
    """Runs statements in threads; one that nobody waits for any more is killed on the server."""

    begin = "START TRANSACTION"

    def interrupt(self, connection: Any) -> None:
        """Kill the statement that a connection is running."""
        with contextlib.suppress(Exception), self.engine.connect() as other:
            other.exec_driver_sql(f"KILL QUERY {int(connection.thread_id())}")


class MysqlConfig(SqlConfig):
    """Where the server is, and how to talk to it."""

    host: str = Field(title="Host", min_length=1, description="Name or address of the server.")
    port: int = Field(default=3306, title="Port Number", description="Port of the server.")
    database: str = Field(title="Database", min_length=1, description="Name of the database; it must exist.")
    username: str | None = Field(default=None, title="Username", description="User to log in as.")
    password: Secret | None = Field(default=None, title="Password", description="The user's password.")
    charset: str | None = Field(default=None, title="Character Set", description="utf8mb4 unless given.")
    collation: str | None = Field(
        default=None, title="Character Set Collation", description="Collation of the connection."
    )
    timezone: str | None = Field(
        default=None, title="Timezone", description="Time zone of the session, such as +00:00."
    )
    modes: str | None = Field(default=None, title="Session Modes", description="SQL modes, comma separated.")
    strict: bool | None = Field(
        default=None, title="Use Strict Mode", description="Refuse values that do not fit; on unless switched off."
    )
    unix_socket: str | None = Field(
        default=None, title="Socket Connection", description="Path of a socket, instead of host and port."
    )


class Mysql(SqlService):
    """One database of a MySQL or MariaDB server."""

    label = "MySQL"
    description = "Serves the tables and views of a MySQL or MariaDB database."
    lacks = {"procedures", "functions", "alter_column", "schemas"}  # noqa: RUF012 - a class attribute of the kernel
    dialect = MysqlDialect
    config: MysqlConfig

    def url(self) -> sa.URL:
        """Answer the address with credentials."""
        config = self.config
        return sa.URL.create(
            "mysql+pymysql",
            username=config.username,
            password=config.password.get_secret_value() if config.password else None,
            host=config.host,
            port=config.port,
            database=config.database,
            query={"charset": config.charset or "utf8mb4"},
        )

    def open_driver(self) -> MysqlDriver:
        """Make the driver; sessions are set up when they connect."""
        arguments: dict[str, Any] = {"connect_timeout": _CONNECT_SECONDS}
        if self.config.unix_socket:
            arguments["unix_socket"] = self.config.unix_socket
        engine = sa.create_engine(
            self.url(), isolation_level="AUTOCOMMIT", pool_pre_ping=True, pool_size=8, max_overflow=24, pool_timeout=10,
            connect_args=arguments, hide_parameters=True,
        )  # fmt: skip
        sa.event.listen(engine, "connect", self._prepare)
        return MysqlDriver(engine, self.read_timeout)

    def _prepare(self, connection: Any, _record: Any) -> None:
        """Set up a new session: modes first, as the operator's own statements may rely on them."""
        config = self.config
        strict = "" if config.strict is False else "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,"
        modes = config.modes or f"{strict}NO_ENGINE_SUBSTITUTION"
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION sql_mode = %s", (modes.strip(","),))
            if config.timezone:
                cursor.execute("SET SESSION time_zone = %s", (config.timezone,))
            if config.collation:
                cursor.execute("SET SESSION collation_connection = %s", (config.collation,))
            for statement in config.statements:
                cursor.execute(statement)


# One statement each, whatever the number of tables. A JSON column of MariaDB is a text with a check.
_COLUMNS = """
    SELECT c.column_name, c.column_type, c.data_type, c.is_nullable, c.column_default, c.extra,
        c.data_type = 'json' OR EXISTS (
            SELECT 1 FROM information_schema.check_constraints AS k
            WHERE k.constraint_schema = c.table_schema AND c.data_type = 'longtext'
                AND k.check_clause LIKE concat('json_valid(`', c.column_name, '`)')
                AND k.constraint_name = c.column_name
        ) AS is_json
    FROM information_schema.columns AS c
    WHERE c.table_schema = database() AND c.table_name = %s ORDER BY c.ordinal_position
"""
_FOREIGN_KEYS = """
    SELECT k.table_name, min(k.column_name), min(k.referenced_table_name), min(k.referenced_column_name),
        min(r.update_rule), min(r.delete_rule)
    FROM information_schema.key_column_usage AS k
    JOIN information_schema.referential_constraints AS r
        ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name
        AND r.table_name = k.table_name
    WHERE k.table_schema = database() AND k.referenced_table_schema = database()
    GROUP BY k.table_name, k.constraint_name HAVING count(*) = 1 ORDER BY k.table_name, k.constraint_name
"""
_UNIQUE_COLUMNS = """
    SELECT table_name, min(column_name) FROM information_schema.statistics
    WHERE table_schema = database() AND non_unique = 0 GROUP BY table_name, index_name HAVING count(*) = 1
"""
_CONSTRAINTS = """
    SELECT k.constraint_name, t.constraint_type, k.column_name, k.referenced_table_name, k.referenced_column_name,
        r.update_rule, r.delete_rule
    FROM information_schema.table_constraints AS t
    JOIN information_schema.key_column_usage AS k
        ON k.constraint_schema = t.constraint_schema AND k.constraint_name = t.constraint_name
        AND k.table_name = t.table_name
    LEFT JOIN information_schema.referential_constraints AS r
        ON r.constraint_schema = t.constraint_schema AND r.constraint_name = t.constraint_name
        AND r.table_name = t.table_name
    WHERE t.table_schema = database() AND t.table_name = %s
        AND t.constraint_type IN ('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY')
    ORDER BY field(t.constraint_type, 'PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY'), k.constraint_name, k.ordinal_position
"""


def _grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def _default_text(default: Any, data_type: str) -> str | None:
    """Answer a default as SQL text: MariaDB gives it so, MySQL gives texts without their quotes."""
    if default is None or str(default).upper() == "NULL":
        return None
    text = str(default)
    bare = data_type in ("char", "varchar", "text", "enum", "set") and not text.startswith("'")
    return "'" + text.replace("'", "''") + "'" if bare else text


def _time(value: Any) -> Any:
    """Write a time of day: the driver brings a duration."""
    if not isinstance(value, dt.timedelta):
        return value
    sign, value = ("-", -value) if value < dt.timedelta() else ("", value)
    hours, rest = divmod(value.seconds + value.days * 86400, 3600)
    fraction = f".{value.microseconds:06}" if value.microseconds else ""
    return f"{sign}{hours:02}:{rest // 60:02}:{rest % 60:02}{fraction}"


def _moment(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    return value.isoformat() if isinstance(value, dt.date) else value


def _without_zone(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return value
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).replace(tzinfo=None)
    return value


def _boolean(value: Any) -> Any:
    if isinstance(value, bytes):
        value = int.from_bytes(value, "big")
    return bool(value) if value in (0, 1) else value


def _base64(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes | bytearray) else value


def _json_text(value: Any) -> Any:
    return value if isinstance(value, str) else json.dumps(value).decode()


def _from_json(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str | bytes) else value
    except BadRequest:
        return value
