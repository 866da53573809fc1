"""The store of Firebird: structure read from its own catalogue, columns changed in place, routines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.model import Column, Table, TableName
from trunkline_database.plan import Select
from trunkline_database.relations import ForeignKey
from trunkline_database.routine import Outcome, Routine, RoutineKind, RoutineName
from trunkline_database.sql import ddl, introspect
from trunkline_database.sql.compile import Compiler
from trunkline_database.sql.statement import Statement
from trunkline_database.sql.store import SqlStore
from trunkline_firebird import catalogue, definitions, routines
from trunkline_firebird.dialect import FirebirdDialect
from trunkline_firebird.driver import FirebirdDriver


class _Compiler(Compiler):
    """Holds rows where that can be: of a table, not of a view."""

    def select(self, plan: Select) -> tuple[Statement, list[Any]]:
        return super().select(replace(plan, lock=False) if plan.lock and plan.table.is_view else plan)


class FirebirdStore(SqlStore):
    """One Firebird database."""

    # A list takes 1500 values, and lists are lengthened to a power of two.
    most_keys = 1024

    def __init__(self, driver: FirebirdDriver, dialect: FirebirdDialect) -> None:
        """Put driver and dialect together; nothing connects yet."""
        super().__init__(driver, dialect)
        self._compiler = _Compiler(dialect)
        self._firebird = driver
        self._dialect: FirebirdDialect = dialect
        self._keys: list[ForeignKey] | None = None

    # Structure.

    async def tables(self) -> list[TableName]:
        """List tables and views."""
        return await self._inspect(catalogue.tables)

    async def describe(self, table: TableName, service_id: int) -> Table | None:
        """Describe a table; the foreign keys of the whole database are read once, as relations lead both ways."""
        keys = self._keys

        def read(connection: sa.Connection) -> tuple[catalogue.Found | None, list[ForeignKey]]:
            every = keys if keys is not None else catalogue.foreign_keys(connection)
            return catalogue.describe(connection, self._dialect, table), every

        found, known = await self._inspect(read)
        self._keys = known
        if found is None:
            return None
        return introspect.assemble(
            table, found.columns, found.constraints, found.indexes, known, service_id, found.description
        )

    async def flush(self) -> None:
        """Forget the foreign keys."""
        self._keys = None

    # Changes, each in a transaction.

    async def create_table(self, definition: TableDefinition) -> None:
        """Make a table."""
        await super().create_table(replace(definition, columns=definitions.known(definition.columns)))

    async def add_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Add columns, all or none."""
        ddl.check(columns)
        added = [
            definitions.add_column(self._dialect, table.identity, one, self._named)
            for one in definitions.known(columns)
        ]
        await self._define([statement for statements in added for statement in statements])

    async def alter_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Change types, defaults and whether NULL is taken, all or none; values are converted where that can be."""
        ddl.check(columns)
        changed = [definitions.alter_column(self._dialect, table, one) for one in columns]
        await self._define([statement for statements in changed for statement in statements])

    async def drop_column(self, table: Table, column: Column) -> None:
        """Drop a column."""
        name = self._dialect.sa.identifier_preparer.quote(column.name)
        await self._define([f"ALTER TABLE {ddl.quoted(self._dialect, table.identity)} DROP {name}"])

    # Routines.

    async def routines(self, kind: RoutineKind) -> list[RoutineName]:
        """List procedures or functions; those inside packages are not served."""
        return await self._inspect(lambda connection: routines.names(connection, kind))

    async def describe_routine(self, name: RoutineName, kind: RoutineKind) -> list[Routine]:
        """Describe a routine; there is only one of a name."""
        return await self._inspect(lambda connection: routines.describe(connection, self._dialect, name, kind))

    async def call(self, routine: Routine, values: Mapping[int, Any]) -> Outcome:
        """Call a routine, in a transaction of its own; it is stopped and undone when it takes too long."""
        text, sent = routines.statement(self._dialect, routine, values)
        with self._translated("call"):
            rows = await self._firebird.fetch(text, sent)
        return routines.outcome(self._dialect, routine, rows)
