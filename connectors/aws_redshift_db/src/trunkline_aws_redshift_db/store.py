"""The store of Redshift: keys found without RETURNING, structure from its own catalogue, routines in its own words."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from trunkline.errors import BadRequest
from trunkline_aws_redshift_db import catalogue, definitions, routines
from trunkline_aws_redshift_db.dialect import RedshiftDialect
from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.filters import Comparison, Function, Literal, Node
from trunkline_database.model import Column, Table, TableName
from trunkline_database.plan import Aggregate, Select
from trunkline_database.relations import ForeignKey
from trunkline_database.routine import Outcome, Routine, RoutineKind, RoutineName
from trunkline_database.sql import ddl, introspect, postgresql_routines
from trunkline_database.sql.asyncpg_driver import AsyncpgDriver
from trunkline_database.sql.driver import Ran
from trunkline_database.sql.postgresql_store import PostgresqlStore
from trunkline_database.sql.store import SqlRows, SqlTransaction
from trunkline_database.store import Row


class _RedshiftRows(SqlRows):
    """Rows whose numbers Redshift makes and does not tell.

    The table is locked, so that nobody else adds to it: what then has a higher number than any before is what was
    inserted. Numbers need not rise; one that is lower than another is not found, and answered as unknown.
    """

    async def insert(
        self, table: Table, rows: Sequence[Mapping[str, Any]], returning: Sequence[Column], check: Node | None = None
    ) -> list[Row]:
        """Insert rows, all or none, and find the numbers that the database gave them."""
        counting = next((one for one in table.primary_key if one.auto_increment), None)
        if counting is None or not returning or all(row.get(counting.name) is not None for row in rows):
            return await super().insert(table, rows, returning, check)
        async with self._together() as together:
            assert isinstance(together, _RedshiftRows)  # noqa: S101 - for the type checker
            return await together._insert_counted(table, rows, returning, counting)

    async def _insert_counted(
        self, table: Table, rows: Sequence[Mapping[str, Any]], returning: Sequence[Column], counting: Column
    ) -> list[Row]:
        with self._translated("insert"):
            await self._session.run(f"LOCK TABLE {ddl.quoted(self._dialect, table.identity)}", ())
        greatest = Aggregate("max", counting)
        (found,) = await self.select(Select(table, (greatest,)))
        highest, made = found[greatest.key], []
        columns = tuple(dict.fromkeys((*returning, counting)))
        for row in rows:
            (known,) = await super().insert(table, [row], returning)
            beyond = None if highest is None else Comparison(counting.name, ">", Literal(highest))
            new = await self.select(Select(table, columns, beyond, limit=2))
            if len(new) == 1:
                highest, known = new[0][counting.key], {one.key: new[0][one.key] for one in returning}
            elif (number := row.get(counting.name)) is not None:
                highest = max(highest or number, number)
            made.append(known)
        return made

    async def _read_back(self, table: Table, row: Mapping[str, Any], ran: Ran, returning: Sequence[Column]) -> Row:
        """Answer what was sent, and read the rest where the whole key was sent; what is unknown is NULL."""
        if any(row.get(one.name) is None or isinstance(row[one.name], Function) for one in table.primary_key):
            sent = {name: value for name, value in row.items() if not isinstance(value, Function)}
            return {one.key: sent.get(one.name) for one in returning}
        return await super()._read_back(table, row, ran, returning)


class RedshiftTransaction(_RedshiftRows, SqlTransaction):
    """Rows in a transaction, of which no part can be undone alone."""


class RedshiftStore(_RedshiftRows, PostgresqlStore):
    """One Redshift database, or what of it one schema holds."""

    savepoints = False

    def __init__(self, driver: AsyncpgDriver, dialect: RedshiftDialect, schema: str = "") -> None:
        """Take what to serve: every schema, ``default``, or the one that the sessions were told to search."""
        super().__init__(driver, dialect, schema)
        self._redshift = dialect
        self._own_keys: list[ForeignKey] | None = None

    @contextlib.asynccontextmanager
    async def _together(self) -> AsyncIterator[RedshiftTransaction]:
        with self._translated("update"):
            async with self._driver.transaction() as bound:
                yield RedshiftTransaction(bound, self._compiler)

    # Structure.

    async def tables(self) -> list[TableName]:
        """List tables and views."""
        with self._translated("read"):
            async with self._asyncpg.connected() as connection:
                served = await self._served(connection)
                found = await catalogue.tables(connection, served)
                schemas = await connection.fetch("SELECT nspname, nspname = current_schema() FROM pg_namespace")
        self._schemas = {name: bool(home) for name, home in schemas}
        return found

    async def describe(self, table: TableName, service_id: int) -> Table | None:
        """Describe a table; the foreign keys of the whole database are read once, as relations lead both ways."""
        with self._translated("read"):
            async with self._asyncpg.connected() as connection:
                if self._own_keys is None:
                    served = await self._served(connection)
                    self._own_keys = await catalogue.foreign_keys(connection, served)
                found = await catalogue.describe(connection, self._redshift, table)
        if found is None:
            return None
        return introspect.assemble(
            table, found.columns, found.constraints, found.indexes, self._own_keys or [], service_id, found.description
        )

    async def flush(self) -> None:
        """Forget the foreign keys."""
        self._own_keys = None

    async def create_table(self, definition: TableDefinition) -> None:
        """Make a table; indexes are passed over, as there are none here."""
        ddl.check(definition.columns)
        await self._define(definitions.create_table(self._redshift, definition, self._named))

    async def add_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Add columns, all or none."""
        ddl.check(columns)
        added = [definitions.add_column(self._redshift, table.identity, one, self._named) for one in columns]
        await self._define([statement for statements in added for statement in statements])

    async def alter_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Change the length of texts, one by one as each commits by itself; raises BadRequest for anything else."""
        ddl.check(columns)
        changed = []
        for one in columns:
            old = table.real_column(one.name)
            if old is None or old.type != "string" or one.type != "string" or one.has_default or one.null_given:
                raise BadRequest(f"Of field '{one.name}' only the length can be changed in this kind of database.")
            changed.append(definitions.alter_column(self._redshift, table.identity, one))
        for statement in changed:
            with self._translated("define"):
                await self._driver.run(statement, ())

    # Routines.

    async def routines(self, kind: RoutineKind) -> list[RoutineName]:
        """List procedures or functions."""
        with self._translated("read"):
            async with self._asyncpg.connected() as connection:
                return await routines.names(connection, await self._served(connection), kind)

    async def describe_routine(self, name: RoutineName, kind: RoutineKind) -> list[Routine]:
        """Describe the routines of a name."""
        with self._translated("read"):
            async with self._asyncpg.connected() as connection:
                return await routines.describe(connection, self._redshift, name, kind)

    async def call(self, routine: Routine, values: Mapping[int, Any]) -> Outcome:
        """Call a routine."""
        made = routines.statement(self._redshift, routine, values)
        with self._translated("call"):
            return await postgresql_routines.call(self._asyncpg, self._redshift, routine, made)
