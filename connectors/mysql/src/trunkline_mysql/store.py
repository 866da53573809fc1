"""The store of MySQL: structure read from its own catalogue, several schemas, columns changed in place, routines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trunkline_database.definition import ColumnDefinition
from trunkline_database.model import Table, TableName
from trunkline_database.relations import ForeignKey
from trunkline_database.routine import Outcome, Routine, RoutineKind, RoutineName
from trunkline_database.sql import ddl, introspect
from trunkline_database.sql.store import SqlStore
from trunkline_mysql import catalogue, definitions, routines
from trunkline_mysql.catalogue import Served
from trunkline_mysql.connection import Connection
from trunkline_mysql.dialect import MysqlDialect
from trunkline_mysql.driver import MysqlDriver

EVERY_SCHEMA = frozenset({"", "all"})
DEFAULT_SCHEMA = "default"


class MysqlStore(SqlStore):
    """A server's databases, which it also calls schemas: that of the login, another one, or all."""

    def __init__(self, driver: MysqlDriver, dialect: MysqlDialect, schema: str = "") -> None:
        """Take what to serve: every schema, ``default``, or one by its name."""
        super().__init__(driver, dialect)
        self._mysql = driver
        self._dialect: MysqlDialect = dialect
        self._schema = schema
        self._others: frozenset[str] = frozenset()
        self._keys: list[ForeignKey] | None = None

    # Structure.

    async def tables(self) -> list[TableName]:
        """List tables and views."""
        with self._translated("read"):
            async with self._mysql.connected() as connection:
                served = self._served(connection)
                found = await catalogue.tables(connection, served)
                if served.only is None:
                    self._others = frozenset(await catalogue.schemas(connection, served)) - {served.home}
        return found

    async def describe(self, table: TableName, service_id: int) -> Table | None:
        """Describe a table; the foreign keys of all that is served are read once, as relations lead both ways."""
        with self._translated("read"):
            async with self._mysql.connected() as connection:
                served = self._served(connection)
                if self._keys is None:
                    self._keys = await catalogue.foreign_keys(connection, served)
                found = await catalogue.describe(connection, self._dialect, served, table)
        if found is None:
            return None
        return introspect.assemble(
            table, found.columns, found.constraints, found.indexes, self._keys or [], service_id, found.description
        )

    async def flush(self) -> None:
        """Forget the foreign keys."""
        self._keys = None

    # Changes. MySQL commits each of its own accord, so what belongs together is one statement.

    async def add_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Add columns with their keys, all or none."""
        ddl.check(columns)
        await self._define([definitions.add_columns(self._dialect, table.identity, columns, self._named)])

    async def alter_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Change types, defaults and whether NULL is taken, all or none; values are converted where that can be."""
        ddl.check(columns)
        with self._translated("read"):
            async with self._mysql.connected() as connection:
                details = await catalogue.columns(connection, self._dialect, table.identity)
        await self._define([definitions.alter_columns(self._dialect, table.identity, columns, details)])

    # Routines.

    async def routines(self, kind: RoutineKind) -> list[RoutineName]:
        """List procedures or functions."""
        with self._translated("read"):
            async with self._mysql.connected() as connection:
                return await routines.names(connection, self._served(connection), kind)

    async def describe_routine(self, name: RoutineName, kind: RoutineKind) -> list[Routine]:
        """Describe a routine; there is only one of a name."""
        with self._translated("read"):
            async with self._mysql.connected() as connection:
                return await routines.describe(connection, self._dialect, name, kind)

    async def call(self, routine: Routine, values: Mapping[int, Any]) -> Outcome:
        """Call a routine in a transaction and a session of its own; what it leaves in the session ends with it."""
        with self._translated("call"):
            async with self._mysql.called() as connection:
                return await routines.call(connection, self._dialect, routine, values)

    def _served(self, connection: Connection) -> Served:
        home = connection.server.database or ""
        if self._schema in EVERY_SCHEMA:
            return Served(home, None)
        only = home if self._schema == DEFAULT_SCHEMA else self._schema
        # The one that is served needs no name in front, whichever it is.
        return Served(only, only)

    def _named(self, name: str) -> TableName:
        """Read ``schema.table`` where there is such a schema; a name with a dot is just a name elsewhere."""
        schema, dot, bare = name.partition(".")
        if dot and bare and schema in self._others:
            return TableName(bare, schema, name)
        own = self._schema if self._schema not in EVERY_SCHEMA | {DEFAULT_SCHEMA} else None
        return TableName(name, own)
