"""Descriptions of tables to be made or changed, from a client's JSON (database-api 13.5 and 13.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trunkline.call import truth
from trunkline.errors import BadRequest
from trunkline_database.filter_parser import parse_value
from trunkline_database.filters import Function

_MOST_NAME = 128


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """A column to be made; ``type`` is a simple type or the engine's own word for one."""

    name: str
    type: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    default: Any = None
    has_default: bool = False
    allow_null: bool = False
    # Whether the client said so, or it is just the default.
    null_given: bool = False
    fixed_length: bool = False
    supports_multibyte: bool = False
    auto_increment: bool = False
    is_primary_key: bool = False
    is_unique: bool = False
    is_index: bool = False
    ref_table: str | None = None
    ref_field: str | None = None
    ref_on_update: str | None = None
    ref_on_delete: str | None = None


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table to be made or changed."""

    name: str
    columns: tuple[ColumnDefinition, ...]


def read_table(given: Any, name: str | None = None) -> TableDefinition:
    """Read a table's JSON; ``name`` is that of the path. Raises BadRequest that says what is missing.

    Fields that are computed are no part of what the database makes (14.3).
    """
    if not isinstance(given, Mapping):
        raise BadRequest("No data in schema create request.")
    keys = _lowered(given)
    named = name if name is not None else keys.get("name")
    fields = keys.get("field", keys.get("fields")) or []
    if not isinstance(fields, list):
        fields = [fields]
    return TableDefinition(
        read_name(named, "Table schema received does not have a valid name."),
        tuple(read_column(one) for one in fields if not is_virtual(one)),
    )


def read_column(given: Any, name: str | None = None) -> ColumnDefinition:
    """Read a field's JSON; raises BadRequest that names the field and what is wrong."""
    if not isinstance(given, Mapping):
        raise BadRequest("Invalid schema detected - no name element.")
    keys = _lowered(given)
    column = read_name(name if name is not None else keys.get("name"), "Invalid schema detected - no name element.")
    kind = keys.get("type") or keys.get("db_type")
    if not isinstance(kind, str) or not kind.strip():
        raise BadRequest(f"Invalid schema detected - no type or db_type element for field '{column}'.")
    kind = kind.strip()
    default, has_default = _default(keys.get("default"), column)
    return ColumnDefinition(
        name=column,
        type=kind.lower() if keys.get("type") else kind,
        length=_number(keys, column, "length", "size"),
        precision=_number(keys, column, "precision"),
        scale=_number(keys, column, "scale", "decimals"),
        default=default,
        has_default=has_default,
        allow_null=truth(keys.get("allow_null")),
        null_given=keys.get("allow_null") is not None,
        fixed_length=truth(keys.get("fixed_length")),
        supports_multibyte=truth(keys.get("supports_multibyte")),
        auto_increment=truth(keys.get("auto_increment")),
        is_primary_key=truth(keys.get("is_primary_key")),
        is_unique=truth(keys.get("is_unique")),
        is_index=truth(keys.get("is_index")),
        ref_table=_reference(keys.get("ref_table"), column),
        ref_field=_reference(keys.get("ref_field", keys.get("ref_fields")), column),
        ref_on_update=_rule(keys.get("ref_on_update"), column),
        ref_on_delete=_rule(keys.get("ref_on_delete"), column),
    )


def read_name(value: Any, message: str) -> str:
    """Check a name for a new thing; any characters but control ones, since the dialect quotes (checklist 1)."""
    if not isinstance(value, str) or not value.strip():
        raise BadRequest(message)
    name = value.strip()
    if len(name) > _MOST_NAME or any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise BadRequest(f"The name '{name[:32]}…' is too long or has control characters.")
    return name


def _lowered(given: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in given.items()}


def is_virtual(given: Any) -> bool:
    """Say whether a field is to be computed and not stored: it says so, or has the old form's type (14.3)."""
    if not isinstance(given, Mapping):
        return False
    keys = _lowered(given)
    says = truth(keys.get("is_virtual")) or truth(keys.get("is_aggregate"))
    return says or str(keys.get("type")).lower() == "virtual"


def _number(keys: Mapping[str, Any], column: str, *names: str) -> int | None:
    for name in names:
        value = keys.get(name)
        if value is None or value == "":
            continue
        text = str(value).strip()
        if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 10):
            raise BadRequest(f"Invalid schema detected - {name} of field '{column}' must be a whole number.")
        return int(text)
    return None


def _default(value: Any, column: str) -> tuple[Any, bool]:
    """Read a default: a scalar is always data, a function only if it is one of the allowed ones."""
    if value is None:
        return None, False
    if isinstance(value, Mapping):
        found = parse_value(str(value.get("expression", "")))
        if not isinstance(found, Function):
            raise BadRequest(f"The default of field '{column}' is not a permitted expression.")
        return found, True
    if isinstance(value, list):
        raise BadRequest(f"The default of field '{column}' must be a single value.")
    return value, True


def _reference(value: Any, column: str) -> str | None:
    if value in (None, "", []):
        return None
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    return read_name(value, f"Invalid schema detected - the reference of field '{column}' must be one name.")


def _rule(value: Any, column: str) -> str | None:
    """Read what happens when the referenced row changes; one of SQL's five rules."""
    if value in (None, ""):
        return None
    rule = " ".join(str(value).upper().split())
    if rule not in ("CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION"):
        raise BadRequest(f"Invalid schema detected - unknown reference rule '{rule[:32]}' of field '{column}'.")
    return rule
