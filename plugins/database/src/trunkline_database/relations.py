"""From foreign keys to relations, named as clients know them (database-api 11.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from trunkline_database.model import Relation


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key of one column; tables by their public names. ``unique`` says that the column holds a value once."""

    table: str
    column: str
    ref_table: str
    ref_column: str
    on_update: str = "NO ACTION"
    on_delete: str = "NO ACTION"
    unique: bool = False


def relations_of(table: str, keys: Sequence[ForeignKey], service_id: int) -> tuple[Relation, ...]:
    """List the relations of a table: to those that it refers to, then through those that refer to it."""
    found: dict[str, Relation] = {}
    for relation in (*_outwards(table, keys, service_id), *_inwards(table, keys, service_id)):
        # A table that refers to itself has both directions under one name, so the second one is told apart.
        name = relation.name if relation.name.lower() not in found else f"{relation.name}_many"
        found.setdefault(name.lower(), replace(relation, name=name))
    return tuple(found.values())


def _outwards(table: str, keys: Sequence[ForeignKey], service_id: int) -> Iterator[Relation]:
    for key in keys:
        if key.table == table:
            yield Relation(
                name=f"{key.ref_table}_by_{key.column}",
                type="belongs_to",
                field=key.column,
                ref_service_id=service_id,
                ref_table=key.ref_table,
                ref_field=key.ref_column,
                ref_on_update=key.on_update,
                ref_on_delete=key.on_delete,
            )


def _inwards(table: str, keys: Sequence[ForeignKey], service_id: int) -> Iterator[Relation]:
    for key in sorted((one for one in keys if one.ref_table == table), key=lambda one: (one.table, one.column)):
        yield from _through(key, keys, service_id)
        yield Relation(
            name=f"{key.table}_by_{key.column}",
            type="has_one" if key.unique else "has_many",
            field=key.ref_column,
            ref_service_id=service_id,
            ref_table=key.table,
            ref_field=key.column,
            ref_on_update=key.on_update,
            ref_on_delete=key.on_delete,
        )


def _through(key: ForeignKey, keys: Sequence[ForeignKey], service_id: int) -> Iterator[Relation]:
    """Take a table that refers here and also elsewhere for a junction between the two."""
    for other in keys:
        if other.table == key.table and other.column != key.column and other.ref_table != key.ref_table:
            yield Relation(
                name=f"{other.ref_table}_by_{key.table}",
                type="many_many",
                field=key.ref_column,
                ref_service_id=service_id,
                ref_table=other.ref_table,
                ref_field=other.ref_column,
                ref_on_update=other.on_update,
                ref_on_delete=other.on_delete,
                junction_service_id=service_id,
                junction_table=key.table,
                junction_field=key.column,
                junction_ref_field=other.column,
            )
