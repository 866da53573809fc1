"""What collections look like: as declared through ``_schema``, else as some of their documents show.

Declarations are documents of a collection of the database itself, so that every service on it knows the same tables.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from bson import Binary, Decimal128, Int64, ObjectId
from pymongo.asynchronous.database import AsyncDatabase

from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.definition import TableDefinition
from trunkline_database.documents import declared as kept
from trunkline_database.model import Column, Table, TableName
from trunkline_database.relations import ForeignKey, relations_of
from trunkline_mongodb.query import ID

Document = dict[str, Any]
# Where declarations are kept, and the next number of each table that numbers its records.
DECLARATIONS = "trunkline.tables"
# So many documents are looked at to see what a collection is like.
SAMPLE = 100
STORED_AS: dict[str, str] = {
    **dict.fromkeys(types.INTEGERS, "long"), **dict.fromkeys(types.DECIMALS, "decimal"),
    **dict.fromkeys(types.FLOATS, "double"), **dict.fromkeys(types.DATETIMES, "date"),
    **dict.fromkeys(types.TIMES, "string"), "date": "date", "boolean": "bool", "binary": "binData", "string": "string",
    "text": "string", "uuid": "string", "json": "object", "array": "array",
}  # fmt: skip
_WITHOUT_DECIMALS = STORED_AS | dict.fromkeys(types.DECIMALS, "double")
_SAMPLED: dict[type, tuple[str, str]] = {
    str: ("string", "string"), bool: ("boolean", "bool"), int: ("integer", "int"), Int64: ("bigint", "long"),
    float: ("double", "double"), Decimal128: ("decimal", "decimal"), dt.datetime: ("datetime", "date"),
    ObjectId: ("string", "objectId"), bytes: ("binary", "binData"), Binary: ("binary", "binData"),
    uuid.UUID: ("uuid", "binData"), dict: ("json", "object"), list: ("array", "array"),
}  # fmt: skip


# Declaring.


def declared(definition: TableDefinition) -> Document:
    """Answer the declaration of a new table; raises BadRequest for what cannot be one."""
    check_name(definition.name)
    kept.check(definition.columns, STORED_AS)
    return {
        "_id": definition.name,
        "open": not definition.columns,
        "fields": [kept.stored_field(one) for one in definition.columns],
        "next": 1,
    }


def check_name(name: str) -> None:
    """Refuse what no collection can be called."""
    if name.startswith((".", "system.", "trunkline.")) or name.endswith(".") or "$" in name or ".." in name:
        raise BadRequest(f"A collection can not be called '{name[:128]}'.")


# Describing.


async def described(
    database: AsyncDatabase[Document],
    name: TableName,
    declaration: Document | None,
    keys: Iterable[ForeignKey],
    service_id: int,
    *,
    decimals: bool,
) -> Table:
    """Describe a collection; ``keys`` are all references that are declared, ``decimals`` says if the server has any."""
    fields = declaration["fields"] if declaration is not None else []
    known = [column_of(one, decimals=decimals) for one in fields]
    relations = relations_of(name.key, list(keys), service_id)
    if declaration is not None and not declaration["open"]:
        columns = known
        if not any(one.is_primary_key for one in columns):
            columns.insert(0, _id_column())
        return Table(name, tuple(columns), relations=relations, constraints=tuple(kept.constraints(name, columns)))
    documents = await database[name.name].find().limit(SAMPLE).to_list()
    names = {one.name for one in known} | {ID}
    sampled = [one for one in kept.sampled_columns(documents, _SAMPLED) if one.name not in names]
    return Table(name, (_id_column(), *known, *sampled), relations=relations, is_open=True)


def column_of(field: Mapping[str, Any], *, decimals: bool = True) -> Column:
    """Answer the column of a kept definition, on a server with decimals or without."""
    return kept.column_of(field, STORED_AS if decimals else _WITHOUT_DECIMALS)


def references(declarations: Iterable[Document]) -> list[ForeignKey]:
    """List the references that are declared."""
    return [found for one in declarations for found in kept.references(one["_id"], one["fields"])]


def _id_column() -> Column:
    return Column(
        ID,
        "string",
        "objectId",
        allow_null=False,
        auto_increment=True,
        is_primary_key=True,
        is_unique=True,
        is_open=True,
    )
