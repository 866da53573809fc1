"""Working out what has to change in a table, before anything does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trunkline.errors import BadRequest
from trunkline_database.definition import ColumnDefinition, read_column, refuse_extras
from trunkline_database.model import Column, Table
from trunkline_database.store import Store

_SAME = {"pk": "id", "fk": "reference"}


@dataclass(slots=True)
class Changes:
    """What is to be added, altered and dropped."""

    table: Table
    added: list[ColumnDefinition] = field(default_factory=list)
    altered: list[ColumnDefinition] = field(default_factory=list)
    dropped: list[Column] = field(default_factory=list)


def changes_of(table: Table, given: Mapping[str, Any], *, exact: bool = False) -> Changes:
    """Compare a table with a client's JSON; with ``exact`` what the fields sent do not name is to be dropped."""
    keys = {str(name).lower(): value for name, value in given.items()}
    refuse_extras(keys, "table")
    fields = keys.get("field", keys.get("fields")) or []
    fields = fields if isinstance(fields, list) else [fields]
    changes, named = Changes(table), set()
    for one in fields:
        if not isinstance(one, Mapping):
            raise BadRequest("Invalid schema detected - no name element.")
        column = table.column(str(one.get("name", "")))
        if column is None:
            changes.added.append(read_column(one))
            continue
        named.add(column)
        refuse_extras({str(name).lower(): value for name, value in one.items()}, f"field '{column.name}'")
        # A known field without a type changes nothing in the database.
        if (one.get("type") or one.get("db_type")) and _differs(column, definition := read_column(one)):
            changes.altered.append(definition)
    if exact and fields:
        changes.dropped = [one for one in table.columns if one not in named and not one.is_primary_key]
    return changes


async def apply(store: Store, changes: Changes) -> None:
    """Make the changes; what might be refused comes first, what loses data last."""
    if changes.altered:
        await store.alter_columns(changes.table, changes.altered)
    if changes.added:
        await store.add_columns(changes.table, changes.added)
    for column in changes.dropped:
        await store.drop_column(changes.table, column)


def _differs(column: Column, definition: ColumnDefinition) -> bool:
    kind = _SAME.get(definition.type, definition.type)
    if kind not in (column.type, column.db_type.lower()):
        return True
    return definition.length is not None and definition.length != column.length
