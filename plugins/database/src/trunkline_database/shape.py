"""From rows to the envelope of replies (database-api 1.1, 5, 6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from trunkline_database.model import Column, Table
from trunkline_database.plan import Target
from trunkline_database.store import Row


def records(target: Target, rows: list[Row], meta: dict[str, Any] | None = None) -> dict[str, Any]:
    """Wrap a list of records, as values only when asked so, with meta when there is any."""
    content: dict[str, Any] = {"resource": values_of(target, rows) if target.query.as_list else rows}
    if meta:
        content["meta"] = meta
    return content


def values_of(target: Target, rows: list[Row]) -> list[Any]:
    """Reduce records to one value each: of ``id_field``, else of a column called ``name``; others are left out."""
    key = target.query.id_field[0] if target.query.id_field else "name"
    column = target.table.column(key)
    return [row[column.key] for row in rows if column.key in row] if column is not None else []


def meta_of(count: int, offset: int, shown: int, limit: int) -> dict[str, Any]:
    """Build the paging part of meta: ``next`` only when rows remain, ``previous`` only behind the first page (D32)."""
    meta: dict[str, Any] = {"count": count}
    if offset + shown < count:
        meta["next"] = offset + limit
    if offset:
        meta["previous"] = max(0, offset - limit)
    return meta


def schema_asked(target: Target) -> dict[str, Any]:
    """Answer the part of meta that describes the table, where that is asked for."""
    if not target.query.include_schema:
        return {}
    mask = target.call.caller.mask(target.service.record, f"_schema/{target.table.name.lower()}")
    return {"schema": schema_of(target.table, mask)}


def schema_of(table: Table, access: int) -> dict[str, Any]:
    """Render a table for ``meta.schema``: as its description, without aliases."""
    described = table.describe(access)
    del described["alias"]
    for member in (*described["field"], *described["related"]):
        del member["alias"]
    return described


def only(columns: Iterable[Column], row: Row) -> Row:
    """Cut a row down to some columns."""
    columns = tuple(columns)
    if any(column.is_everything for column in columns):
        return row
    return {column.key: row[column.key] for column in columns if column.key in row}
