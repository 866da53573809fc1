"""What Cassandra's own tables say of a keyspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trunkline_cassandra.columns import CqlColumn, Role, column_of, facts_of, references
from trunkline_cassandra.connection import Connection
from trunkline_cassandra.kinds import read
from trunkline_database.model import Constraint, Table, TableName
from trunkline_database.relations import ForeignKey, relations_of

#: Numbers of rows are given out here; nobody sees the table.
SEQUENCE = "trunkline_sequence"
_OF_TABLE = "SELECT comment FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?"
_OF_VIEW = "SELECT comment FROM system_schema.views WHERE keyspace_name = ? AND view_name = ?"
_ROLES: Mapping[str, int] = {"partition_key": 0, "clustering": 1, "static": 2, "regular": 3}


class Catalogue:
    """One keyspace."""

    def __init__(self, connection: Connection, keyspace: str) -> None:
        """Know nothing yet."""
        self._connection = connection
        self._keyspace = keyspace

    async def tables(self) -> list[TableName]:
        """List tables and materialized views."""
        tables = await self._read("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?")
        views = await self._read("SELECT view_name FROM system_schema.views WHERE keyspace_name = ?")
        found = [TableName(name) for (name,) in tables if name != SEQUENCE]
        return found + [TableName(name, is_view=True) for (name,) in views]

    async def describe(self, table: TableName, service_id: int) -> Table | None:
        """Describe a table, or answer None when it is gone; relations lead where references are remembered."""
        rows = await self._read(
            "SELECT column_name, type, kind, position, clustering_order FROM system_schema.columns "
            "WHERE keyspace_name = ? AND table_name = ?",
            table.name,
        )
        if not rows:
            return None
        told, facts = facts_of(await self.comment(table))
        indexes = await self._indexed(table.name)
        defined = await self._defined()
        columns = [
            column_of(
                name, read(declared, defined), declared, facts.get(name, {}), role=role, position=position,
                is_descending=order == "desc", is_index=name in indexes,
            )
            for name, declared, role, position, order in rows
        ]  # fmt: skip
        # The catalogue has the others by name; in the comment they are in the order in which they were declared.
        places = {name: place for place, name in enumerate(facts)}
        columns.sort(key=lambda one: (*_place(one), places.get(one.name, len(places))))
        keys = [one.name for one in columns if one.is_primary_key]
        constraint = Constraint.of(table, "PRIMARY KEY", keys)
        relations = () if table.is_view else relations_of(table.key, await self._references(), service_id)
        return Table(table, tuple(columns), relations, (constraint,), description=told or None)

    async def comment(self, table: TableName) -> str:
        """Answer the comment of a table."""
        rows = await self._read(_OF_VIEW if table.is_view else _OF_TABLE, table.name)
        return str(rows[0][0] or "") if rows else ""

    async def _references(self) -> list[ForeignKey]:
        rows = await self._read("SELECT table_name, comment FROM system_schema.tables WHERE keyspace_name = ?")
        return [one for name, comment in sorted(rows) for one in references(name, str(comment or ""))]

    async def _indexed(self, table: str) -> set[str]:
        rows = await self._read(
            "SELECT options FROM system_schema.indexes WHERE keyspace_name = ? AND table_name = ?", table
        )
        return {str(options.get("target", "")).strip('"').replace('""', '"') for (options,) in rows}

    async def _defined(self) -> dict[str, tuple[tuple[str, str], ...]]:
        rows = await self._read(
            "SELECT type_name, field_names, field_types FROM system_schema.types WHERE keyspace_name = ?"
        )
        return {name: tuple(zip(names, kinds, strict=True)) for name, names, kinds in rows}

    async def _read(self, text: str, *more: str) -> Sequence[Any]:
        return await self._connection.execute(text, (self._keyspace, *more))


def _place(column: CqlColumn) -> tuple[int, int]:
    role: Role = column.role
    return _ROLES[role], column.position if column.is_primary_key else 0
