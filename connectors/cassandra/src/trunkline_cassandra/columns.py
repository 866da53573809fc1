"""Columns as Cassandra has them, and what is remembered of them in the comment of their table.

CQL declares neither that a column must have a value, nor a default, nor how long a text may be, nor that rows are
numbered, nor that a column refers to another table. What ``_schema`` was told of such things stands as JSON in the
table's comment, so that it is made with the table in one statement and goes where the table goes. A comment that
somebody else wrote is kept beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from trunkline import json
from trunkline.errors import BadRequest
from trunkline_cassandra.kinds import Kind
from trunkline_database.definition import ColumnDefinition
from trunkline_database.filters import Function
from trunkline_database.model import Column
from trunkline_database.relations import ForeignKey

Role = Literal["partition_key", "clustering", "static", "regular"]
Facts = Mapping[str, Mapping[str, Any]]
_MARK = "trunkline"
# Types with words of their own for the same CQL.
_SHORT = frozenset({"datetime", "time"})
_NAMED = frozenset({"reference", "id", "datetime", "money"})


@dataclass(frozen=True, eq=False)
class CqlColumn(Column):
    """A column with what CQL knows of it."""

    kind: Kind = Kind("text")  # noqa: RUF009 - it is immutable
    role: Role = "regular"
    position: int = 0
    is_descending: bool = False
    # Whether it was declared by a word for which values have no more digits than they need.
    is_short: bool = False


def facts_of(comment: str) -> tuple[str, Facts]:
    """Read a comment: what people are told by it, and what it remembers of columns."""
    try:
        found = json.loads(comment) if comment.startswith("{") else None
    except BadRequest:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get(_MARK), dict):
        return comment, {}
    facts = {name: one for name, one in found[_MARK].items() if isinstance(one, dict)}
    return str(found.get("comment") or ""), facts


def references(table: str, comment: str) -> list[ForeignKey]:
    """List the references that the comment of a table remembers."""
    _, facts = facts_of(comment)
    return [
        ForeignKey(table, name, str(one["ref_table"]), str(one["ref_field"]))
        for name, one in facts.items()
        if one.get("ref_table") and one.get("ref_field")
    ]


def comment_of(told: str, facts: Facts) -> str:
    """Write a comment."""
    if not facts:
        return told
    return json.dumps({**({"comment": told} if told else {}), _MARK: facts}).decode()


def facts_in(definition: ColumnDefinition) -> dict[str, Any]:
    """Answer what is to be remembered of a new column."""
    facts: dict[str, Any] = {}
    kind = {"pk": "id", "bigid": "id", "smallid": "id", "mediumid": "id", "fk": "reference"}.get(
        definition.type, definition.type
    )
    if kind in _NAMED:
        facts["type"] = kind
    if kind in _SHORT:
        facts["short"] = True
    if kind == "id" or definition.auto_increment:
        facts["numbered"] = True
    facts |= {
        name: value for name in ("length", "precision", "scale") if (value := getattr(definition, name)) is not None
    }
    if kind == "decimal" and definition.precision is not None:
        facts.setdefault("scale", 0)
    if kind == "money":
        facts |= {"precision": 19, "scale": 4}
    if definition.ref_table:
        facts["ref_table"], facts["ref_field"] = definition.ref_table, definition.ref_field or "id"
    if not (definition.allow_null or definition.is_primary_key or kind == "id"):
        facts["required"] = True
    if definition.has_default and definition.default is not None:
        if isinstance(definition.default, Function):
            facts["function"] = definition.default.name
        else:
            facts["default"] = definition.default
    return facts


def column_of(name: str, kind: Kind, declared: str, facts: Mapping[str, Any], **more: Any) -> CqlColumn:
    """Put together what CQL and the comment know of a column; ``more`` is its place in the table."""
    is_key = more["role"] in ("partition_key", "clustering")
    default: Any = facts.get("default")
    if "function" in facts:
        default = Function(facts["function"])
    return CqlColumn(
        name=name,
        type=str(facts.get("type") or kind.simple),
        db_type=declared,
        kind=kind,
        length=facts.get("length"),
        precision=facts.get("precision"),
        scale=0 if kind.name == "varint" else facts.get("scale"),
        default=default,
        allow_null=not (is_key or facts.get("required")),
        auto_increment=bool(facts.get("numbered")),
        is_primary_key=is_key,
        is_short=bool(facts.get("short")),
        ref_table=facts.get("ref_table"),
        ref_field=facts.get("ref_field"),
        **more,
    )
