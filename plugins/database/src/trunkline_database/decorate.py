"""Tables as the database has them, with what is remembered beside it (database-api 13.7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from trunkline_database.extras import Extras, Words
from trunkline_database.model import Column, Relation, Table

_OF_TABLE = ("alias", "label", "plural", "description", "name_field")
_OF_FIELD = ("alias", "label", "description", "validation", "client_info", "is_aggregate")
_OF_RELATION = tuple(one.name for one in fields(Relation) if one.name != "name")


def decorated(table: Table, extras: Extras) -> Table:
    """Answer the table with all that is remembered of it; itself when that is nothing."""
    key = table.name.lower()
    of_table, of_fields = extras.tables.get(key), extras.fields.get(key)
    of_relations = extras.relations.get(key)
    if not (of_table or of_fields or of_relations):
        return table
    columns = tuple(_columns(table, of_fields or {}))
    relations = tuple(_relations(table, of_relations or {}))
    return replace(table, columns=columns, relations=relations, **_chosen(of_table or {}, _OF_TABLE))


def _columns(table: Table, known: Mapping[str, Words]) -> Iterator[Column]:
    for column in table.columns:
        words = known.get(column.name)
        yield column if words is None else _column(column, words)
    own = {one.name for one in table.columns}
    for name, words in known.items():
        if words.get("is_virtual") and name not in own:
            yield _column(Column(name, "string", ""), words, is_virtual=True)
        elif table.is_open and name not in own:
            yield _column(Column(name, "string", "", is_open=True), words)


def _column(column: Column, words: Words, **more: Any) -> Column:
    """Put the words on a column; a type that only we know keeps the database's own one beside it."""
    changed: dict[str, Any] = {**_chosen(words, _OF_FIELD), **more}
    if words.get("picklist") is not None:
        changed["picklist"] = tuple(words["picklist"])
    if words.get("db_function") is not None:
        changed["db_function"] = tuple(words["db_function"])
    if words.get("type"):
        changed |= {"type": words["type"], "own_type": column.type}
    return replace(column, **changed)


def _relations(table: Table, known: Mapping[str, Words]) -> Iterator[Relation]:
    own = {one.name for one in table.relations}
    for relation in table.relations:
        words = known.get(relation.name)
        # Where a foreign key was made later under the name of a virtual relation, its own facts count.
        plain = {} if words is None else {name: one for name, one in words.items() if name in _SHOWN}
        yield replace(relation, **plain) if plain else relation
    for name, words in known.items():
        if words.get("is_virtual") and name not in own:
            yield Relation(name=name, **_chosen(words, _OF_RELATION))


_SHOWN = frozenset({"alias", "label", "description", "always_fetch", "flatten", "flatten_drop_prefix"})


def _chosen(words: Words, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: words[name] for name in names if words.get(name) is not None}
