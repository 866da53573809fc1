"""The store of MongoDB: plans become finds and pipelines, changes become updates, errors become typed ones."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

from bson import ObjectId
from pymongo import ReplaceOne
from pymongo.asynchronous.client_session import AsyncClientSession

from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.documents import declared
from trunkline_database.documents.compensating import CompensatingStore, compensated
from trunkline_database.documents.evaluate import MOST_EXAMINED, Evaluator
from trunkline_database.filters import Node
from trunkline_database.model import Column, Table, TableName
from trunkline_database.plan import Select
from trunkline_database.store import Row, Transaction
from trunkline_mongodb import native, structure, writing
from trunkline_mongodb.errors import translated
from trunkline_mongodb.query import ID
from trunkline_mongodb.reading import pipeline, reader, sort_of
from trunkline_mongodb.rows import MongoRows
from trunkline_mongodb.structure import DECLARATIONS
from trunkline_mongodb.values import incoming, shown, special

Document = dict[str, Any]
_EVALUATOR = Evaluator(shown=shown)
# So many documents are read at a time where they are judged here.
_PART = 1000
_NOT_THERE = frozenset({14, 59, 115, 168, 238, 31249, 40324})


class MongoTransaction(MongoRows, Transaction):
    """Rows in a transaction of the server's."""

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Open a part; it is never undone alone, as the server ends the whole transaction at the first failure."""
        yield


class MongoStore(MongoRows, CompensatingStore):
    """One MongoDB database."""

    savepoints: ClassVar[bool] = False
    bare_tables: ClassVar[bool] = True

    # Reading and writing.

    async def stream(self, plan: Select, size: int) -> AsyncGenerator[list[Row], None]:
        """Read rows a few at a time; the time of a request is what the server may spend on them."""
        collection = self._collection(plan.table)
        with translated("read"):
            where = await self._where(plan.table, plan.where)
            sort = sort_of(plan.table, plan.order)
            if sort is not None:
                cursor: Any = self._found(plan, where, sort).batch_size(size)
            else:
                cursor = await collection.aggregate(
                    pipeline(plan, where), batchSize=size, maxTimeMS=self._connection.milliseconds, allowDiskUse=True
                )
            read = reader(plan.table, plan.fields)
            async with contextlib.aclosing(_parts(cursor, size)) as parts:
                async for part in parts:
                    yield [read(one) for one in part]

    async def _put(self, table: Table, documents: list[Document]) -> None:
        """Insert documents; several in a transaction, or else those that were stored go again when one fails."""
        if len(documents) == 1:
            await super()._put(table, documents)
        elif await self._connection.transacts():
            async with self._session_of_its_own() as session:
                await self._collection(table).insert_many(documents, session=session)
        else:
            try:
                await self._collection(table).insert_many(documents)
            except BaseException:
                await self._collection(table).delete_many({ID: {"$in": [one[ID] for one in documents]}})
                raise

    @contextlib.asynccontextmanager
    async def _session_of_its_own(self) -> AsyncIterator[AsyncClientSession]:
        async with self._connection.client.start_session() as session, await session.start_transaction():
            yield session

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction of the server's, or a compensated one where it has none."""
        with translated("update"):
            transacts = await self._connection.transacts()
            if not transacts:
                async with compensated(self) as compensating:
                    yield compensating
            else:
                async with self._session_of_its_own() as session:
                    yield MongoTransaction(self._connection, session)

    async def keep(self, table: Table, where: Node | None) -> list[Document]:
        """Read the documents that match, as they are."""
        async with self._running("read"):
            found = await self._collection(table).find(await self._where(table, where)).to_list(MOST_EXAMINED + 1)
        if len(found) > MOST_EXAMINED:
            raise BadRequest(f"More than {MOST_EXAMINED} records can not be written together on this server.")
        return found

    async def put_back(self, table: Table, kept: Sequence[Document]) -> None:
        """Store documents as they were."""
        if kept:
            async with self._running("update"):
                await self._collection(table).bulk_write([ReplaceOne({ID: one[ID]}, one, upsert=True) for one in kept])

    async def take_out(self, table: Table, rows: Sequence[Row]) -> None:
        """Delete documents that were inserted."""
        from trunkline_database.resolve import among

        keys = [tuple(row[column.key] for column in table.primary_key) for row in rows]
        await self.delete(table, among(table.primary_key, keys))

    # What only MongoDB's clients say.

    def native_filter(self, given: str | Mapping[str, Any]) -> Node | None:
        """Read a filter in MongoDB's own language, by what is allowed of it."""
        return native.filter_of(given)

    def scalar(self, given: Mapping[str, Any]) -> Any:
        """Read an object that stands for one value; any other is none."""
        found = special(given) if len(given) == 1 else None
        return given if found is None else found

    def identifier(self, column: Column, value: Any, id_type: str) -> Any:
        """Read an ``_id``: text, a number with ``id_type=integer`` or from JSON, or ``{"$oid": …}``."""
        if isinstance(value, Mapping) and (found := self.scalar(value)) is not value:
            value = found
        if isinstance(value, ObjectId):
            return str(value)
        if value is None or isinstance(value, Mapping | list):
            raise BadRequest(f"Field '{column.key}' must be a single value.")
        if id_type.strip().lower() in ("int", "integer"):
            return types.incoming(Column(column.name, "bigint", ""), value)
        return incoming(value)

    def operated(self, table: Table, operator: str, given: Any) -> Mapping[str, Any]:
        """Read what an update operator does."""
        return native.changes_of(table, operator, given)

    # Structure.

    async def tables(self) -> list[TableName]:
        """List collections and views."""
        async with self._running("read"):
            cursor = await self._connection.database.list_collections()
            return [
                TableName(one["name"], is_view=one.get("type") == "view")
                async for one in cursor
                if not one["name"].startswith(("system.", "trunkline."))
            ]

    async def describe(self, table: TableName, service_id: int) -> Table | None:
        """Describe a collection."""
        database = self._connection.database
        async with self._running("read"):
            declarations = await database[DECLARATIONS].find().to_list()
            own = next((one for one in declarations if one[ID] == table.name), None)
            keys = structure.references(declarations)
            decimals = await self._connection.decimals()
            return await structure.described(database, table, own, keys, service_id, decimals=decimals)

    async def create_table(self, definition: TableDefinition) -> None:
        """Make a collection; with columns it takes these alone."""
        declaration = structure.declared(definition)
        database = self._connection.database
        async with self._running("define"):
            await database.create_collection(definition.name)
            try:
                await database[DECLARATIONS].replace_one({ID: definition.name}, declaration, upsert=True)
                await self._index(definition.name, declaration["fields"], declaration["fields"])
            except BaseException:
                await database.drop_collection(definition.name)
                await database[DECLARATIONS].delete_one({ID: definition.name})
                raise

    async def _index(self, name: str, fields: Sequence[Document], new: Sequence[Document]) -> None:
        """Make the indexes of new fields: NULL is not stored, so it does not count as a value."""
        collection = self._connection.database[name]
        key = [one["name"] for one in fields if structure.column_of(one).is_primary_key]
        if len(key) > 1 and any(one["name"] in key for one in new):
            await collection.create_index([(one, 1) for one in key], unique=True, name=f"{name}_pkey")
        for one in new:
            if one["name"] in key:
                continue
            if one.get("is_unique"):
                options: Document = {"unique": True, "name": f"{one['name']}_key"}
                if one.get("allow_null"):
                    options["sparse"] = True
                await collection.create_index([(one["name"], 1)], **options)
            elif one.get("is_index") or one.get("ref_table"):
                await collection.create_index([(one["name"], 1)], name=f"{one['name']}_index")

    async def add_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Declare columns; records that are there get their defaults."""
        declared.check(columns, structure.STORED_AS)
        new = [declared.stored_field(one) for one in columns]
        async with self._running("define"):
            collection = self._collection(table)
            for one in new:
                column = structure.column_of(one, decimals=await self._connection.decimals())
                default = declared.default_of(one)
                if default is None and column.required and not table.is_open and await collection.find_one({}, {ID: 1}):
                    raise BadRequest("A new field that can not be NULL needs a default where there are records.")
                if default is not None:
                    value = writing.document(Table(table.identity, (column,)), {}, {column.name: default})
                    await collection.update_many(
                        {column.name: {"$exists": False}}, {"$set": {column.name: value[column.name]}}
                    )
            await self._declare(table, lambda fields: [*fields, *new])
            await self._index(table.identity.name, new, new)

    async def alter_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Change declarations; values that are there stay as they are."""
        declared.check(columns, structure.STORED_AS)
        async with self._running("define"):
            await self._declare(table, lambda fields: declared.altered_fields(fields, columns))

    async def _declare(self, table: Table, change: Any) -> None:
        declarations, name = self._connection.database[DECLARATIONS], table.identity.name
        found = await declarations.find_one({ID: name}) or {"fields": [], "open": table.is_open, "next": 1}
        fields = change(found["fields"])
        update = {"$set": {"fields": fields, "open": found["open"]}, "$setOnInsert": {"next": found["next"]}}
        await declarations.update_one({ID: name}, update, upsert=True)

    async def drop_column(self, table: Table, column: Column) -> None:
        """Drop a field with its values."""
        if column.is_primary_key:
            raise BadRequest(f"Field '{column.name}' is the key and can not be dropped.")
        async with self._running("define"):
            collection = self._collection(table)
            for index in await (await collection.list_indexes()).to_list():
                if column.name in index["key"]:
                    await collection.drop_index(index["name"])
            await collection.update_many({}, {"$unset": {column.name: ""}})
            await self._declare(table, lambda fields: [one for one in fields if one["name"] != column.name])

    async def drop_table(self, table: Table) -> None:
        """Drop a collection with its documents."""
        async with self._running("define"):
            await self._connection.database.drop_collection(table.identity.name)
            await self._connection.database[DECLARATIONS].delete_one({ID: table.identity.name})

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()


async def _parts(cursor: Any, size: int) -> AsyncGenerator[list[Document], None]:
    try:
        while part := await cursor.to_list(size):
            yield part
    finally:
        await cursor.close()
