"""The store of a keyspace: rows read and written one by one, each write a lightweight transaction."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence

from trunkline.errors import BadRequest
from trunkline_cassandra import definitions
from trunkline_cassandra.catalogue import Catalogue
from trunkline_cassandra.columns import CqlColumn
from trunkline_cassandra.connection import Connection
from trunkline_cassandra.reading import EVALUATOR, Reader, is_plain
from trunkline_cassandra.routes import route
from trunkline_cassandra.sequence import Sequence as Numbers
from trunkline_cassandra.writing import Writing
from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.documents.joining import through
from trunkline_database.model import Column, Table, TableName
from trunkline_database.plan import Select, is_aggregate
from trunkline_database.store import Row


class CassandraStore(Writing):
    """One keyspace."""

    most_keys = 1000
    own_order = True

    def __init__(self, connection: Connection, keyspace: str) -> None:
        """Put the parts together; nothing connects yet."""
        super().__init__(connection, Reader(connection, keyspace), Numbers(connection, keyspace))
        self._catalogue = Catalogue(connection, keyspace)
        self._keyspace = keyspace

    # Reading.

    async def select(self, plan: Select) -> list[Row]:
        """Read rows."""
        if plan.via is not None:
            return await through(plan, self._selected, self.most_keys)
        return await self._selected(plan)

    async def _selected(self, plan: Select) -> list[Row]:
        reading = self.reader.reading(plan)
        async with contextlib.aclosing(self.reader.records(plan.table, reading)) as parts:
            return await reading.evaluator.gather(reading.rest, parts)

    async def stream(self, plan: Select, size: int) -> AsyncGenerator[list[Row], None]:
        """Read rows a few at a time, as the driver pages through them."""
        reading = self.reader.reading(plan)
        rest = reading.rest
        if plan.via is not None or rest.order or not is_plain(plan):
            rows = await self.select(plan)
            for start in range(0, len(rows), size):
                yield rows[start : start + size]
            return
        holds = EVALUATOR.judge(plan.table, rest.where)
        skipped, left = rest.offset, plan.limit
        async with contextlib.aclosing(self.reader.records(plan.table, reading)) as parts:
            async for records in parts:
                found = [one for one in records if holds(one) is True]
                cut = min(skipped, len(found))
                skipped -= cut
                found = found[cut:] if left is None else found[cut:][:left]
                if found:
                    yield [EVALUATOR.row(plan.fields, one) for one in found]
                if left is not None:
                    left -= len(found)
                    if not left:
                        return

    async def count(self, plan: Select) -> int:
        """Count rows, or groups."""
        if not plan.group:
            if any(map(is_aggregate, plan.fields)):
                return 1
            found = route(plan.table, plan.where)
            if found.rest is None:
                return await self.reader.counted(plan.table, found)
        counted = Select(plan.table, (), plan.where, group=plan.group)
        reading = self.reader.reading(counted)
        async with contextlib.aclosing(self.reader.records(plan.table, reading)) as parts:
            return await EVALUATOR.count(reading.rest, parts)

    # Structure.

    async def tables(self) -> list[TableName]:
        """List tables and materialized views."""
        return await self._catalogue.tables()

    async def describe(self, table: TableName, service_id: int) -> Table | None:
        """Describe a table with its relations."""
        return await self._catalogue.describe(table, service_id)

    async def create_table(self, definition: TableDefinition) -> None:
        """Make a table; its first key field is the partition key, the others are clustering columns."""
        statements = definitions.create_table(self._keyspace, definition)
        if definitions.is_numbered(definition.columns):
            await self.numbers.prepare()
        for statement in statements:
            await self._connection.define(statement)

    async def add_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Add columns; rows that are there have no value in them, whatever their default is."""
        comment = await self._catalogue.comment(table.identity)
        for statement in definitions.add_columns(self._keyspace, table, columns, comment):
            await self._connection.define(statement)

    async def alter_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Raise BadRequest: types of columns are for ever."""
        names = ", ".join(one.name for one in columns)
        raise BadRequest(f"Existing fields can not be changed in this kind of database: {names}.")

    async def drop_column(self, table: Table, column: Column) -> None:
        """Drop a column with its values."""
        if not isinstance(column, CqlColumn) or column.is_primary_key:
            raise BadRequest(f"Field '{column.key}' is part of the key and can not be dropped.")
        comment = await self._catalogue.comment(table.identity)
        for statement in definitions.drop_column(self._keyspace, table, column, comment):
            await self._connection.define(statement)

    async def drop_table(self, table: Table) -> None:
        """Drop a table or view with its rows."""
        await self._connection.define(definitions.drop_table(self._keyspace, table))
        if any(one.auto_increment for one in table.columns):
            await self.numbers.forget(table.identity.name)

    async def flush(self) -> None:
        """Forget the prepared statements."""
        self._connection.forget()

    def compiled(self) -> list[str]:
        """List the texts of the statements that are remembered, for whoever wants to see what is in them."""
        return self._connection.texts()

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()
