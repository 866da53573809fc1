"""The store of Oracle: structure read from its own catalogue, several schemas, columns changed in place, routines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.model import Table, TableName
from trunkline_database.relations import ForeignKey
from trunkline_database.routine import Outcome, Routine, RoutineKind, RoutineName
from trunkline_database.sql import ddl, introspect
from trunkline_database.sql.dialect import FoundColumn
from trunkline_database.sql.store import SqlStore
from trunkline_oracle import catalogue, definitions, routine_catalogue, routines
from trunkline_oracle.catalogue import Served
from trunkline_oracle.dialect import OracleDialect
from trunkline_oracle.driver import OracleDriver

EVERY_SCHEMA = frozenset({"", "all"})
DEFAULT_SCHEMA = "default"


class OracleStore(SqlStore):
    """A database's schemas: that of the login, another one, or all that the login may see."""

    # A statement takes 65535 values, and keys may be of two columns.
    most_keys = 8000

    def __init__(self, driver: OracleDriver, dialect: OracleDialect, schema: str = "") -> None:
        """Take what to serve: every schema, ``default``, or one by its name."""
        super().__init__(driver, dialect)
        self._oracle = driver
        self._dialect: OracleDialect = dialect
        self._schema = schema
        self._known: dict[str, TableName] = {}
        self._others: frozenset[str] = frozenset()
        self._keys: list[ForeignKey] | None = None

    # Structure.

    async def tables(self) -> list[TableName]:
        """List tables and views."""
        with self._translated("read"):
            async with self._oracle.connected() as connection:
                served = await self._served(connection)
                found = await catalogue.tables(connection, served)
        self._known = {one.key.lower(): one for one in found}
        self._others = frozenset(one.schema for one in found if one.schema) - {served.home}
        return found

    async def describe(self, table: TableName, service_id: int) -> Table | None:
        """Describe a table; the foreign keys of all that is served are read once, as relations lead both ways."""
        with self._translated("read"):
            async with self._oracle.connected() as connection:
                served = await self._served(connection)
                if self._keys is None:
                    self._keys = await catalogue.foreign_keys(connection, served)
                found = await catalogue.describe(connection, self._dialect, served, table)
        if found is None:
            return None
        referring = {one.column for one in self._keys if one.table == table.key}
        return introspect.assemble(
            table,
            [_reference(one, referring) for one in found.columns],
            found.constraints,
            found.indexes,
            self._keys,
            service_id,
            found.description,
        )

    async def flush(self) -> None:
        """Forget the foreign keys."""
        self._keys = None

    # Changes. Oracle commits each of its own accord, so what belongs together is one statement where that can be.

    async def create_table(self, definition: TableDefinition) -> None:
        """Make a table; its references find what they refer to in any case."""
        columns = await self._referring(definition.columns, definition)
        await super().create_table(replace(definition, columns=columns))

    async def add_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Add columns with their keys, all or none; indexes follow."""
        ddl.check(columns)
        columns = await self._referring(columns)
        await self._define(definitions.add_columns(self._dialect, table.identity, columns, self._named))

    async def alter_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Change types, defaults and whether NULL is taken, all or none; values are converted where that can be."""
        ddl.check(columns)
        with self._translated("read"):
            async with self._oracle.connected() as connection:
                found = await catalogue.columns(connection, self._dialect, table.identity)
        await self._define(definitions.alter_columns(self._dialect, table.identity, columns, found))

    # Routines.

    async def routines(self, kind: RoutineKind) -> list[RoutineName]:
        """List procedures or functions, also those of packages."""
        with self._translated("read"):
            async with self._oracle.connected() as connection:
                return await routine_catalogue.names(connection, await self._served(connection), kind)

    async def describe_routine(self, name: RoutineName, kind: RoutineKind) -> list[Routine]:
        """Describe the routines of a name."""
        with self._translated("read"):
            async with self._oracle.connected() as connection:
                return await routine_catalogue.describe(connection, self._dialect, name, kind)

    async def call(self, routine: Routine, values: Mapping[int, Any]) -> Outcome:
        """Call a routine in a transaction; what packages keep for the session is forgotten afterwards."""
        made = routines.block(self._dialect, routine, values)
        with self._translated("call"):
            async with self._oracle.begun() as connection:
                return await routines.call(connection, self._dialect, routine, made)

    async def _served(self, connection: Any) -> Served:
        if self._schema in EVERY_SCHEMA:
            return Served(await catalogue.home(connection, None), None)
        only = await catalogue.home(connection, None if self._schema == DEFAULT_SCHEMA else self._schema)
        # The one that is served needs no name in front, whichever it is.
        return Served(only, only)

    async def _referring(
        self, columns: Sequence[ColumnDefinition], own: TableDefinition | None = None
    ) -> tuple[ColumnDefinition, ...]:
        """Spell the columns that are referred to as they are stored: names in quotes leave no choice."""
        spelled: dict[str, dict[str, str]] = {}
        if own is not None:
            spelled[own.name] = {one.name.lower(): one.name for one in own.columns}
        found = []
        for one in columns:
            if one.ref_table:
                if one.ref_table not in spelled:
                    spelled[one.ref_table] = await self._spelling(one.ref_table)
                field = one.ref_field or "id"
                one = replace(one, ref_field=spelled[one.ref_table].get(field.lower(), field))
            found.append(one)
        return tuple(found)

    async def _spelling(self, name: str) -> dict[str, str]:
        table = self._named(name)
        if table.schema is None:
            return {}
        with self._translated("read"):
            async with self._oracle.connected() as connection:
                columns = await catalogue.columns(connection, self._dialect, table)
        return {one.name.lower(): one.name for one in columns}

    def _named(self, name: str) -> TableName:
        """Find a table that is there in any case; else read ``schema.table`` where there is such a schema."""
        if (known := self._known.get(name.lower())) is not None:
            return known
        schema, dot, bare = name.partition(".")
        if dot and bare and schema in self._others and self._schema in EVERY_SCHEMA:
            return TableName(bare, schema, name)
        own = self._schema if self._schema not in EVERY_SCHEMA | {DEFAULT_SCHEMA} else None
        return TableName(name, own)


def _reference(found: FoundColumn, referring: set[str]) -> FoundColumn:
    """Take a wide number that refers to another table for the reference that it is (database-api 13.3)."""
    if found.name in referring and found.declared.type == "bigint":
        return replace(found, declared=replace(found.declared, type="integer"))
    return found
