"""The store of a server: each of its databases is a table."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, ClassVar

from trunkline.errors import BadRequest
from trunkline_couchdb.connection import CONFLICT, EXISTS, NOT_FOUND, Connection, CouchError
from trunkline_couchdb.reading import MOST_KEYS
from trunkline_couchdb.values import ID, REV, SAMPLED, STORED_AS, stored
from trunkline_couchdb.writing import DECLARATION, Writing
from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.documents import declared
from trunkline_database.model import Column, Table, TableName
from trunkline_database.relations import ForeignKey, relations_of
from trunkline_database.sql.errors import Diagnosis, typed

_NAME = re.compile(r"[a-z][a-z0-9_$()+/-]{0,127}")
# So many documents are looked at to see what a database is like.
_SAMPLE = 100
_AT_ONCE = 8
_RESERVED = ("$", "_")


class CouchStore(Writing):
    """One server."""

    most_keys: ClassVar[int] = MOST_KEYS
    own_order: ClassVar[bool] = True
    bare_tables: ClassVar[bool] = True

    def __init__(self, connection: Connection) -> None:
        """Speak through a connection."""
        super().__init__(connection)
        self._references: asyncio.Future[list[ForeignKey]] | None = None

    async def tables(self) -> list[TableName]:
        """List databases but the server's own."""
        names = await self._connection.ask("read", "GET", "_all_dbs")
        return [TableName(one) for one in names if isinstance(one, str) and not one.startswith("_")]

    async def describe(self, table: TableName, service_id: int) -> Table | None:
        """Describe a database: as declared, else as some of its documents show."""
        if await self._connection.ask("read", "GET", table.name, good=(NOT_FOUND,)) is None:
            return None
        own = await self.declaration(table.name)
        known = [declared.column_of(one, STORED_AS) for one in own["fields"]] if own is not None else []
        relations = relations_of(table.key, await self.references(), service_id)
        if own is not None and not own["open"]:
            found = declared.constraints(table, known)
            return Table(table, tuple(known), relations=relations, constraints=tuple(found))
        told = await self._connection.ask(
            "read", "GET", table.name, "_all_docs", query={"include_docs": True, "limit": _SAMPLE}
        )
        documents = [one["doc"] for one in told["rows"] if one.get("doc") and not one["id"].startswith("_design/")]
        names = {one.name for one in known} | {ID, REV}
        sampled = [one for one in declared.sampled_columns(documents, SAMPLED) if one.name not in names]
        columns = (_ID_COLUMN, _REV_COLUMN, *known, *(one for one in sampled if not one.name.startswith("_")))
        return Table(table, columns, relations=relations, is_open=True, companions=(_REV_COLUMN,))

    async def references(self) -> list[ForeignKey]:
        """List the references that all databases declare; they are asked once, until something is declared."""
        known = self._references
        if known is None:
            # What is declared meanwhile begins another list.
            known = self._references = asyncio.ensure_future(self._read_references())
            known.add_done_callback(self._forget_failed)
        return await asyncio.shield(known)

    def _forget_failed(self, done: asyncio.Future[list[ForeignKey]]) -> None:
        if (done.cancelled() or done.exception()) and self._references is done:
            self._references = None

    async def flush(self) -> None:
        """Forget the references."""
        self._references = None

    async def _read_references(self) -> list[ForeignKey]:
        turns = asyncio.Semaphore(_AT_ONCE)

        async def of(name: str) -> list[ForeignKey]:
            async with turns:
                found = await self.declaration(name)
            return declared.references(name, found["fields"]) if found is not None else []

        lists = await asyncio.gather(*(of(one.name) for one in await self.tables()))
        return [one for some in lists for one in some]

    async def create_table(self, definition: TableDefinition) -> None:
        """Make a database; with columns its documents have these alone."""
        if not _NAME.fullmatch(definition.name):
            raise BadRequest("A database's name has lower-case letters, digits and _$()+/- only, a letter first.")
        declared.check(definition.columns, STORED_AS, _RESERVED)
        fields = [declared.stored_field(one) for one in definition.columns]
        if fields and not any(declared.column_of(one, STORED_AS).is_primary_key for one in fields):
            raise BadRequest("A table needs a primary key here, or no fields at all.")
        if await self._connection.ask("define", "PUT", definition.name, good=(EXISTS,)) is None:
            raise typed(CouchError(EXISTS, definition.name), Diagnosis("exists"), "define")
        if fields:
            body = {"open": False, "fields": fields, "next": 1}
            await self._connection.ask("define", "PUT", definition.name, *DECLARATION, body=body, good=(CONFLICT,))

    async def add_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Declare columns; records that are there get their defaults."""
        declared.check(columns, STORED_AS, _RESERVED)
        fields = [declared.stored_field(one) for one in columns]
        made = [declared.column_of(one, STORED_AS) for one in fields]
        values = {name: value for name, value in declared.defaults(fields).items() if value is not None}
        demanded = [one for one in made if one.required and not table.is_open]
        if demanded and await self._all(table):
            raise BadRequest("A new field that can not be NULL needs a default where there are records.")
        await self.declare(table.identity.name, lambda found: found["fields"].extend(fields))
        if values:
            given = {one.name: stored(one, values[one.name]) for one in made if one.name in values}
            await self._changed(table, None, lambda document: {**given, **document}, "define")

    async def alter_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Change declarations; values that are there stay as they are."""
        declared.check(columns, STORED_AS, _RESERVED)

        def change(found: dict[str, Any]) -> None:
            found["fields"] = declared.altered_fields(found["fields"], columns)

        await self.declare(table.identity.name, change)

    async def drop_column(self, table: Table, column: Column) -> None:
        """Drop a field with its values."""
        if column.is_primary_key or column.name.startswith("_"):
            raise BadRequest(f"Field '{column.name}' is the key and can not be dropped.")

        def change(found: dict[str, Any]) -> None:
            found["fields"] = [one for one in found["fields"] if one["name"] != column.name]

        await self.declare(table.identity.name, change)
        without = lambda one: {name: value for name, value in one.items() if name != column.name}  # noqa: E731
        await self._changed(table, None, without, "define")

    async def drop_table(self, table: Table) -> None:
        """Drop a database with its documents."""
        await self._connection.ask("define", "DELETE", table.identity.name)

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()


_ID_COLUMN = Column(
    ID, "string", "string", allow_null=False, auto_increment=True, is_primary_key=True, is_unique=True, is_open=True
)
_REV_COLUMN = Column(REV, "string", "string", is_open=True)
