"""Names instead of ids: which fields refer to which records, and what these are called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from trunkline_operators.kinds import Kind, unique_key


class Names:
    """Finds names of records and records of names, as a connection sees them."""

    def __init__(self, connection: sa.Connection, kinds: Iterable[Kind]) -> None:
        """Learn what records are known by."""
        self._connection = connection
        self._columns: dict[str, tuple[sa.Column[Any], sa.Column[Any]]] = {}
        self._tables: dict[str, str] = {}
        # What was found; what a record is known by does not change while a file is written or applied.
        self._names: dict[tuple[str, int], Any] = {}
        self._ids: dict[tuple[str, str], int] = {}
        for kind in kinds:
            key = unique_key(kind.model)
            table = kind.model.table
            if len(key) == 1 and "id" in table.c:
                self._columns[table.name] = (table.c["id"], table.c[key[0]])
                self._tables[kind.name] = table.name

    def target_of(self, column: sa.Column[Any]) -> str | None:
        """Answer the table whose records a column refers to, with a foreign key or by its own name."""
        for key in column.foreign_keys:
            return key.column.table.name if key.column.table.name in self._columns else None
        is_id = isinstance(column.type, sa.Integer) and column.name.endswith("_id")
        return self.target_named(column.name) if is_id else None

    def target_named(self, name: str) -> str | None:
        """Answer the table that a field such as ``invite_email_service_id`` or ``default_role`` refers to."""
        base = name.removesuffix("_id")
        for kind in sorted(self._tables, key=len, reverse=True):
            if base == kind or base.endswith(f"_{kind}"):
                return self._tables[kind]
        return None

    def name(self, table: str, record_id: int) -> Any:
        """Answer what a record is called; its id where there is no such record."""
        if (table, record_id) not in self._names:
            key, name = self._columns[table]
            found = self._connection.scalar(sa.select(name).where(key == record_id))
            if found is None:
                return record_id
            self._names[table, record_id] = found
        return self._names[table, record_id]

    def record_id(self, table: str, name: Any) -> int | None:
        """Answer the id of the record with a name, None when there is none; a number is an id already."""
        if isinstance(name, int) and not isinstance(name, bool):
            return name
        if (table, str(name)) not in self._ids:
            key, column = self._columns[table]
            found: int | None = self._connection.scalar(sa.select(key).where(column == str(name)))
            if found is None:
                return None
            self._ids[table, str(name)] = found
        return self._ids[table, str(name)]
