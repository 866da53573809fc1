"""What records look like as JSON Schema: columns, tables, and the envelopes round them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline.describe import Schema, list_of, ref
from trunkline_database import types
from trunkline_database.model import ON_CREATE, Column, Relation, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from trunkline.response_filter import ResponseFilter

_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_NUMBERS = {"bigint": "int64", "bigid": "int64", "float": "float", "double": "double"}

# What is the same for every database.
META: Schema = {
    "type": "object",
    "properties": {
        "count": {"type": "integer", "description": "How many records match, on all pages."},
        "next": {"type": ["integer", "string"], "description": "Offset of the next page, or its cursor."},
        "previous": {"type": ["integer", "string"], "description": "Offset of the page before."},
        "schema": {"type": "object", "description": "The table, where `include_schema` asks for it."},
    },
}
RECORD: Schema = {"type": "object", "description": "The values by the names of the fields."}
_NAMED = {
    "name": {"type": "string"},
    "label": {"type": ["string", "null"]},
    "description": {"type": ["string", "null"]},
    "alias": {"type": ["string", "null"]},
}


def _flags(*names: str) -> dict[str, Any]:
    return {name: {"type": "boolean"} for name in names}


def _texts(*names: str) -> dict[str, Any]:
    return {name: {"type": ["string", "null"]} for name in names}


def _numbers(*names: str) -> dict[str, Any]:
    return {name: {"type": ["integer", "null"]} for name in names}


FIELD: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        **_NAMED,
        "type": {"type": "string", "description": "The simple type: id, string, integer, decimal, boolean, date …"},
        **_texts("db_type", "ref_table", "ref_field", "ref_on_update", "ref_on_delete"),
        **_numbers("length", "precision", "scale"),
        "default": {},
        **_flags(
            "required", "allow_null", "fixed_length", "supports_multibyte", "auto_increment", "is_primary_key",
            "is_unique", "is_index", "is_foreign_key", "is_virtual", "is_aggregate",
        ),
        "picklist": {"type": ["array", "null"], "items": {"type": "string"}},
        "validation": {},
        "db_function": {"type": ["array", "null"], "items": {"type": "object"}},
    },
}  # fmt: skip
RELATION: Schema = {
    "type": "object",
    "properties": {
        **_NAMED,
        "type": {"type": "string", "enum": ["belongs_to", "has_many", "has_one", "many_many"]},
        "field": {"type": "string"},
        **_flags("is_virtual", "always_fetch", "flatten", "flatten_drop_prefix"),
        **_numbers("ref_service_id", "junction_service_id"),
        **_texts("ref_table", "ref_field", "junction_table", "junction_field", "junction_ref_field"),
    },
}
TABLE: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        **_NAMED,
        "plural": {"type": ["string", "null"]},
        "is_view": {"type": "boolean"},
        "primary_key": {"type": "array", "items": {"type": "string"}},
        "name_field": {"type": ["string", "null"]},
        "field": {"type": "array", "items": ref("TableField")},
        "related": {"type": "array", "items": ref("TableRelation")},
        "constraints": {"type": "object", "additionalProperties": {"type": "object"}},
        "access": {"type": ["integer", "array"], "items": {"type": "string"}},
    },
}
ROUTINE: Schema = {
    "type": "object",
    "required": ["name"],
    "properties": {
        **_NAMED,
        "return_type": {"type": ["string", "null"]},
        "return_schema": {"type": "array", "items": {"type": "object"}},
        "params": {"type": "array", "items": {"type": "object"}},
        "access": {"type": ["integer", "array"], "items": {"type": "string"}},
    },
}
_LISTED: Schema = {"anyOf": [ref("Table"), {"type": "object"}, {"type": "string"}]}
COMMON: dict[str, Schema] = {
    "Meta": META,
    "Record": RECORD,
    "RecordList": {
        "type": "object",
        "required": ["resource"],
        "properties": {"resource": {"type": "array", "items": ref("Record")}, "meta": ref("Meta")},
    },
    "ValueList": {**list_of(_SCALAR), "description": "One value a record, as `as_list` asks for."},
    "NumberedList": {
        "type": "object",
        "description": "Records by number beside `meta`, where `wrap=false` takes the wrapper away.",
        "required": ["meta"],
        "properties": {"meta": ref("Meta")},
        "additionalProperties": {"type": ["object", "string", "number", "boolean", "null"]},
    },
    "Table": TABLE,
    "TableField": FIELD,
    "TableRelation": RELATION,
    "TableList": list_of(_LISTED),
    "FieldList": list_of(ref("TableField")),
    "RelationList": list_of(ref("TableRelation")),
    "Routine": ROUTINE,
    "RoutineList": list_of({"anyOf": [ref("Routine"), {"type": "object"}, {"type": "string"}]}),
}


def camel(name: str) -> str:
    """Make one word of a name: ``book_genre`` → ``BookGenre``; other signs but letters and digits go."""
    words = "".join(letter if letter.isalnum() and letter.isascii() else " " for letter in name).split()
    return "".join(word[:1].upper() + word[1:] for word in words)


def schema_of(column: Column) -> dict[str, Any]:
    """Describe the values of a column as they come out, NULL apart (database-api 12.1)."""
    kind = column.type
    if kind in types.INTEGERS:
        found: dict[str, Any] = {"type": "integer"}
    elif kind == "money":
        found = {"type": ["number", "string"]}
    elif kind in types.DECIMALS | types.FLOATS:
        found = {"type": "number"}
    elif kind == "boolean":
        found = {"type": "boolean"}
    elif kind in ("json", "array"):
        return {}
    elif kind == "binary":
        found = {"type": "string", "contentEncoding": "base64"}
    else:
        found = {"type": "string"}
        if kind in ("date", "uuid"):
            found["format"] = kind
        if column.length and kind == "string":
            found["maxLength"] = column.length
    if kind in _NUMBERS:
        found["format"] = _NUMBERS[kind]
    return found


def nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """Let a schema take null too."""
    kinds = schema.get("type")
    if kinds is None:
        return schema
    found = {**schema, "type": [*(kinds if isinstance(kinds, list) else [kinds]), "null"]}
    return {**found, "enum": [*schema["enum"], None]} if "enum" in schema else found


class TableSchemas:
    """The schemas of one table for one caller: what comes out, what goes into a new record, what into a change."""

    def __init__(
        self, table: Table, name: str, found: ResponseFilter | None, related: Callable[[Relation], Any]
    ) -> None:
        """Take what the role leaves out; ``related`` describes what a relation leads to, None leaves that out."""
        self.table = table
        self.name = name
        self._filter = found
        self._related = related

    def all(self) -> dict[str, Schema]:
        """Answer the schemas by their names."""
        return {
            self.name: self._record(),
            f"{self.name}List": {
                "type": "object",
                "required": ["resource"],
                "properties": {"resource": {"type": "array", "items": ref(self.name)}, "meta": ref("Meta")},
            },
            f"{self.name}Input": self._input(creating=True),
            f"{self.name}Change": self._input(creating=False),
        }

    def identifier(self) -> Schema:
        """Describe what stands for a record in paths."""
        key = self.table.primary_key
        alone = len(key) == 1 and key[0].type in types.INTEGERS and not self._hides(key[0])
        return {"type": "integer"} if alone else {"type": "string"}

    def leads(self, relation: Relation) -> bool:
        """Say whether the caller may follow a relation."""
        return self._related(relation) is not None

    def _hides(self, column: Column) -> bool:
        """Say whether a role leaves a column out, by either of its names (D33)."""
        found = self._filter
        if found is None:
            return False
        names = {column.key, column.name}
        return all(map(found.hides, names)) if found.allowed is not None else any(map(found.hides, names))

    def _record(self) -> Schema:
        properties: dict[str, Any] = {}
        for column in self.table.columns:
            if not self._hides(column):
                properties[column.key] = self._out(column)
        for relation in self.table.relations:
            if (other := self._related(relation)) is not None:
                words = f"The related records of `{relation.ref_table}`, where `related` asks for them."
                one = {"anyOf": [other, {"type": "null"}]}
                properties[relation.key] = {
                    **(one if relation.is_single else {"type": "array", "items": other}),
                    "description": words,
                }
        return {"type": "object", "description": self._words(), "properties": properties}

    def _words(self) -> str:
        kind = "view" if self.table.is_view else "table"
        return self.table.description or f"A record of the {kind} `{self.table.name}`."

    def _out(self, column: Column) -> dict[str, Any]:
        found = self._filter
        mask = (found.mask_of(column.key) or found.mask_of(column.name)) if found is not None else None
        if mask is not None:
            kinds = "null" if mask == "null" else ["string", "null"]
            return {"type": kinds, "description": f"Masked ({mask})."}
        schema = schema_of(column)
        if column.allow_null or column.is_virtual:
            schema = nullable(schema)
        return {**schema, **_told(column)}

    def _input(self, *, creating: bool) -> Schema:
        properties: dict[str, Any] = {}
        required = []
        for column in self.table.columns:
            if column.is_generated or column.is_virtual or column.type in ON_CREATE:
                continue
            if self._hides(column) and not column.required:
                continue
            schema = schema_of(column)
            if column.picklist:
                schema["enum"] = list(column.picklist)
            if column.allow_null or (column.auto_increment and creating):
                schema = nullable(schema)
            properties[column.key] = {**schema, **_told(column)}
            if creating and column.required:
                required.append(column.key)
        for relation in self.table.relations:
            if self._related(relation) is not None:
                kinds = ["object", "null"] if relation.is_single else ["array", "null"]
                properties[relation.key] = {
                    "type": kinds, "description": f"Records of `{relation.ref_table}` to write with this one.",
                    **({} if relation.is_single else {"items": {"type": "object"}}),
                }  # fmt: skip
        return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _told(column: Column) -> dict[str, Any]:
    """Say of a column what a schema has no word for."""
    words = [column.description or ""]
    if column.is_primary_key:
        words.append("Primary key.")
    if column.ref_table:
        words.append(f"Refers to `{column.ref_table}.{column.ref_field}`.")
    if column.db_type:
        words.append(f"Type in the database: `{column.db_type}`.")
    told: dict[str, Any] = {"description": " ".join(filter(None, words))}
    if column.is_generated or column.is_virtual or column.type in ON_CREATE:
        told["readOnly"] = True
    return told
