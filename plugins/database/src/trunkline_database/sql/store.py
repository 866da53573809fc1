"""The store of SQL engines: plans become statements, drivers run them, errors become typed ones."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from trunkline.errors import BadRequest, TrunklineError
from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.filters import Function, Node
from trunkline_database.model import Column, Table, TableName
from trunkline_database.plan import Select, is_aggregate
from trunkline_database.relations import ForeignKey
from trunkline_database.resolve import every
from trunkline_database.sql import ddl, introspect
from trunkline_database.sql.compile import Compiler
from trunkline_database.sql.dialect import Dialect
from trunkline_database.sql.driver import Bound, Driver, Ran, Session, TooSlow
from trunkline_database.sql.errors import Verb, typed
from trunkline_database.store import Row, Rows, Store, Transaction

T = TypeVar("T")


class SqlRows(Rows):
    """Rows through a session, with a compiler that all sessions of a store share."""

    def __init__(self, session: Session, compiler: Compiler) -> None:
        self._session = session
        self._compiler = compiler
        self._dialect = compiler.dialect
        self.checks = compiler.dialect.checks

    async def select(self, plan: Select) -> list[Row]:
        """Read rows."""
        statement, values = self._compiler.select(plan)
        bound = statement.bound(values)
        with self._translated("read"):
            if statement.may_be_quick():
                try:
                    found = await self._session.fetch(statement.text, bound, small=True)
                except TooSlow:
                    statement.was_quick(False)
                else:
                    statement.was_quick(True)
                    return statement.rows(found)
            return statement.rows(await self._session.fetch(statement.text, bound))

    async def select_json(self, plan: Select) -> tuple[int, bytes] | None:
        """Read rows as the engine's own JSON, where it writes the same."""
        statement, values = self._compiler.select_json(plan)
        if statement is None:
            return None
        with self._translated("read"):
            ((number, text),) = await self._session.fetch(statement.text, statement.bound(values))
        return number, text.encode() if text else b""

    async def count(self, plan: Select) -> int:
        """Count rows, or groups."""
        if not plan.group and any(is_aggregate(one) for one in plan.fields):
            return 1  # aggregates of a whole table are one row
        statement, values = self._compiler.count(plan)
        with self._translated("read"):
            ((number,),) = await self._session.fetch(statement.text, statement.bound(values))
        return int(number)

    async def insert(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        returning: Sequence[Column],
        check: Node | None = None,
    ) -> list[Row]:
        """Insert rows, all or none."""
        if len(rows) == 1:
            return await self._insert_one(table, rows[0], returning, check)
        if len({tuple(row) for row in rows}) == 1 and not any(_has_functions(row) for row in rows):
            return await self._insert_alike(table, rows, returning, check)
        async with self._together() as together:
            return [one for row in rows for one in await together._insert_one(table, row, returning, check)]

    def _together(self) -> contextlib.AbstractAsyncContextManager[SqlRows]:
        """Answer through what several statements are all or none: a transaction is so already."""
        return contextlib.nullcontext(self)

    async def _insert_one(
        self, table: Table, row: Mapping[str, Any], returning: Sequence[Column], check: Node | None
    ) -> list[Row]:
        statement, values_of, more = self._compiler.insert(table, row, returning, check)
        with self._translated("insert"):
            ran = await self._session.run(statement.text, statement.bound([*values_of(row), *more]))
        if statement.keys:
            return statement.rows(ran.rows)
        return [await self._read_back(table, row, ran, returning)]

    async def _insert_alike(
        self, table: Table, rows: Sequence[Mapping[str, Any]], returning: Sequence[Column], check: Node | None
    ) -> list[Row]:
        if rows[0] and self._dialect.unnests:
            statement, values = self._compiler.insert_many(table, rows, returning, check)
            with self._translated("insert"):
                return statement.rows(await self._session.fetch(statement.text, statement.bound(values)))
        statement, values_of, more = self._compiler.insert(table, rows[0], returning, check)
        many = [statement.bound([*values_of(row), *more]) for row in rows]
        with self._translated("insert"):
            done = await self._session.run_each(statement.text, many)
        if statement.keys:
            return [one for ran in done for one in statement.rows(ran.rows)]
        return [await self._read_back(table, row, ran, returning) for row, ran in zip(rows, done, strict=True)]

    async def _read_back(self, table: Table, row: Mapping[str, Any], ran: Ran, returning: Sequence[Column]) -> Row:
        """Answer what an engine without RETURNING was given or made, and read the rest."""
        known = {column.name: ran.last_id for column in table.primary_key if column.auto_increment} | dict(row)
        certain = all(column.name in known and not isinstance(known[column.name], Function) for column in returning)
        key = tuple(known.get(column.name) for column in table.primary_key)
        if certain or not key:
            return {column.key: known.get(column.name) for column in returning}
        found = await self.select(Select(table, tuple(returning), every(table.primary_key, key)))
        return found[0] if found else {}

    async def update(
        self, table: Table, where: Node | None, values: Mapping[str, Any], check: Node | None = None
    ) -> int:
        """Change rows."""
        statement, collected = self._compiler.update(table, where, values, check)
        bound = statement.bound(collected)
        with self._translated("update"):
            if check is not None:
                return len(await self._session.fetch(statement.text, bound))
            return (await self._session.run(statement.text, bound)).count

    async def delete(self, table: Table, where: Node | None) -> int:
        """Delete rows."""
        statement, collected = self._compiler.delete(table, where)
        with self._translated("delete"):
            return (await self._session.run(statement.text, statement.bound(collected))).count

    @contextlib.contextmanager
    def _translated(self, verb: Verb) -> Iterator[None]:
        try:
            yield
        except (TrunklineError, TooSlow):
            raise
        except Exception as error:
            raise _translation(self._dialect, error, verb) from error


class SqlTransaction(SqlRows, Transaction):
    """Rows through a session in a transaction."""

    def __init__(self, session: Bound, compiler: Compiler) -> None:
        super().__init__(session, compiler)
        self._bound = session

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Open a part that is undone alone when it raises."""
        async with self._bound.savepoint():
            yield


class SqlStore(SqlRows, Store):
    """One SQL database."""

    def __init__(self, driver: Driver, dialect: Dialect) -> None:
        """Put driver and dialect together; nothing connects yet."""
        super().__init__(driver, Compiler(dialect))
        self._driver = driver
        self._foreign_keys: list[ForeignKey] | None = None

    async def stream(self, plan: Select, size: int) -> AsyncGenerator[list[Row], None]:
        """Read rows a few at a time."""
        statement, values = self._compiler.select(plan)
        with self._translated("read"):
            async with contextlib.aclosing(self._driver.stream(statement.text, statement.bound(values), size)) as parts:
                async for found in parts:
                    yield statement.rows(found)

    def transaction(self) -> contextlib.AbstractAsyncContextManager[Transaction]:
        """Open a transaction; errors of BEGIN and COMMIT are typed as well."""
        return self._together()

    @contextlib.asynccontextmanager
    async def _together(self) -> AsyncIterator[SqlTransaction]:
        with self._translated("update"):
            async with self._driver.transaction() as bound:
                yield SqlTransaction(bound, self._compiler)

    async def tables(self) -> list[TableName]:
        """List tables and views."""
        return await self._inspect(introspect.list_tables)

    async def describe(self, table: TableName, service_id: int) -> Table | None:
        """Describe a table; the foreign keys of the whole database are read once, as relations lead both ways."""
        keys = self._foreign_keys

        def work(connection: sa.Connection) -> tuple[Table | None, list[ForeignKey]]:
            known = keys if keys is not None else self._dialect.foreign_keys(connection)
            return introspect.describe(connection, self._dialect, table, known, service_id), known

        found, self._foreign_keys = await self._inspect(work)
        return found

    async def flush(self) -> None:
        """Forget the foreign keys."""
        self._foreign_keys = None

    async def create_table(self, definition: TableDefinition) -> None:
        """Make a table."""
        ddl.check(definition.columns)
        await self._define(ddl.create_table(self._dialect, definition, self._named))

    async def add_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Add columns, all or none."""
        ddl.check(columns)
        added = [ddl.add_column(self._dialect, table.identity, one, self._named) for one in columns]
        await self._define([statement for statements in added for statement in statements])

    async def alter_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Change declarations; raises BadRequest, as the engines that can will override this."""
        names = ", ".join(one.name for one in columns)
        raise BadRequest(f"Existing fields can not be changed in this kind of database: {names}.")

    async def drop_column(self, table: Table, column: Column) -> None:
        """Drop a column."""
        await self._define(ddl.drop_column(self._dialect, table.identity, column))

    async def drop_table(self, table: Table) -> None:
        """Drop a table or view."""
        await self._define(ddl.drop_table(self._dialect, table))

    def compiled(self) -> list[str]:
        """List the texts of the statements that are remembered, for whoever wants to see what is in them."""
        return self._compiler.texts()

    async def close(self) -> None:
        """Close the connections."""
        await self._driver.close()

    def _named(self, name: str) -> TableName:
        """Find out which table a client means by a name, also one that is yet to be made."""
        return TableName(name)

    async def _define(self, statements: Sequence[str]) -> None:
        with self._translated("define"):
            await self._driver.define(statements)

    async def _inspect(self, work: Callable[[sa.Connection], T]) -> T:
        with self._translated("read"):
            return await self._driver.inspect(work)


def _has_functions(row: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Function) for value in row.values())


def _translation(dialect: Dialect, error: Exception, verb: Verb) -> Exception:
    original = getattr(error, "orig", None) or error
    if not dialect.is_driver_error(original):
        return error
    return typed(original, dialect.diagnose(original), verb)
