"""What tables look like where the engine does not say it: as declared through ``_schema``, else as some records show.

An engine without a schema keeps a declaration for each table: ``open`` says whether records may have other fields too,
``fields`` are the columns' definitions, ``next`` is the next number where records are numbered.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.definition import ColumnDefinition
from trunkline_database.filters import Function
from trunkline_database.model import Column, Constraint, Table, TableName
from trunkline_database.relations import ForeignKey
from trunkline_database.store import Arithmetic

Field = dict[str, Any]
_MOST_FIELDS = 500
_KEYS = frozenset({"id", "pk"})
# Types that are remembered beside the database → what it has of them.
_OWN = {
    **dict.fromkeys(("timestamp_on_create", "timestamp_on_update"), "timestamp"),
    **dict.fromkeys(("user_id", "user_id_on_create", "user_id_on_update"), "integer"),
    "pk": "id",
}
_COMPUTE: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}  # fmt: skip


def check(columns: Sequence[ColumnDefinition], known: Mapping[str, str], reserved: tuple[str, ...] = ("$",)) -> None:
    """Refuse columns that cannot be declared: ``known`` are the types, ``reserved`` is how no name begins."""
    names = [one.name.lower() for one in columns]
    for one in columns:
        if names.count(one.name.lower()) > 1:
            raise BadRequest(f"Field '{one.name}' is defined twice.")
        if one.name.startswith(reserved) or "." in one.name:
            raise BadRequest(f"A field can not be called '{one.name[:128]}'.")
        if _OWN.get(one.type, one.type) not in known:
            raise BadRequest(f"Field '{one.name}' has the type '{one.type[:32]}', which is not known.")
        if one.type == "reference" and not one.ref_table:
            raise BadRequest(f"Field '{one.name}' is a reference and needs ref_table.")


def stored_field(definition: ColumnDefinition) -> Field:
    """Answer how a column's definition is kept."""
    found = {name: value for name, value in asdict(definition).items() if value not in (None, False)}
    if isinstance(definition.default, Function):
        found["default"] = {"function": definition.default.name}
    elif definition.has_default:
        found["default"] = definition.default
    return found


def altered_field(old: Field, definition: ColumnDefinition) -> Field:
    """Answer a kept definition with what a new one changes: type, default and whether there may be no value."""
    new = stored_field(definition)
    kept = {name: value for name, value in old.items() if name not in ("type", "length", "precision", "scale")}
    if not definition.has_default:
        new.pop("default", None)
    if definition.null_given:
        kept.pop("allow_null", None)
    else:
        new.pop("allow_null", None)
    keys = {"is_primary_key", "is_unique", "is_index", "auto_increment", "ref_table", "ref_field"}
    return {**kept, **{name: value for name, value in new.items() if name not in keys}}


def altered_fields(fields: Sequence[Field], columns: Sequence[ColumnDefinition]) -> list[Field]:
    """Answer kept definitions with new ones in their places, and those that are new at the end."""
    named, known = {one.name: one for one in columns}, {one["name"] for one in fields}
    kept = [altered_field(one, named[one["name"]]) if one["name"] in named else one for one in fields]
    return [*kept, *(stored_field(one) for one in columns if one.name not in known)]


def default_of(field: Mapping[str, Any]) -> Any:
    """Answer the default of a kept definition."""
    value = field.get("default")
    return Function(value["function"]) if isinstance(value, dict) else value


def defaults(fields: Iterable[Field]) -> dict[str, Any]:
    """List the defaults of declared fields, by name."""
    return {one["name"]: default_of(one) for one in fields if one.get("default") is not None}


def column_of(field: Mapping[str, Any], stored_as: Mapping[str, str]) -> Column:
    """Answer the column of a kept definition; ``stored_as`` says as what the engine has a type."""
    kind = _OWN.get(field["type"], field["type"])
    key = bool(field.get("is_primary_key")) or kind in _KEYS
    default = default_of(field)
    return Column(
        name=field["name"],
        type=kind,
        db_type=stored_as[kind],
        length=field.get("length"),
        precision=field.get("precision"),
        scale=field.get("scale"),
        default=f"{default.name}()" if isinstance(default, Function) else default,
        allow_null=bool(field.get("allow_null")) and not key,
        fixed_length=bool(field.get("fixed_length")),
        supports_multibyte=bool(field.get("supports_multibyte")),
        auto_increment=kind in _KEYS or bool(field.get("auto_increment")),
        is_primary_key=key,
        is_unique=bool(field.get("is_unique")) or key,
        is_index=bool(field.get("is_index")),
        ref_table=field.get("ref_table"),
        ref_field=field.get("ref_field") or ("id" if field.get("ref_table") else None),
    )


def references(table: str, fields: Iterable[Field]) -> list[ForeignKey]:
    """List the references that a table declares."""
    return [
        ForeignKey(table, one["name"], one["ref_table"], one.get("ref_field") or "id")
        for one in fields
        if one.get("ref_table")
    ]


def sampled_columns(documents: Sequence[Mapping[str, Any]], kinds: Mapping[type, tuple[str, str]]) -> list[Column]:
    """List the fields that documents have at the top, in the order in which they appear, with what they hold.

    ``kinds`` says what a Python type is: a simple type and the engine's own word.
    """
    seen: dict[str, set[type]] = {}
    for document in documents:
        for name, value in document.items():
            found = seen.setdefault(name, set()) if name in seen or len(seen) < _MOST_FIELDS else set()
            if value is not None:
                found.add(type(value))
    return [_sampled(name, {kinds.get(one, ("string", "")) for one in found}) for name, found in seen.items()]


def _sampled(name: str, kinds: set[tuple[str, str]]) -> Column:
    """Describe a field by the kinds of its values; of several it is no one."""
    if len(kinds) > 1 and {kind for kind, _ in kinds} <= {"integer", "bigint"}:
        kinds = {one for one in kinds if one[0] == "bigint"}
    kind, db_type = next(iter(kinds)) if len(kinds) == 1 else ("string", "mixed" if kinds else "null")
    return Column(name, kind, db_type, is_open=True)


def constraints(name: TableName, columns: Sequence[Column]) -> list[Constraint]:
    """List the constraints that declared columns make."""
    key = [one.name for one in columns if one.is_primary_key]
    found = [Constraint.of(name, "PRIMARY KEY", key)] if key else []
    unique = [one for one in columns if one.is_unique and one.name not in key]
    return [*found, *(Constraint.of(name, "UNIQUE", [one.name]) for one in unique)]


def numbered(table: Table) -> Column | None:
    """Answer the column whose values the store counts itself."""
    return next((one for one in table.columns if one.auto_increment and not one.is_open), None)


def computed(table: Table, values: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Answer changes with the values that expressions have for one record; raises BadRequest."""
    found = dict(values)
    for name, value in values.items():
        if isinstance(value, Arithmetic):
            old = record.get(value.column.name)
            found[name] = None if old is None else _result(table.by_real_name[name], _number(value.column, old), value)
    return found


def _number(column: Column, value: Any) -> Decimal:
    if column.type in types.NUMBERS and isinstance(value, str):
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise BadRequest(f"Field '{column.key}' is no number.")
    return Decimal(str(value))


def _result(column: Column, old: Decimal, value: Arithmetic) -> Any:
    number = Decimal(str(value.number))
    if value.operator == "/" and not number:
        raise BadRequest("A number can not be divided by zero.")
    result = _COMPUTE[value.operator](old, number)
    if column.type in types.INTEGERS:
        return int(result)
    return types.stored(column, result if column.type in types.DECIMALS else float(result))
