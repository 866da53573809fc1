"""The store of SQL Server: its own catalogue, several schemas, columns changed in place, routines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.sql import quoted_name

from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.model import Column, Table, TableName
from trunkline_database.routine import Outcome, Routine, RoutineKind, RoutineName
from trunkline_database.sql import ddl, introspect
from trunkline_database.sql.store import SqlStore
from trunkline_database.store import StaleSchema
from trunkline_sqlsrv import catalogue, definitions, routines
from trunkline_sqlsrv.catalogue import References, Served
from trunkline_sqlsrv.connection import Connection
from trunkline_sqlsrv.dialect import SqlsrvDialect
from trunkline_sqlsrv.driver import PytdsDialect, SqlsrvDriver

T = TypeVar("T")
EVERY_SCHEMA = frozenset({"", "all"})
DEFAULT_SCHEMA = "default"


class SqlsrvStore(SqlStore):
    """One SQL Server database, or what of it one schema holds."""

    # A statement takes 2100 values, and keys may be of two columns.
    most_keys = 1000

    def __init__(self, driver: SqlsrvDriver, dialect: SqlsrvDialect, schema: str = "") -> None:
        """Take what to serve: every schema, ``default``, or one by its name."""
        super().__init__(driver, dialect)
        self._sqlsrv = driver
        self._own = dialect
        self._plain = SqlsrvDialect(PytdsDialect(values=False))
        self._schema = schema
        self._others: frozenset[str] = frozenset()
        self._references: References | None = None

    # Structure.

    async def tables(self) -> list[TableName]:
        """List tables and views."""

        def work(connection: Connection) -> tuple[list[TableName], frozenset[str]]:
            served = self._served(connection)
            others = () if served.only is not None else catalogue.schemas(connection)
            return catalogue.tables(connection, served), frozenset(others) - {served.home}

        found, self._others = await self._on_connection("read", work)
        return found

    async def describe(self, table: TableName, service_id: int) -> Table | None:
        """Describe a table; the foreign keys of the whole database are read once, as relations lead both ways."""
        known = self._references

        def work(connection: Connection) -> tuple[catalogue.Found | None, References, Served]:
            served, keys = self._served(connection), known or catalogue.references(connection)
            return catalogue.describe(connection, self._own, served, table, keys), keys, served

        found, keys, served = await self._on_connection("read", work)
        self._references = keys
        if found is None:
            return None
        return introspect.assemble(
            table, found.columns, found.constraints, found.indexes, keys.simple(served), service_id, found.description
        )

    async def flush(self) -> None:
        """Forget the foreign keys."""
        self._references = None

    # Changes.

    async def create_table(self, definition: TableDefinition) -> None:
        """Make a table."""
        ddl.check(definition.columns)
        await self._define(ddl.create_table(self._plain, definition, self._named))

    async def drop_table(self, table: Table) -> None:
        """Drop a table or view."""
        await self._define(ddl.drop_table(self._plain, table))

    async def add_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Add columns, all or none."""
        ddl.check(columns)
        added = [definitions.add_column(self._plain, table.identity, one, self._named) for one in columns]
        await self._define([statement for statements in added for statement in statements])

    async def alter_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Change types, defaults and whether NULL is taken, all or none; values are converted where that can be."""
        ddl.check(columns)
        statements: list[str] = []
        for one in columns:
            place = (str(table.identity.schema), table.identity.name, one.name)
            found = await self._rows(catalogue.NULLABLE, place)
            if not found:
                raise StaleSchema("The table is no longer as it was described. Try again.")
            defaults = [str(name) for (name,) in await self._rows(catalogue.DEFAULTS, place)]
            statements += definitions.alter_column(self._plain, table.identity, one, bool(found[0][0]), defaults)
        await self._define(statements)

    async def drop_column(self, table: Table, column: Column) -> None:
        """Drop a column with its default; what else depends on it stands in the way."""
        place = (str(table.identity.schema), table.identity.name, column.name)
        defaults = [str(name) for (name,) in await self._rows(catalogue.DEFAULTS, place)]
        await self._define(definitions.drop_column(self._plain, table.identity, column, defaults))

    # Routines.

    async def routines(self, kind: RoutineKind) -> list[RoutineName]:
        """List procedures or functions."""
        return await self._on_connection(
            "read", lambda connection: routines.names(connection, self._served(connection), kind)
        )

    async def describe_routine(self, name: RoutineName, kind: RoutineKind) -> list[Routine]:
        """Describe a routine; there is only one of a name."""
        return await self._on_connection(
            "read", lambda connection: routines.describe(connection, self._own, name, kind)
        )

    async def call(self, routine: Routine, values: Mapping[int, Any]) -> Outcome:
        """Call a routine."""
        return await self._on_connection(
            "call", lambda connection: routines.call(connection, self._own, routine, values)
        )

    async def _rows(self, sql: str, values: Sequence[Any]) -> list[Sequence[Any]]:
        return await self._on_connection("read", lambda connection: connection.rows(sql, values))

    async def _on_connection(self, verb: Any, work: Callable[[Connection], T]) -> T:
        with self._translated(verb):
            return await self._sqlsrv.on_connection(work)

    def _served(self, connection: Connection) -> Served:
        if self._schema in EVERY_SCHEMA:
            return Served(catalogue.home(connection), None)
        only = catalogue.home(connection) if self._schema == DEFAULT_SCHEMA else self._schema
        # The one that is served needs no name in front, whichever it is.
        return Served(only, only)

    def _named(self, name: str) -> TableName:
        """Read ``schema.table`` where there is such a schema; a name with a dot is just a name elsewhere."""
        schema, dot, bare = name.partition(".")
        if dot and bare and schema in self._others:
            return TableName(bare, quoted_name(schema, True), name)
        if self._schema in EVERY_SCHEMA | {DEFAULT_SCHEMA}:
            return TableName(name)
        return TableName(name, quoted_name(self._schema, True), name)
