"""What tables look like: what DynamoDB knows of them, what was declared through ``_schema``, else what some items show.

DynamoDB declares nothing but keys. Declarations are items of a table of their own, so that every service on the account
knows the same ones; the numbers of records are given out there, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from trunkline import json
from trunkline.errors import BadRequest
from trunkline_aws_dynamodb.values import Item, attribute_type, read
from trunkline_database import types
from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.filters import Function
from trunkline_database.model import Column, Constraint, Table, TableName
from trunkline_database.relations import ForeignKey, relations_of

#: Where declarations are kept, and the next number of each table that numbers its records.
DECLARATIONS = "trunkline.tables"
# So many items are looked at to see what a table is like.
SAMPLE = 100
_MOST_FIELDS = 500
_NUMBERED = frozenset({"id", "pk", "bigid", "smallid", "mediumid"})
_KNOWN = (
    types.NUMBERS | types.DATETIMES | types.TIMES | _NUMBERED
    | {"fk", "date", "boolean", "binary", "string", "text", "uuid", "timeuuid", "json", "array"}
)  # fmt: skip
_SAME = {**dict.fromkeys(_NUMBERED, "id"), "fk": "reference"}
_OWN = {
    **dict.fromkeys(("timestamp_on_create", "timestamp_on_update"), "timestamp"),
    **dict.fromkeys(("user_id", "user_id_on_create", "user_id_on_update"), "integer"),
}
_OF_ATTRIBUTE = {"S": "string", "N": "decimal", "B": "binary"}
_SEEN: dict[type, tuple[str, str]] = {
    str: ("string", "S"), bool: ("boolean", "BOOL"), int: ("decimal", "N"), Decimal: ("decimal", "N"),
    bytes: ("binary", "B"), dict: ("json", "M"), list: ("array", "L"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index that brings whole items; ``is_local`` is one of the table's own partitions."""

    name: str
    hash: str
    range: str | None
    is_local: bool


@dataclass(frozen=True, eq=False)
class DynamoTable(Table):
    """A table with its keys."""

    hash: str = ""
    range: str | None = None
    indexes: tuple[Index, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the key's attributes."""
        return (self.hash,) if self.range is None else (self.hash, self.range)


# Declaring.


def checked(definition: TableDefinition) -> tuple[ColumnDefinition, ...]:
    """Answer the key columns of a new table; raises BadRequest for what DynamoDB cannot have."""
    name = definition.name
    if not 3 <= len(name) <= 255 or not all(one.isascii() and (one.isalnum() or one in "_.-") for one in name):
        raise BadRequest("The name of a table can have letters, digits, _, . and - here, from 3 to 255 of them.")
    if name == DECLARATIONS:
        raise BadRequest("This name is taken by the gateway itself.")
    check(definition.columns)
    keys = tuple(one for one in definition.columns if one.is_primary_key or one.type in _NUMBERED)
    if definition.columns and not 1 <= len(keys) <= 2:
        raise BadRequest(
            "A table needs a primary key here, of one field or two: one of the type id, or is_primary_key."
        )
    return keys or (ColumnDefinition("id", "string", is_primary_key=True),)


def check(columns: Sequence[ColumnDefinition]) -> None:
    """Refuse columns that cannot be declared."""
    names = [one.name.lower() for one in columns]
    for one in columns:
        if names.count(one.name.lower()) > 1:
            raise BadRequest(f"Field '{one.name}' is defined twice.")
        if _OWN.get(one.type, one.type) not in _KNOWN:
            raise BadRequest(f"Field '{one.name}' has the type '{one.type[:32]}', which is not known.")
        if one.type in ("reference", "fk") and not one.ref_table:
            raise BadRequest(f"Field '{one.name}' is a reference and needs ref_table.")
        if one.is_unique and not (one.is_primary_key or one.type in _NUMBERED):
            raise BadRequest("Unique fields are not possible in this kind of database.")


def field_of(definition: ColumnDefinition) -> dict[str, Any]:
    """Answer how a column's definition is kept."""
    found = {name: value for name, value in asdict(definition).items() if value not in (None, False)}
    found["type"] = _SAME.get(definition.type, definition.type)
    if isinstance(definition.default, Function):
        found["default"] = {"function": definition.default.name}
    elif definition.has_default:
        found["default"] = definition.default
    return found


def column_of(field: Mapping[str, Any], keys: Iterable[str]) -> Column:
    """Answer the column of a kept definition."""
    kind = str(_OWN.get(field["type"], field["type"]))
    is_key, is_numbered = field["name"] in keys, kind == "id" or bool(field.get("auto_increment"))
    default = field.get("default")
    scale = field.get("scale", 0 if kind == "decimal" and field.get("precision") is not None else None)
    return Column(
        name=field["name"],
        type=kind,
        db_type=attribute_type(kind),
        length=field.get("length"),
        precision=19 if kind == "money" else field.get("precision"),
        scale=4 if kind == "money" else scale,
        default=Function(default["function"]) if isinstance(default, dict) else default,
        allow_null=bool(field.get("allow_null")) and not is_key,
        auto_increment=is_numbered,
        is_primary_key=is_key,
        is_index=bool(field.get("is_index")),
        ref_table=field.get("ref_table"),
        ref_field=field.get("ref_field") or ("id" if field.get("ref_table") else None),
    )


def references(declarations: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[ForeignKey]:
    """List the references that are declared."""
    return [
        ForeignKey(table, field["name"], field["ref_table"], field.get("ref_field") or "id")
        for table, fields in sorted(declarations.items())
        for field in fields
        if field.get("ref_table")
    ]


def creation(name: str, keys: Sequence[ColumnDefinition], columns: Sequence[ColumnDefinition]) -> dict[str, Any]:
    """Answer the request that makes a table, with an index for each field that is to have one."""
    indexed = [one for one in columns if one.is_index and one not in keys]
    kinds = {one.name: attribute_type(_SAME.get(one.type, one.type)) for one in (*keys, *indexed)}
    request: dict[str, Any] = {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": one, "AttributeType": kind} for one, kind in kinds.items()],
        "KeySchema": [
            {"AttributeName": one.name, "KeyType": kind} for one, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }
    if indexed:
        request["GlobalSecondaryIndexes"] = [
            {
                "IndexName": _index_name(one.name),
                "KeySchema": [{"AttributeName": one.name, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
            for one in indexed
        ]
    return request


def _index_name(field: str) -> str:
    plain = "".join(one if one.isascii() and (one.isalnum() or one in "_.-") else "_" for one in field)
    return f"{plain[:240]}-index"


# Describing.


def described(
    name: TableName, found: Mapping[str, Any], fields: Sequence[Mapping[str, Any]] | None,
    sample: Sequence[Item], keys: Sequence[ForeignKey], service_id: int,
) -> DynamoTable:  # fmt: skip
    """Put together what is known of a table; without declared fields it takes items of any shape."""
    schema = {one["KeyType"]: str(one["AttributeName"]) for one in found["KeySchema"]}
    hash_, range_ = schema["HASH"], schema.get("RANGE")
    names = [hash_] if range_ is None else [hash_, range_]
    kinds = {one["AttributeName"]: one["AttributeType"] for one in found["AttributeDefinitions"]}
    if fields:
        columns = [column_of(one, names) for one in fields]
    else:
        columns = [
            Column(one, _OF_ATTRIBUTE[kinds[one]], kinds[one], allow_null=False, is_primary_key=True) for one in names
        ]
        columns += [one for one in _sampled(sample) if one.name not in names]
    columns.sort(key=lambda one: names.index(one.name) if one.name in names else len(names))
    return DynamoTable(
        name,
        tuple(columns),
        relations_of(name.key, keys, service_id),
        (Constraint.of(name, "PRIMARY KEY", names),),
        is_open=not fields,
        hash=hash_,
        range=range_,
        indexes=tuple(_indexes(found)),
    )


def _indexes(found: Mapping[str, Any]) -> Iterable[Index]:
    for kind in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        for one in found.get(kind) or ():
            if one["Projection"].get("ProjectionType") == "ALL" and one.get("IndexStatus", "ACTIVE") == "ACTIVE":
                schema = {part["KeyType"]: str(part["AttributeName"]) for part in one["KeySchema"]}
                yield Index(one["IndexName"], schema["HASH"], schema.get("RANGE"), kind.startswith("Local"))


def _sampled(items: Sequence[Item]) -> list[Column]:
    seen: dict[str, set[type]] = {}
    for item in items:
        for name, attribute in item.items():
            if name in seen or len(seen) < _MOST_FIELDS:
                kinds = seen.setdefault(name, set())
                if (value := read(attribute)) is not None:
                    kinds.add(type(value))
    return [_sampled_column(name, kinds) for name, kinds in seen.items()]


def _sampled_column(name: str, kinds: set[type]) -> Column:
    found = {_SEEN.get(one, ("string", "")) for one in kinds}
    kind, db_type = next(iter(found)) if len(found) == 1 else ("string", "")
    return Column(name, kind, db_type, is_open=True)


def declaration(fields: Sequence[Mapping[str, Any]]) -> str:
    """Write declared fields as they are kept."""
    return json.dumps(list(fields)).decode()
