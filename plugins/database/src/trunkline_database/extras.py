"""What the platform remembers of tables, fields and relations beside the database (database-api 13.7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGTEXT

from trunkline import json

Kind = Literal["table", "field", "relation"]
Words = Mapping[str, Any]

_NAME = "db_extra"
# How statements see the table; the metadata that makes it belongs to the kernel and comes with the hook.
_rows = sa.table(
    _NAME, *(sa.column(name) for name in ("id", "service_id", "kind", "table_name", "name", "data"))
)  # fmt: skip


def define(metadata: sa.MetaData) -> None:
    """Add the table to the metadata of the system database."""
    sa.Table(
        _NAME,
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("service_id", sa.Integer, sa.ForeignKey("service.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("table_name", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("data", sa.Text().with_variant(LONGTEXT(), "mysql"), nullable=False),
        sa.UniqueConstraint("service_id", "kind", "table_name", "name"),
        keep_existing=True,
    )


@dataclass(frozen=True, slots=True)
class Extra:
    """What is to be remembered of one thing: words that replace known ones, None for a word that is to be forgotten.

    Without ``words`` everything about it is to be forgotten. ``name`` is empty for a table.
    """

    kind: Kind
    table: str
    name: str
    words: Words | None


@dataclass(frozen=True, slots=True)
class Extras:
    """All that is remembered for one service, by real names; those of tables in lower case."""

    tables: Mapping[str, Words] = field(default_factory=dict)
    fields: Mapping[str, Mapping[str, Words]] = field(default_factory=dict)
    relations: Mapping[str, Mapping[str, Words]] = field(default_factory=dict)
    # Lower-case alias → lower-case real name.
    aliases: Mapping[str, str] = field(default_factory=dict)

    def real_name(self, name: str) -> str | None:
        """Answer the real name behind the one that records have; None where an alias hides it (database-api 3)."""
        key = name.lower()
        if (real := self.aliases.get(key)) is not None:
            return real
        return None if self.tables.get(key, {}).get("alias") else name

    def record_name(self, real: str) -> str:
        """Answer the name that records have: the alias of a table, or its real name."""
        return str(self.tables.get(real.lower(), {}).get("alias") or real)


def load(connection: sa.Connection, service_id: int) -> Extras:
    """Read what is remembered for a service."""
    query = sa.select(_rows.c.kind, _rows.c.table_name, _rows.c.name, _rows.c.data).order_by(_rows.c.id)
    found: dict[str, dict[str, dict[str, Words]]] = {"table": {}, "field": {}, "relation": {}}
    for kind, table, name, data in connection.execute(query.where(_rows.c.service_id == service_id)):
        found.setdefault(kind, {}).setdefault(table.lower(), {})[name] = json.loads(data)
    tables = {table: words[""] for table, words in found["table"].items()}
    aliases = {str(words["alias"]).lower(): table for table, words in tables.items() if words.get("alias")}
    return Extras(tables, found["field"], found["relation"], aliases)


def save(connection: sa.Connection, service_id: int, extras: Iterable[Extra]) -> None:
    """Remember and forget in the caller's transaction."""
    for one in extras:
        where = _of(service_id, one.table) & (_rows.c.kind == one.kind) & (_rows.c.name == one.name)
        known = connection.execute(sa.select(_rows.c.data).where(where)).scalar()
        words = {**(json.loads(known) if known else {}), **one.words} if one.words is not None else {}
        words = {name: value for name, value in words.items() if value is not None}
        if not words:
            connection.execute(sa.delete(_rows).where(where))
        elif known:
            connection.execute(sa.update(_rows).where(where).values(data=_text(words)))
        else:
            named = {"kind": one.kind, "table_name": one.table, "name": one.name}
            connection.execute(sa.insert(_rows).values(service_id=service_id, data=_text(words), **named))


def forget_table(connection: sa.Connection, service_id: int, table: str) -> None:
    """Forget a table that was dropped, and the virtual relations of others of this service that led there."""
    forget_own(connection, service_id, table)
    _forget_relations(connection, service_id, lambda words: _leads_to(words, service_id, table))


def forget_own(connection: sa.Connection, service_id: int, table: str) -> None:
    """Forget what is remembered of a table itself."""
    connection.execute(sa.delete(_rows).where(_of(service_id, table)))


def forget_fields(connection: sa.Connection, service_id: int, table: str, fields: Sequence[str]) -> None:
    """Forget fields that were dropped, and the virtual relations that began there."""
    if not fields:
        return
    for name in fields:
        where = _of(service_id, table) & (_rows.c.kind == "field") & (_rows.c.name == name)
        connection.execute(sa.delete(_rows).where(where))
    _forget_relations(
        connection, service_id, lambda words: bool(words.get("is_virtual")) and words["field"] in fields, table
    )


def _of(service_id: int, table: str) -> sa.ColumnElement[bool]:
    return sa.and_(_rows.c.service_id == service_id, _rows.c.table_name == table)


def _leads_to(words: Words, service_id: int, table: str) -> bool:
    ends = (("ref_service_id", "ref_table"), ("junction_service_id", "junction_table"))
    return bool(words.get("is_virtual")) and any(
        words.get(service) == service_id and str(words.get(name)).lower() == table.lower() for service, name in ends
    )


def _forget_relations(connection: sa.Connection, service_id: int, which: Any, table: str | None = None) -> None:
    query = sa.select(_rows.c.id, _rows.c.data).where(_rows.c.service_id == service_id, _rows.c.kind == "relation")
    if table is not None:
        query = query.where(_rows.c.table_name == table)
    gone = [row.id for row in connection.execute(query) if which(json.loads(row.data))]
    if gone:
        connection.execute(sa.delete(_rows).where(_rows.c.id.in_(gone)))


def _text(words: Words) -> str:
    return json.dumps(words).decode()
