"""Working out what has to change in a table and in what is remembered of it, before anything does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from trunkline.errors import BadRequest
from trunkline_database import virtual_relations
from trunkline_database.definition import (
    ColumnDefinition,
    TableDefinition,
    is_virtual,
    read_column,
    read_name,
    read_table,
)
from trunkline_database.extras import Extra
from trunkline_database.model import Column, Table
from trunkline_database.remembered import REMEMBERED_TYPES, check_aliases, field_words, lowered, table_words
from trunkline_database.store import Store

if TYPE_CHECKING:
    from trunkline_database.service import DatabaseService

_NO_NAME = "Invalid schema detected - no name element."
_SAME = {"pk": "id", "fk": "reference"}


@dataclass(slots=True)
class Changes:
    """What is to be added, altered and dropped, and what to be remembered."""

    table: Table
    added: list[ColumnDefinition] = field(default_factory=list)
    altered: list[ColumnDefinition] = field(default_factory=list)
    dropped: list[Column] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)


def creation_of(service: DatabaseService, given: Any, name: str | None = None) -> tuple[TableDefinition, list[Extra]]:
    """Read a new table's JSON: what the database is to make, and what is to be remembered beside it."""
    definition = read_table(given, name)
    if not definition.columns and not service.store.bare_tables:
        raise BadRequest("No valid fields exist in the received table schema.")
    keys = lowered(given)
    names = [one.name for one in definition.columns]
    extras: list[Extra] = []
    for one in _listed(keys, "field", "fields"):
        known = read_name(lowered(one).get("name"), _NO_NAME)
        extras.append(Extra("field", definition.name, known, field_words(one, known, virtual=is_virtual(one))))
    every = [*names, *(one.name for one in extras if one.name not in names)]
    extras.append(Extra("table", definition.name, "", table_words(keys, definition.name, every)))
    for one in _listed(keys, "related"):
        extras.append(virtual_relations.read_relation(service, definition.name, names, (), one))
    # A field without words is checked, too: its name may be another one's alias.
    check_aliases((one.name, _alias(one)) for one in extras if one.kind != "table")
    _check_functions(service, extras)
    return definition, [one for one in extras if any(word is not None for word in (one.words or {}).values())]


def changes_of(service: DatabaseService, table: Table, given: Mapping[str, Any], *, exact: bool = False) -> Changes:
    """Compare a table with a client's JSON; with ``exact`` what the fields sent do not name is to be dropped."""
    keys = lowered(given)
    fields = _listed(keys, "field", "fields")
    changes = Changes(table)
    named: set[Column] = set()
    for described in fields:
        column = _field_changes(changes, described)
        if column is not None:
            named.add(column)
    if exact and fields:
        changes.dropped = [one for one in table.columns if one not in named and not one.is_primary_key]
    names: Collection[str] = [*table.by_real_name, *(one.name for one in changes.added)]
    if words := table_words(keys, table.name, [*names, *(one.name for one in changes.extras)]):
        changes.extras.append(Extra("table", table.name, "", words))
    names = table.by_real_name if table.is_open else names
    for described in _listed(keys, "related"):
        read = virtual_relations.read_relation(service, table.name, names, table.relations, described)
        changes.extras.append(read)
    check(service, changes)
    return changes


def check(service: DatabaseService, changes: Changes) -> None:
    """Refuse aliases that collide and functions that the engine has no SQL for."""
    found: dict[tuple[str, str], str | None] = {("field", one.name): one.alias for one in changes.table.columns}
    found |= {("field", one.name): None for one in changes.added}
    found |= {("relation", one.name): one.alias for one in changes.table.relations}
    for extra in changes.extras:
        if extra.kind != "table" and (extra.words is None or "alias" in extra.words):
            found[extra.kind, extra.name] = _alias(extra)
    check_aliases((name, alias) for (_, name), alias in found.items())
    _check_functions(service, changes.extras)


async def apply(store: Store, changes: Changes) -> None:
    """Make the changes; what might be refused comes first, what loses data last."""
    if changes.altered:
        await store.alter_columns(changes.table, changes.altered)
    if changes.added:
        await store.add_columns(changes.table, changes.added)
    for column in changes.dropped:
        if not column.is_virtual:
            await store.drop_column(changes.table, column)


def _field_changes(changes: Changes, given: Any) -> Column | None:
    """Add what one field's JSON asks for to the changes, and answer the column when there is one already."""
    if not isinstance(given, Mapping):
        raise BadRequest(_NO_NAME)
    table = changes.table
    name = str(lowered(given).get("name") or "")
    column = table.real_column(name)
    virtual = is_virtual(given) if column is None else column.is_virtual
    if column is None:
        if virtual:
            name = read_name(name, _NO_NAME)
        else:
            definition = read_column(given)
            name = definition.name
            if definition.type == "timestamp_on_create" and definition.allow_null:
                # The server fills it in, so no default is needed, which SQLite could not add to a table that is there.
                definition = replace(definition, type="timestamp")
            changes.added.append(definition)
    else:
        name = column.name
        if not virtual and is_virtual(given):
            raise BadRequest(f"Field '{name}' is stored in the database and can not become virtual.")
        # A known field without a type changes nothing in the database.
        if not virtual and _names_type(given):
            definition = read_column(given)
            # What nobody declared so far is declared by this, unless it is just sent back as it was shown.
            if _differs(column, definition) or (column.is_open and column not in table.columns):
                changes.altered.append(definition)
    words = dict(field_words(given, name, virtual=virtual))
    if column is not None and virtual and not _names_type(given):
        words.pop("type", None)
    if words:
        changes.extras.append(Extra("field", table.name, name, words))
    return column


def _names_type(given: Mapping[str, Any]) -> bool:
    return any(value for name, value in given.items() if str(name).lower() in ("type", "db_type"))


def _listed(keys: Mapping[str, Any], *names: str) -> list[Any]:
    """Answer the members of a list in the body, or its one member."""
    found: Any = next((keys[name] for name in names if keys.get(name)), [])
    return found if isinstance(found, list) else [found]


def _alias(extra: Extra) -> str | None:
    return (extra.words or {}).get("alias")


def _check_functions(service: DatabaseService, extras: list[Extra]) -> None:
    if "db_functions" not in service.lacks:
        return
    for one in extras:
        if (one.words or {}).get("db_function") or (one.kind == "field" and (one.words or {}).get("is_virtual")):
            raise BadRequest(f"Field '{one.name}' can not have functions in this kind of database.")


def _differs(column: Column, definition: ColumnDefinition) -> bool:
    kind = _SAME.get(definition.type, definition.type)
    own = column.own_type or column.type
    if kind in REMEMBERED_TYPES:
        return own not in REMEMBERED_TYPES[kind]
    if kind not in (own, column.db_type.lower()):
        return True
    if definition.null_given and definition.allow_null != column.allow_null and not column.is_primary_key:
        return True
    if isinstance(definition.default, str | int | float) and _plain(definition.default) != _plain(column.default):
        return True
    return definition.length is not None and definition.length != column.length


def _plain(default: Any) -> str:
    """Write a default so that it can be compared with what catalogues say of one."""
    return f"{default:g}" if isinstance(default, float) else str(default).lower()
