"""Rows as documents, and changes as update documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import ObjectId

from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.documents.declared import numbered
from trunkline_database.documents.shape import nested
from trunkline_database.model import Column, Table
from trunkline_database.store import Arithmetic
from trunkline_mongodb.native import Operated
from trunkline_mongodb.query import ID, path
from trunkline_mongodb.values import as_id, bson_of

Document = dict[str, Any]
_ARITHMETIC = {"+": "$add", "-": "$subtract", "*": "$multiply", "/": "$divide"}


def document(table: Table, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> Document:
    """Make a document of a row; what has no value in a declared column is left out, as NULL is not there."""
    found: Document = {}
    for name, value in {**defaults, **values}.items():
        column = table.by_real_name[name]
        if isinstance(value, Operated | Arithmetic):
            raise BadRequest(f"Field '{column.key}' can not be computed in a new record.")
        stored = bson_of(column, value)
        if stored is not None or column.is_open:
            found[path(table, column)] = stored
    if table.is_open:
        nested(found)
    if ID in found:
        found[ID] = as_id(found[ID]) if table.primary_key[0].is_open else found[ID]
        if isinstance(found[ID], list) or found[ID] is None:
            raise BadRequest("Field '_id' must be a single value.")
    elif len(table.primary_key) != 1 or numbered(table) is not table.primary_key[0]:
        found[ID] = ObjectId()
    return found


def update_of(table: Table, values: Mapping[str, Any]) -> Document | list[Document]:
    """Write the update of changes: operators, or a pipeline where a new value is computed from others."""
    if any(isinstance(one, Arithmetic) for one in values.values()):
        return _computed(table, values)
    found: dict[str, Document] = {}
    for name, value in values.items():
        column = table.by_real_name[name]
        place = path(table, column)
        if isinstance(value, Operated):
            found.setdefault(value.operator, {})[place] = value.argument
            continue
        stored = bson_of(column, value)
        if stored is None and not column.is_open:
            found.setdefault("$unset", {})[place] = ""
        else:
            found.setdefault("$set", {})[place] = stored
    return found


def _computed(table: Table, values: Mapping[str, Any]) -> list[Document]:
    set_, unset = Document(), list[str]()
    for name, value in values.items():
        column = table.by_real_name[name]
        place = path(table, column)
        if isinstance(value, Operated):
            raise BadRequest("Operators and expressions can not stand in one change.")
        if isinstance(value, Arithmetic):
            set_[place] = _arithmetic(table, column, value)
        elif (stored := bson_of(column, value)) is None:
            unset.append(place)
        else:
            set_[place] = {"$literal": stored}
    return [{"$set": set_}, *([{"$unset": unset}] if unset else [])]


def _arithmetic(table: Table, column: Column, value: Arithmetic) -> Document:
    if value.operator == "/" and not value.number:
        raise BadRequest("A number can not be divided by zero.")
    number = bson_of(column, types.incoming(column, value.number)) if column.type in types.DECIMALS else value.number
    found: Document = {_ARITHMETIC[value.operator]: [f"${path(table, value.column)}", number]}
    if column.type in types.INTEGERS:
        return {"$toLong": {"$trunc": [found]}}
    if column.scale is not None:
        return {"$round": [found, column.scale]}
    return found
