"""Relations that no foreign key tells of, also to tables of other services (database-api 11.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, get_args

from trunkline.call import truth
from trunkline.errors import BadRequest, Conflict, NotFound
from trunkline_database.definition import read_name
from trunkline_database.extras import Extra
from trunkline_database.model import Relation, RelationKind
from trunkline_database.remembered import lowered, relation_words

if TYPE_CHECKING:
    from trunkline_database.service import DatabaseService

_NO_NAME = "Invalid schema detected - no name element."
_KINDS = get_args(RelationKind)


def read_relation(
    service: DatabaseService,
    table: str,
    fields: Collection[str],
    known: Collection[Relation],
    given: Any,
    *,
    creating: bool = False,
) -> Extra:
    """Read a relation's JSON: words for a known one, or a virtual one in full.

    Raises BadRequest that says what is missing, Conflict when one that is to be created is there already (D15).
    """
    if not isinstance(given, Mapping):
        raise BadRequest(_NO_NAME)
    keys = lowered(given)
    nameless = not keys.get("name") and keys.get("is_virtual") is None and bool(keys.get("type"))
    if nameless:
        # Forms send neither the name, which follows from the rest, nor that it is virtual, as no other can be made.
        keys = {**keys, "is_virtual": True, "name": _name_of(service, _facts(service, fields, keys))}
    found = _known(known, keys.get("name"))
    if found is not None and not found.is_virtual:
        if creating:
            raise _is_there(found.name)
        return Extra("relation", table, found.name, relation_words(keys, found.name))
    if found is None and not truth(keys.get("is_virtual")):
        if keys.get("name"):
            raise NotFound(f"No requested relationships found in table '{table}'.")
        raise BadRequest(_NO_NAME)
    before = found.describe() if found is not None else {}
    facts = _facts(service, fields, {**before, **keys})
    name = found.name if found is not None else _name_of(service, facts)
    if creating and (found is not None or _known(known, name) is not None):
        raise _is_there(name)
    return Extra("relation", table, name, {**facts, "is_virtual": True, **relation_words(keys, name)})


def _known(known: Collection[Relation], name: Any) -> Relation | None:
    """Find a relation by its real name, else by its alias."""
    wanted = str(name).lower() if name else ""
    by_name = next((one for one in known if one.name.lower() == wanted), None)
    return by_name or next((one for one in known if one.key.lower() == wanted), None)


def _is_there(name: str) -> Conflict:
    return Conflict(f"A relationship with name '{name}' already exist in the table.")


def _facts(service: DatabaseService, fields: Collection[str], keys: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(keys.get("type") or "").lower()
    if kind not in _KINDS:
        raise BadRequest(f"Invalid schema detected - a relationship must be one of {', '.join(_KINDS)}.")
    field = _named(keys, "field")
    real = field if field in fields else next((one for one in fields if one.lower() == field.lower()), None)
    if real is None:
        raise BadRequest(f"Invalid schema detected - field '{field[:128]}' of a relationship is unknown.")
    facts: dict[str, Any] = {
        "type": kind,
        "field": real,
        "ref_service_id": _service(service, keys, "ref_service_id"),
        "ref_table": _named(keys, "ref_table"),
        "ref_field": _named(keys, "ref_field"),
    }
    if kind == "many_many":
        facts |= {"junction_service_id": _service(service, keys, "junction_service_id")}
        facts |= {name: _named(keys, name) for name in ("junction_table", "junction_field", "junction_ref_field")}
    return facts


def _named(keys: Mapping[str, Any], name: str) -> str:
    value = keys.get(name)
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    return read_name(value, f"Invalid schema detected - a relationship needs {name}.")


def _service(service: DatabaseService, keys: Mapping[str, Any], name: str) -> int:
    """Read the id of a service, this one's when there is none; raises BadRequest unless it is a database."""
    value = keys.get(name)
    if value in (None, ""):
        return service.record.id
    text = str(value).strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    record = service.app.directory.snapshot.services_by_id.get(number)
    if record is None or not is_database(service, record.type):
        raise BadRequest(f"Invalid schema detected - {name} of a relationship is not a database service.")
    return number


def is_database(service: DatabaseService, kind: str) -> bool:
    """Say whether services of a type have tables as this family knows them."""
    from trunkline_database.service import DatabaseService as Family

    found = service.app.registry.find(kind)
    return found is not None and issubclass(found, Family)


def _name_of(service: DatabaseService, facts: Mapping[str, Any]) -> str:
    """Generate the name as that of a foreign key's relation, with the service's before it when it is another one."""
    kind, table = facts["type"], facts["ref_table"]
    if facts["ref_service_id"] != service.record.id:
        table = f"{service.app.directory.snapshot.services_by_id[facts['ref_service_id']].name}.{table}"
    by = {"belongs_to": facts["field"], "many_many": facts.get("junction_table")}.get(kind, facts["ref_field"])
    return f"{table}_by_{by}"
