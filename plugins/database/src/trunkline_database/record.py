"""A record on its way in: known fields, typed and checked, apart from what is meant for related records (9.1, 9.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trunkline.errors import BadRequest
from trunkline_database import automatic, types, validation
from trunkline_database.filter_parser import parse_value
from trunkline_database.filters import Function
from trunkline_database.model import ON_CREATE, Column, Relation, Table
from trunkline_database.params import NO_RECORDS
from trunkline_database.plan import Target
from trunkline_database.store import Arithmetic

_ARITHMETIC = re.compile(r"\s*(\w{1,128})\s*([-+*/])\s*(\d{1,15}(?:\.\d{1,15})?)\s*", re.ASCII)


@dataclass(slots=True)
class Prepared:
    """The values of a record by real column name, and what it says about related records."""

    values: dict[str, Any] = field(default_factory=dict)
    nested: dict[Relation, Any] = field(default_factory=dict)
    # Whether the values are all that the record is to have beside its key.
    is_whole: bool = False


def prepare(target: Target, record: Any, *, creating: bool, keyless: bool = False) -> Prepared:
    """Check a record; raises BadRequest that names the field. Unknown keys are dropped, as recorded.

    With ``keyless`` it need not have the columns of the primary key.
    """
    if not isinstance(record, dict):
        raise BadRequest(NO_RECORDS)
    table, prepared = target.table, Prepared()
    values = prepared.values
    for name, value in _filled(target, record).items():
        if name.startswith("$") and (changed := target.service.store.operated(table, name, value)):
            if creating:
                raise BadRequest(f"The operator '{name[:32]}' can only change a record that is there.")
            values.update(changed)
            continue
        column = table.column(str(name))
        if column is not None and not (table.is_open and str(name).lower() in table.relations_by_name):
            if _is_settable(column, value):
                given = _value(target, column, value, creating)
                if given is not validation.IGNORED:
                    values[column.name] = given
        elif (relation := table.relations_by_name.get(str(name).lower())) is not None:
            prepared.nested[relation] = value
    if table.filled and _says_something(target, prepared, creating):
        prepared.values |= automatic.values(table, target.call.caller, creating=creating)
    if creating:
        _demand_required(table, prepared, keyless)
    return prepared


def _says_something(target: Target, prepared: Prepared, creating: bool) -> bool:
    """Say whether a record has more to it than its key, so that a change that changes nothing leaves no trace."""
    if creating:
        return bool(prepared.values or prepared.nested)
    names = {column.name for column in (*target.identity, *target.table.primary_key)}
    return not names.issuperset(prepared.values)


def _filled(target: Target, record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put look-ups into texts (database-api 9.1); nested records are filled when their turn comes."""
    for value in record.values():
        if type(value) is str and "{" in value:
            break
    else:
        return record
    lookups = target.service.app.lookups(target.call)
    return {name: lookups.fill(value) if isinstance(value, str) else value for name, value in record.items()}


def _is_settable(column: Column, value: Any) -> bool:
    """Say whether a value counts: none for what others fill in (12.2, 14.3), no NULL for a key that is numbered."""
    if column.is_generated or column.is_virtual or column.type in ON_CREATE:
        return False
    return not column.auto_increment or value not in (None, "")


def _value(target: Target, column: Column, value: Any, creating: bool) -> Any:
    if isinstance(value, dict) and set(value) == {"expression"} and not (column.is_open or column.type == "json"):
        value = _expression(target, str(value["expression"]), creating)
        return validation.checked(column.key, column.rules, value, creating=creating) if column.rules else value
    if column.rules and not (value is None and not column.allow_null):
        value = validation.checked(column.key, column.rules, value, creating=creating)
        if value is validation.IGNORED:
            return value
    return types.stored(column, value)


def _expression(target: Target, text: str, creating: bool) -> Function | Arithmetic:
    """Read an expression: an allowed function, or in changes ``column op number``. No SQL goes through (D28)."""
    found = parse_value(text)
    if isinstance(found, Function):
        return found
    arithmetic = _ARITHMETIC.fullmatch(text)
    column = target.table.column(arithmetic.group(1)) if arithmetic and not creating else None
    if arithmetic is None or column is None or column.type not in types.NUMBERS or target.covers(column):
        raise BadRequest(f"SQL expression '{text[:128]}' is not permitted.")
    number = float(arithmetic.group(3)) if "." in arithmetic.group(3) else int(arithmetic.group(3))
    return Arithmetic(column, arithmetic.group(2), number)  # type: ignore[arg-type]  # one of the four in the pattern


def _demand_required(table: Table, prepared: Prepared, keyless: bool) -> None:
    for column in table.required:
        if keyless and column.is_primary_key:
            continue
        if column.name not in prepared.values and column.name not in _columns_brought(prepared):
            raise BadRequest(
                f"Required field '{column.key}' can not be NULL.",
                context={"sqlstate": "23502", "field": column.key},
            )
    if not prepared.values and not prepared.nested:
        raise BadRequest("No valid fields were found in record.")


def _columns_brought(prepared: Prepared) -> Iterator[str]:
    """List the columns that new parents will bring values for."""
    for relation, value in prepared.nested.items():
        if relation.type == "belongs_to" and value is not None:
            yield relation.field
