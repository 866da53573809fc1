"""From a filter's tree to what the server may be asked beforehand: ids, or a Mango selector.

A selector lets everything through that the condition does, and perhaps more: the condition itself is judged here, as
Mango compares across types and orders texts in its own way. Operators are ours alone, values are plain data (checklist
3).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trunkline import json
from trunkline_couchdb.values import ID, stored
from trunkline_database import types
from trunkline_database.documents.values import number_in
from trunkline_database.filters import And, Comparison, Literal, Node, Or
from trunkline_database.model import Column, Table

Selector = dict[str, Any]
_RANGES = {">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte"}
_MOST_IDS = 5000
# Equal values of these are kept in several ways: 1.5 and 1.50, or moments with a T between day and hour.
_MANY_FORMS = types.DECIMALS | types.DATETIMES | types.TIMES | {"date", "json", "array"}


def id_of(table: Table, record: dict[str, Any]) -> str:
    """Answer the ``_id`` of a declared table's record: its key as JSON, which no other key has."""
    key = [_one_form(one, record[one.name]) for one in table.primary_key]
    return json.dumps(key[0] if len(key) == 1 else key).decode()


def _one_form(column: Column, value: Any) -> Any:
    """Answer a kept value in the one form that all have that equal it."""
    return format(Decimal(value).normalize(), "f") if column.type in types.DECIMALS else value


def ids_in(table: Table, node: Node | None) -> list[str] | None:
    """Answer the only documents that a condition can hold for, where it names them by their keys."""
    if isinstance(node, And):
        return next((found for one in node.items if (found := ids_in(table, one)) is not None), None)
    if not isinstance(node, Comparison) or len(table.primary_key) != 1 or node.op not in ("=", "in"):
        return None
    (key,) = table.primary_key
    if node.field != key.name:
        return None
    values = node.value if isinstance(node.value, tuple) else (node.value,)
    if len(values) > _MOST_IDS or not all(isinstance(one, Literal) for one in values):
        return None
    if key.is_open:
        texts = [one.value for one in values if isinstance(one, Literal)]
        return [one for one in texts if isinstance(one, str)] if all(isinstance(one, str) for one in texts) else None
    return [id_of(table, {key.name: stored(key, one.value)}) for one in values if isinstance(one, Literal)]


def selector(table: Table, node: Node | None) -> Selector | None:
    """Answer what the server may leave out; None where that is nothing."""
    if isinstance(node, And):
        parts = [found for one in node.items if (found := selector(table, one)) is not None]
        return {"$and": parts} if len(parts) > 1 else parts[0] if parts else None
    if isinstance(node, Or):
        parts = [found for one in node.items if (found := selector(table, one)) is not None]
        return {"$or": parts} if len(parts) == len(node.items) else None
    return _compared(table.by_real_name[node.field], node) if isinstance(node, Comparison) else None


def _compared(column: Column, node: Comparison) -> Selector | None:
    # A name with dots may be a path or just a name; texts compare here as the condition says.
    if "." in column.name or column.name == ID or (column.name.startswith("_") or "\\" in column.name):
        return None
    values = node.value if isinstance(node.value, tuple) else (node.value,)
    if not all(isinstance(one, Literal) for one in values):
        return None
    literals = [one for one in values if isinstance(one, Literal)]
    if node.op in ("=", "in") and (column.is_open or column.type not in _MANY_FORMS):
        found = [one for literal in literals for one in _candidates(column, literal)]
        return {column.name: {"$in": found}}
    if node.op in _RANGES and column.type in types.INTEGERS | types.FLOATS and not column.is_open:
        value = stored(column, literals[0].value)
        if isinstance(value, str):
            return None
        found_range: Selector = {column.name: {_RANGES[node.op]: value}}
        # Numbers that are kept as text, as they are too large, come after all others.
        return found_range if node.op in (">", ">=") else {"$or": [found_range, {column.name: {"$type": "string"}}]}
    return None


def _candidates(column: Column, literal: Literal) -> list[Any]:
    """List what a value can be in the document."""
    value = literal.value
    if not column.is_open:
        kept = stored(column, value)
        # Others may have kept numbers as text.
        return [kept, str(kept)] if column.type in types.INTEGERS | types.FLOATS else [kept]
    if not isinstance(value, str):
        return [value]
    found: list[Any] = [value]
    if not literal.quoted:
        lowered = value.strip().lower()
        if lowered in ("true", "false"):
            found.append(lowered == "true")
        elif (number := number_in(value)) is not None:
            found.append(number)
    return found
