"""The store of PostgreSQL: structure read from its own catalogue, columns changed in place, several schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trunkline_database.definition import ColumnDefinition
from trunkline_database.model import Table, TableName
from trunkline_database.relations import ForeignKey
from trunkline_database.routine import Outcome, Routine, RoutineKind, RoutineName
from trunkline_database.sql import ddl, introspect, postgresql_catalogue, postgresql_routines
from trunkline_database.sql.asyncpg_driver import AsyncpgDriver
from trunkline_database.sql.postgresql import PostgresqlDialect
from trunkline_database.sql.store import SqlStore

EVERY_SCHEMA = frozenset({"", "all"})
DEFAULT_SCHEMA = "default"


class PostgresqlStore(SqlStore):
    """One PostgreSQL database, or what of it one schema holds."""

    # A statement takes 32767 values, and keys may be of two columns.
    most_keys = 4000

    def __init__(self, driver: AsyncpgDriver, dialect: PostgresqlDialect, schema: str = "") -> None:
        """Take what to serve: every schema, ``default``, or the one that the sessions were told to search."""
        super().__init__(driver, dialect)
        self._asyncpg = driver
        self._only_default = schema not in EVERY_SCHEMA
        self._schemas: dict[str, bool] = {}
        self._postgresql = dialect
        self._keys: list[ForeignKey] | None = None

    async def tables(self) -> list[TableName]:
        """List tables and views."""
        with self._translated("read"):
            async with self._asyncpg.connected() as connection:
                served = await self._served(connection)
                found = await postgresql_catalogue.tables(connection, served)
                schemas = await connection.fetch("SELECT nspname::text, nspname = current_schema() FROM pg_namespace")
        self._schemas = {name: bool(home) for name, home in schemas}
        return found

    async def describe(self, table: TableName, service_id: int) -> Table | None:
        """Describe a table; the foreign keys of the whole database are read once, as relations lead both ways."""
        with self._translated("read"):
            async with self._asyncpg.connected() as connection:
                if self._keys is None:
                    served = await self._served(connection)
                    self._keys = await postgresql_catalogue.foreign_keys(connection, served)
                found = await postgresql_catalogue.describe(connection, self._postgresql, table)
        if found is None:
            return None
        return introspect.assemble(
            table, found.columns, found.constraints, found.indexes, self._keys or [], service_id, found.description
        )

    async def routines(self, kind: RoutineKind) -> list[RoutineName]:
        """List procedures or functions."""
        with self._translated("read"):
            async with self._asyncpg.connected() as connection:
                return await postgresql_routines.routines(connection, await self._served(connection), kind)

    async def describe_routine(self, name: RoutineName, kind: RoutineKind) -> list[Routine]:
        """Describe the routines of a name."""
        with self._translated("read"):
            async with self._asyncpg.connected() as connection:
                return await postgresql_routines.describe(connection, self._postgresql, name, kind)

    async def call(self, routine: Routine, values: Mapping[int, Any]) -> Outcome:
        """Call a routine."""
        made = postgresql_routines.statement(self._postgresql, routine, values)
        with self._translated("call"):
            return await postgresql_routines.call(self._asyncpg, self._postgresql, routine, made)

    async def flush(self) -> None:
        """Forget the foreign keys."""
        self._keys = None

    async def alter_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Change types, defaults and whether NULL is taken, all or none; values are converted where that can be."""
        ddl.check(columns)
        changed = [ddl.alter_column(self._postgresql, table.identity, one) for one in columns]
        await self._define([statement for statements in changed for statement in statements])

    async def _served(self, connection: object) -> str | None:
        """Answer the one schema that is served, or None for every one."""
        if not self._only_default:
            return None
        # Without a default schema nothing is served, and no schema has an empty name.
        found: str | None = await connection.fetchval("SELECT current_schema()::text")  # type: ignore[attr-defined]
        return found or ""

    def _named(self, name: str) -> TableName:
        """Read ``schema.table`` where there is such a schema; a name with a dot is just a name elsewhere."""
        schema, dot, bare = name.partition(".")
        if dot and bare and not self._only_default and self._schemas.get(schema) is False:
            return TableName(bare, schema, name)
        return TableName(name)
