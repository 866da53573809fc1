"""Rows of MongoDB: plans become finds and pipelines, changes become updates."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bson import Decimal128, ObjectId
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection, ReturnDocument
from pymongo.errors import OperationFailure

from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.documents import declared
from trunkline_database.documents.evaluate import MOST_EXAMINED, Evaluator
from trunkline_database.documents.joining import through
from trunkline_database.documents.splitting import split
from trunkline_database.filters import Node
from trunkline_database.model import Column, Table
from trunkline_database.plan import Select, is_aggregate
from trunkline_database.sql.errors import Verb
from trunkline_database.store import Row, Rows, Store
from trunkline_mongodb import writing
from trunkline_mongodb.connection import Connection
from trunkline_mongodb.errors import translated
from trunkline_mongodb.query import ID, can, query
from trunkline_mongodb.reading import grouped_rows, is_changed, pipeline, projection, reader, sort_of
from trunkline_mongodb.structure import DECLARATIONS
from trunkline_mongodb.values import as_json, decimal_of, shown

Document = dict[str, Any]
_EVALUATOR = Evaluator(shown=shown)
# So many documents are read at a time where they are judged here.
_PART = 1000
_NOT_THERE = frozenset({14, 59, 115, 168, 238, 31249, 40324})


class MongoRows(Rows):
    """Rows of one database, in a session where there is a transaction."""

    def __init__(self, connection: Connection, session: AsyncClientSession | None = None) -> None:
        """Read and write through a connection."""
        self._connection = connection
        self._session = session

    async def select(self, plan: Select) -> list[Row]:
        """Read rows."""
        if plan.via is not None:
            return await through(plan, self._selected, Store.most_keys)
        return await self._selected(plan)

    async def _selected(self, plan: Select) -> list[Row]:
        async with self._running("read"):
            where = await self._where(plan.table, plan.where)
            if plan.per is not None:
                return await _EVALUATOR.gather(replace(plan, where=None), self._records(plan, where))
            grouped = bool(plan.group) or any(map(is_aggregate, plan.fields))
            sort = None if grouped else sort_of(plan.table, plan.order)
            if sort is not None:
                found = await self._found(plan, where, sort).to_list()
                read = reader(plan.table, plan.fields)
                return [read(one) for one in found]
            return await self._piped(plan, where, grouped)

    async def select_json(self, plan: Select) -> tuple[int, bytes] | None:
        """Read whole documents as JSON at once, where there is nothing to be done to them."""
        table = plan.table
        whole = len(plan.fields) == 1 and isinstance(one := plan.fields[0], Column) and one.is_everything
        sort = sort_of(table, plan.order) if whole and not any(map(is_changed, table.columns)) else None
        if sort is None or plan.via is not None or plan.per is not None or plan.group:
            return None
        async with self._running("read"):
            found = await self._found(plan, await self._where(table, plan.where), sort).to_list()
        try:
            return len(found), as_json(found)
        except TypeError:
            return None

    def _found(self, plan: Select, where: Document, sort: list[tuple[str, int]]) -> Any:
        cursor = self._collection(plan.table).find(
            where,
            projection(plan.table, plan.fields),
            session=self._session,
            skip=plan.offset,
            limit=plan.limit or 0,
            max_time_ms=self._connection.milliseconds,
        )
        return cursor.sort(sort) if sort else cursor

    async def _piped(self, plan: Select, where: Document, grouped: bool) -> list[Row]:
        stages = pipeline(plan, where)
        try:
            cursor = await self._collection(plan.table).aggregate(
                stages, session=self._session, maxTimeMS=self._connection.milliseconds
            )
            found = await cursor.to_list()
        except OperationFailure as error:
            # Not every server that speaks this protocol has all stages and expressions.
            if error.code not in _NOT_THERE or self._session is not None:
                raise
            return await _EVALUATOR.gather(replace(plan, where=None), self._records(plan, where))
        if grouped:
            return grouped_rows(plan, found)
        read = reader(plan.table, plan.fields)
        return [read(one) for one in found]

    async def _records(self, plan: Select, where: Document) -> AsyncIterator[list[Document]]:
        """Read whole documents a few at a time, as the evaluator knows them."""
        cursor = self._collection(plan.table).find(where, session=self._session, batch_size=_PART)
        while part := await cursor.to_list(_PART):
            yield [_record(plan.table, one) for one in part]

    async def _where(self, table: Table, node: Node | None) -> Document:
        """Write a condition; what MongoDB cannot judge is judged here first, and becomes a list of ids."""
        able, rest = split(node, can(table))
        where = query(table, able)
        if rest is None:
            return where
        holds = _EVALUATOR.judge(table, rest)
        ids: list[Any] = []
        cursor, examined = self._collection(table).find(where, session=self._session, batch_size=_PART), 0
        while part := await cursor.to_list(_PART):
            examined += len(part)
            if examined > MOST_EXAMINED:
                raise BadRequest(f"More than {MOST_EXAMINED} records would have to be examined. Narrow the filter.")
            ids += [one[ID] for one in part if holds(_record(table, one)) is True]
        return {ID: {"$in": ids}}

    async def count(self, plan: Select) -> int:
        """Count rows, or groups."""
        if not plan.group and any(map(is_aggregate, plan.fields)):
            return 1
        async with self._running("read"):
            where = await self._where(plan.table, plan.where)
            if plan.group:
                return len(await self._piped(replace(plan, fields=plan.group, limit=None, offset=0), where, True))
            most = self._connection.milliseconds
            return int(await self._collection(plan.table).count_documents(where, session=self._session, maxTimeMS=most))

    async def insert(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        returning: Sequence[Column],
        check: Node | None = None,
    ) -> list[Row]:
        """Insert rows, all or none."""
        async with self._running("insert"):
            documents = await self._new(table, rows)
            await self._put(table, documents)
        read = reader(table, returning)
        return [read(one) for one in documents]

    async def _put(self, table: Table, documents: list[Document]) -> None:
        collection = self._collection(table)
        if len(documents) == 1:
            await collection.insert_one(documents[0], session=self._session)
        else:
            await collection.insert_many(documents, session=self._session)

    async def _new(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[Document]:
        declaration = await self._declaration(table) if _is_declared(table) else None
        defaults = declared.defaults(declaration["fields"]) if declaration is not None else {}
        documents = [writing.document(table, one, defaults) for one in rows]
        column = declared.numbered(table)
        if column is None:
            return documents
        place = ID if len(table.primary_key) == 1 and table.primary_key[0] is column else column.name
        missing = [one for one in documents if place not in one]
        given = max((one[place] for one in documents if place in one), default=0)
        first = await self._numbers(table, len(missing), given)
        for number, one in enumerate(missing, first):
            one[place] = number
        return documents

    async def _numbers(self, table: Table, count: int, given: int) -> int:
        """Take numbers for new records, which no other worker gets, and answer the first; outside of transactions."""
        declarations = self._connection.database[DECLARATIONS]
        if given:
            await declarations.update_one({ID: table.identity.name}, {"$max": {"next": given + 1}})
        if not count:
            return 0
        found: Document | None = await declarations.find_one_and_update(
            {ID: table.identity.name},
            {"$inc": {"next": count}, "$setOnInsert": {"open": False, "fields": []}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return int((found or {})["next"]) - count

    async def _declaration(self, table: Table) -> Document | None:
        found: Document | None = await self._connection.database[DECLARATIONS].find_one({ID: table.identity.name})
        return found

    async def update(
        self, table: Table, where: Node | None, values: Mapping[str, Any], check: Node | None = None
    ) -> int:
        """Change rows."""
        async with self._running("update"):
            found = await self._where(table, where)
            changes = writing.update_of(table, values)
            try:
                done = await self._collection(table).update_many(found, changes, session=self._session)
            except OperationFailure as error:
                if not isinstance(changes, list) or error.code not in _NOT_THERE or self._session is not None:
                    raise
                return await self._computed(table, found, values)
            return int(done.matched_count)

    async def _computed(self, table: Table, where: Document, values: Mapping[str, Any]) -> int:
        """Compute new values here, for servers that cannot."""
        collection = self._collection(table)
        documents = await collection.find(where).to_list(MOST_EXAMINED)
        for one in documents:
            changes = writing.update_of(table, declared.computed(table, values, _record(table, one)))
            await collection.update_one({ID: one[ID]}, changes)
        return len(documents)

    async def replace(self, table: Table, where: Node | None, values: Mapping[str, Any]) -> int:
        """Give rows these values and no others."""
        async with self._running("update"):
            found, collection = await self._where(table, where), self._collection(table)
            new = writing.document(table, values, {})
            del new[ID]
            ids = [one[ID] for one in await collection.find(found, {ID: 1}, session=self._session).to_list()]
            for one in ids:
                await collection.replace_one({ID: one}, new, session=self._session)
            return len(ids)

    async def delete(self, table: Table, where: Node | None) -> int:
        """Delete rows."""
        async with self._running("delete"):
            found = await self._where(table, where)
            return int((await self._collection(table).delete_many(found, session=self._session)).deleted_count)

    def _collection(self, table: Table) -> AsyncCollection[Document]:
        return self._connection.collection(table.identity.name)

    @contextlib.asynccontextmanager
    async def _running(self, verb: Verb) -> AsyncIterator[None]:
        """Bound what is done by the time of a request; the driver's own would also be that for finding a server."""
        with translated(verb):
            async with asyncio.timeout(self._connection.seconds):
                yield


def _is_declared(table: Table) -> bool:
    return any(not one.is_open for one in table.columns)


def _record(table: Table, document: Document) -> Document:
    """Answer a document as the evaluator knows it: by the columns' names, with Python's own numbers and texts."""
    record = {name: _plain(value) for name, value in document.items()}
    for column in table.columns:
        if column.db_type == "double" and column.type in types.DECIMALS and column.name in record:
            record[column.name] = decimal_of(column, record[column.name])
    key = table.primary_key
    if len(key) == 1 and key[0].name != ID:
        record[key[0].name] = record.pop(ID)
    return record


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal128):
        return value.to_decimal()
    if isinstance(value, ObjectId):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
