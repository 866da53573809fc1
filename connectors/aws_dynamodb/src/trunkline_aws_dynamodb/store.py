"""The store of an account's tables in one region."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from trunkline import json
from trunkline.errors import BadRequest, Unavailable
from trunkline_aws_dynamodb import tables
from trunkline_aws_dynamodb.connection import Connection
from trunkline_aws_dynamodb.reading import EVALUATOR, is_plain, reading_of
from trunkline_aws_dynamodb.routes import Expression, key_of
from trunkline_aws_dynamodb.tables import DECLARATIONS, DynamoTable
from trunkline_aws_dynamodb.writing import Writing
from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.documents.joining import through
from trunkline_database.model import Column, Table, TableName
from trunkline_database.plan import Select, is_aggregate
from trunkline_database.store import Row, StaleSchema

# How often a table that is being made or dropped is looked at, and how long in seconds between.
_LOOKS, _PAUSE = 120, 0.5


class DynamoStore(Writing):
    """The tables of one account in one region."""

    most_keys = 1000
    own_order = True
    bare_tables = True

    def __init__(self, connection: Connection) -> None:
        """Put the parts together; nothing connects yet."""
        super().__init__(connection)
        self._declared: dict[str, list[Mapping[str, Any]]] | None = None

    # Reading.

    async def select(self, plan: Select) -> list[Row]:
        """Read rows."""
        if plan.via is not None:
            return await through(plan, self._selected, self.most_keys)
        return await self._selected(plan)

    async def _selected(self, plan: Select) -> list[Row]:
        reading = reading_of(plan)
        async with contextlib.aclosing(self.reader.records(reading)) as parts:
            return await reading.evaluator.gather(reading.rest, parts)

    async def stream(self, plan: Select, size: int) -> AsyncGenerator[list[Row], None]:
        """Read rows as pages of items come."""
        reading = reading_of(plan)
        rest = reading.rest
        if plan.via is not None or rest.order or not is_plain(plan):
            rows = await self.select(plan)
            for start in range(0, len(rows), size):
                yield rows[start : start + size]
            return
        holds = EVALUATOR.judge(plan.table, rest.where)
        skipped, left = rest.offset, plan.limit
        async with contextlib.aclosing(self.reader.records(reading)) as parts:
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
        if not plan.group and any(map(is_aggregate, plan.fields)):
            return 1
        reading = reading_of(Select(plan.table, (), plan.where, group=plan.group))
        if not plan.group and reading.rest.where is None:
            return await self.reader.counted(reading)
        async with contextlib.aclosing(self.reader.records(reading)) as parts:
            return await EVALUATOR.count(reading.rest, parts)

    # Structure.

    async def tables(self) -> list[TableName]:
        """List tables."""
        names: list[str] = []
        more: dict[str, Any] = {}
        while True:
            answer = await self.connection.call("list_tables", **more)
            names += answer["TableNames"]
            if "LastEvaluatedTableName" not in answer:
                return [TableName(one) for one in names if one != DECLARATIONS]
            more = {"ExclusiveStartTableName": answer["LastEvaluatedTableName"]}

    async def describe(self, table: TableName, service_id: int) -> Table | None:
        """Describe a table with its relations."""
        found = await self._found(table.name)
        if found is None:
            return None
        declared = await self._declarations()
        fields, sample = declared.get(table.name), []
        if not fields:
            answer = await self.connection.call("scan", TableName=table.name, Limit=tables.SAMPLE)
            sample = answer["Items"]
        return tables.described(table, found, fields, sample, tables.references(declared), service_id)

    async def create_table(self, definition: TableDefinition) -> None:
        """Make a table, wait until it is there, and remember what was declared."""
        keys = tables.checked(definition)
        await self.connection.call("create_table", **tables.creation(definition.name, keys, definition.columns))
        await self._until(definition.name, is_there=True)
        if definition.columns:
            await self._declare(definition.name, [tables.field_of(one) for one in definition.columns])

    async def add_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Declare more columns; items that are there have no value in them."""
        tables.check(columns)
        known = (await self._declarations(anew=True)).get(table.identity.name, [])
        if key := next((one.name for one in columns if one.is_primary_key), None):
            raise BadRequest(f"Field '{key}' can not become part of the key of a table that is there.")
        if not known:
            raise BadRequest("A table takes any fields here where none were declared when it was made.")
        await self._declare(table.identity.name, [*known, *(tables.field_of(one) for one in columns)])

    async def alter_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Raise BadRequest: the items that are there would not follow."""
        names = ", ".join(one.name for one in columns)
        raise BadRequest(f"Existing fields can not be changed in this kind of database: {names}.")

    async def drop_column(self, table: Table, column: Column) -> None:
        """Forget a column and take its values out of the items."""
        assert isinstance(table, DynamoTable)  # noqa: S101 - no other is described here
        if column.name in table.names:
            raise BadRequest(f"Field '{column.key}' is part of the key and can not be dropped.")
        known = (await self._declarations(anew=True)).get(table.identity.name, [])
        if known:
            await self._declare(table.identity.name, [one for one in known if one["name"] != column.name])
        async for items in self.reader.items(reading_of(Select(table, (*table.primary_key, column)))):
            for one in (item for item in items if column.name in item):
                expression = Expression()
                change = f"REMOVE {expression.path(column)}"
                await self.connection.call(
                    "update_item", TableName=table.identity.name, Key=key_of(table, one), UpdateExpression=change,
                    **expression.arguments(),
                )  # fmt: skip

    async def drop_table(self, table: Table) -> None:
        """Drop a table with its items."""
        name = table.identity.name
        await self.connection.call("delete_table", TableName=name)
        await self._until(name, is_there=False)
        if name in await self._declarations(anew=True):
            await self.connection.call("delete_item", TableName=DECLARATIONS, Key={"name": {"S": name}})
            self._declared = None

    async def flush(self) -> None:
        """Forget what was declared: another worker may have changed it."""
        self._declared = None

    async def close(self) -> None:
        """Close the connections."""
        await self.connection.close()

    async def _found(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = (await self.connection.call("describe_table", TableName=name))["Table"]
        except StaleSchema:
            return None
        return found

    async def _until(self, name: str, *, is_there: bool) -> None:
        for look in range(_LOOKS):
            found = await self._found(name)
            if found is None if not is_there else found is not None and found["TableStatus"] == "ACTIVE":
                return
            await asyncio.sleep(_PAUSE if look else 0)
        raise Unavailable("The table is not ready yet. Try again.", headers={"Retry-After": "10"})

    async def _declarations(self, *, anew: bool = False) -> dict[str, list[Mapping[str, Any]]]:
        """Answer what is declared of all tables."""
        if self._declared is None or anew:
            found: dict[str, list[Mapping[str, Any]]] = {}
            with contextlib.suppress(StaleSchema):  # nothing was ever declared
                async for answer in self.connection.pages("scan", TableName=DECLARATIONS, ConsistentRead=True):
                    for item in answer["Items"]:
                        found[item["name"]["S"]] = json.loads(item["fields"]["S"]) if "fields" in item else []
            self._declared = found
        return self._declared

    async def _declare(self, name: str, fields: Sequence[Mapping[str, Any]]) -> None:
        if await self._found(DECLARATIONS) is None:
            key = ColumnDefinition("name", "string", is_primary_key=True)
            await self.connection.call("create_table", **tables.creation(DECLARATIONS, (key,), (key,)))
            await self._until(DECLARATIONS, is_there=True)
        await self.connection.call(
            "update_item", TableName=DECLARATIONS, Key={"name": {"S": name}}, UpdateExpression="SET #0 = :0",
            ExpressionAttributeNames={"#0": "fields"},
            ExpressionAttributeValues={":0": {"S": tables.declaration(fields)}},
        )  # fmt: skip
        self._declared = None
