"""Making and changing tables: simple types to CQL's, names checked or quoted (13.5, 13.6)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from trunkline.errors import BadRequest
from trunkline_cassandra.columns import comment_of, facts_in, facts_of
from trunkline_cassandra.kinds import SIMPLE, Kind, read
from trunkline_cassandra.statements import quoted
from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.model import Column, Table

NUMBERED = frozenset({"id", "pk", "bigid", "smallid", "mediumid"})
_CQL = {
    **dict.fromkeys(("id", "pk", "mediumid", "reference", "fk", "integer", "mediumint", "year"), "int"),
    **dict.fromkeys(("user_id", "user_id_on_create", "user_id_on_update"), "int"),
    **dict.fromkeys(("bigid", "bigint"), "bigint"), **dict.fromkeys(("smallid", "smallint"), "smallint"),
    "tinyint": "tinyint", "string": "text", "text": "text", "json": "text", "boolean": "boolean",
    "decimal": "decimal", "money": "decimal", "float": "float", "double": "double", "date": "date", "time": "time",
    **dict.fromkeys(("datetime", "datetimetz", "timestamp", "timestamptz"), "timestamp"),
    **dict.fromkeys(("timestamp_on_create", "timestamp_on_update"), "timestamp"),
    "binary": "blob", "uuid": "uuid", "timeuuid": "timeuuid", "array": "list<text>", "object": "map<text, text>",
}  # fmt: skip
_TABLE_NAME = re.compile(r"\w{1,48}", re.ASCII)


def is_numbered(columns: Iterable[ColumnDefinition]) -> bool:
    """Say whether rows are numbered."""
    return any(one.type in NUMBERED or one.auto_increment for one in columns)


def create_table(keyspace: str, definition: TableDefinition) -> list[str]:
    """Write what makes a table and its indexes; raises BadRequest for what Cassandra cannot have."""
    if not _TABLE_NAME.fullmatch(definition.name):
        raise BadRequest("The name of a table can have letters, digits and underscores here, 48 at most.")
    _check(definition.columns)
    keys = [one for one in definition.columns if one.is_primary_key or one.type in NUMBERED]
    if not keys:
        raise BadRequest("A table needs a primary key: a field of the type id, or one with is_primary_key.")
    columns = [f"{quoted(one.name)} {_declared(one)}" for one in definition.columns]
    key = ", ".join(quoted(one.name) for one in keys)
    facts = {one.name: facts_in(one) for one in definition.columns}
    name = f"{quoted(keyspace)}.{quoted(definition.name)}"
    comment = _text(comment_of("", facts))
    made = [f"CREATE TABLE {name} ({', '.join(columns)}, PRIMARY KEY ({key})) WITH comment = {comment}"]
    return made + [f"CREATE INDEX ON {name} ({quoted(one.name)})" for one in definition.columns if one.is_index]


def add_columns(keyspace: str, table: Table, columns: Sequence[ColumnDefinition], comment: str) -> list[str]:
    """Write what adds columns."""
    _check(columns)
    if key := next((one.name for one in columns if one.is_primary_key or one.type in NUMBERED), None):
        raise BadRequest(f"Field '{key}' can not become part of the key of a table that is there.")
    told, facts = facts_of(comment)
    facts = {**facts, **{one.name: facts_in(one) for one in columns}}
    name = f"{quoted(keyspace)}.{quoted(table.identity.name)}"
    added = ", ".join(f"{quoted(one.name)} {_declared(one)}" for one in columns)
    made = [f"ALTER TABLE {name} ADD {added}", f"ALTER TABLE {name} WITH comment = {_text(comment_of(told, facts))}"]
    return made + [f"CREATE INDEX ON {name} ({quoted(one.name)})" for one in columns if one.is_index]


def drop_column(keyspace: str, table: Table, column: Column, comment: str) -> list[str]:
    """Write what drops a column and what is remembered of it."""
    told, facts = facts_of(comment)
    name = f"{quoted(keyspace)}.{quoted(table.identity.name)}"
    made = [f"ALTER TABLE {name} DROP {quoted(column.name)}"]
    if column.name in facts:
        facts = {other: one for other, one in facts.items() if other != column.name}
        made.append(f"ALTER TABLE {name} WITH comment = {_text(comment_of(told, facts))}")
    return made


def drop_table(keyspace: str, table: Table) -> str:
    """Write what drops a table or view."""
    word = "MATERIALIZED VIEW" if table.is_view else "TABLE"
    return f"DROP {word} {quoted(keyspace)}.{quoted(table.identity.name)}"


def _check(columns: Sequence[ColumnDefinition]) -> None:
    names = [one.name for one in columns]
    for one in columns:
        if names.count(one.name) > 1:
            raise BadRequest(f"Field '{one.name}' is defined twice.")
        if one.type in ("reference", "fk") and not one.ref_table:
            raise BadRequest(f"Field '{one.name}' is a reference and needs ref_table.")
        if one.is_unique and not (one.is_primary_key or one.type in NUMBERED):
            raise BadRequest("Unique constraints are not currently supported for Cassandra.")
        if one.auto_increment and _CQL.get(one.type) not in ("int", "bigint", "smallint"):
            raise BadRequest(f"Field '{one.name}' can not be numbered: it is no whole number.")


def _declared(definition: ColumnDefinition) -> str:
    """Write the type of a column: CQL's for a simple type, else one of CQL's own, spelled anew from what was read."""
    known = _CQL.get(definition.type)
    if known is not None:
        return known
    kind = read(definition.type, {}) if len(definition.type) < 500 else Kind("custom")
    return _spelled(kind, definition.name)


def _spelled(kind: Kind, field: str) -> str:
    sizes: dict[str, Any] = {"list": 1, "set": 1, "map": 2, "tuple": len(kind.inner) or None, "vector": None}
    if kind.name not in SIMPLE or kind.name == "vector" or len(kind.inner) != sizes.get(kind.name, 0):
        raise BadRequest(f"The type of field '{field}' is not one that can be made here.")
    if not kind.inner:
        return kind.name
    text = f"{kind.name}<{', '.join(_spelled(one, field) for one in kind.inner)}>"
    return f"frozen<{text}>" if kind.frozen else text


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
