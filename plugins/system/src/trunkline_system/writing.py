"""Writing stored records with their children, in one transaction (system-api 5.5)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from trunkline.errors import BadRequest, NotFound, NotSupported
from trunkline_system.fields import invalid, words
from trunkline_system.model import Model, Relation, Row, Work
from trunkline_system.reading import key_of


def read_one(work: Work, model: type[Model], key: Any) -> Row:
    """Read a record by its key; raises NotFound."""
    query = sa.select(model.table).where(model.table.c[model.key] == key)
    if (scope := model.scope(work.call)) is not None:
        query = query.where(scope)
    row = work.connection.execute(query).mappings().first()
    if row is None:
        raise NotFound(f"Record with identifier '{key}' not found.")
    return row


def create(work: Work, model: type[Model], given: dict[str, Any], **fixed: Any) -> Row:
    """Create a record and its children; ``fixed`` are columns that the client has no say in."""
    values = model.stamp(work, model.values(work, {**given, **_shown_keys(model, fixed)}, None), created=True)
    with _told(model):
        key = work.connection.execute(sa.insert(model.table).values({**values, **fixed})).inserted_primary_key
    if key is None:
        raise BadRequest("The record could not be created.")
    row = _stored(work, model, key._mapping)
    for name, relation in model.relations.items():
        if given.get(name) and relation.kind != "computed":
            if relation.kind not in ("has_many", "has_one"):
                told = f'Creating related record of relation type "{relation.kind}" is not supported.'
                raise NotSupported(told)
            _write_children(work, name, relation, row[model.key], given[name])
    model.after_write(work, row)
    return row


def _shown_keys(model: type[Model], fixed: dict[str, Any]) -> dict[str, Any]:
    """Let rules see the fixed columns, unless they are hidden."""
    return {name: value for name, value in fixed.items() if name not in model.hidden}


def update(work: Work, model: type[Model], row: Row, given: dict[str, Any]) -> Row:
    """Update a record; fields that are not sent stay, as do children that are not mentioned. PUT is the same."""
    if not given:
        raise BadRequest("There are no fields in the record to update.")
    values = model.values(work, given, row)
    if values:
        changed = model.stamp(work, values, created=False)
        change = sa.update(model.table).where(_same(model, row)).values(changed)
        with _told(model):
            work.connection.execute(change)
    for name, relation in model.relations.items():
        if name in given and relation.kind in ("has_many", "has_one"):
            _write_children(work, name, relation, row[model.key], given[name])
    fresh = _stored(work, model, row)
    model.after_write(work, fresh)
    return fresh


def delete(work: Work, model: type[Model], row: Row) -> None:
    """Delete a record; its children go with it."""
    model.before_delete(work, row)
    work.connection.execute(sa.delete(model.table).where(_same(model, row)))


@contextlib.contextmanager
def _told(model: type[Model]) -> Iterator[None]:
    """Say what is wrong with a record that only the database refuses, as another node was faster (D17)."""
    try:
        yield
    except sa.exc.IntegrityError as error:
        said, table = str(error.orig), model.table
        for column in table.columns:
            # Servers name the constraint, SQLite the column.
            if column.unique and (f"uq_{table.name}_{column.name}" in said or f"{table.name}.{column.name}" in said):
                raise invalid(column.name, f"The {words(column.name)} has already been taken.") from error
        raise BadRequest("The record collides with another one, or refers to one that is not there.") from error


def _stored(work: Work, model: type[Model], row: Row) -> Row:
    return work.connection.execute(sa.select(model.table).where(_same(model, row))).mappings().one()


def _same(model: type[Model], row: Row) -> sa.ColumnElement[bool]:
    """Find a row again by its primary key: what clients call the key may be unique only for one owner."""
    return sa.and_(*(column == row[column.name] for column in model.table.primary_key))


def _write_children(work: Work, name: str, relation: Relation, parent: Any, given: Any) -> None:
    child = relation.model()
    if relation.kind == "has_one":
        _write_only_child(work, child, relation, parent, given)
        return
    if given is None:
        return
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise BadRequest(f"Bad data supplied for {name}. Related data must be supplied as array.")
    for one in given:
        _write_child(work, child, relation.field, parent, one)


def _write_child(work: Work, child: type[Model], field: str, parent: Any, given: dict[str, Any]) -> None:
    """Create, update, move away or delete one child of a has-many relation."""
    stored = _child_row(work, child, field, parent, given)
    rest = {name: value for name, value in given.items() if name != field and name not in child.owners}
    if stored is None:
        work.demand("POST", child)
        create(work, child, {**rest, field: parent})
    elif field in given and given[field] is None:
        work.demand("DELETE", child)
        delete(work, child, stored)
    elif field in given and str(given[field]) != str(stored[field]):
        work.demand("PATCH", child)
        _move(work, child, field, stored, given[field])
    elif rest.keys() - {child.key}:
        work.demand("PATCH", child)
        update(work, child, stored, rest)


def _move(work: Work, child: type[Model], field: str, stored: Row, to: Any) -> None:
    """Move a child to another parent, under the rules that hold among its new siblings."""
    (reference,) = child.table.c[field].foreign_keys
    parent = key_of(child, to)
    found = sa.select(reference.column).where(reference.column == parent)
    if parent is None or work.connection.execute(found).first() is None:
        raise invalid(field, f"The selected {field} is invalid.")
    name = child.sibling_key
    child.values(work, {name: stored[name]} if name is not None else {}, {**stored, field: parent})
    change = sa.update(child.table).where(child.table.c[child.key] == stored[child.key]).values({field: parent})
    with _told(child):
        work.connection.execute(change)


def _child_row(work: Work, child: type[Model], field: str, parent: Any, given: dict[str, Any]) -> Row | None:
    table = child.table
    query = sa.select(table).where(table.c[field] == parent)
    # ``id: 0`` and ``id: null`` stand for a new record in the forms of existing clients.
    key = key_of(child, given.get(child.key)) if given.get(child.key) else None
    if key:
        query = query.where(table.c[child.key] == key)
    elif child.sibling_key is not None and given.get(child.sibling_key) is not None:
        query = query.where(table.c[child.sibling_key] == given[child.sibling_key])
    else:
        return None
    return work.connection.execute(query).mappings().first()


def _write_only_child(work: Work, child: type[Model], relation: Relation, parent: Any, given: Any) -> None:
    """Write the child of a has-one relation: an object creates or updates it, nothing deletes it."""
    query = sa.select(child.table).where(child.table.c[relation.field] == parent)
    stored = work.connection.execute(query).mappings().first()
    if not given:
        if stored is not None:
            delete(work, child, stored)
    elif not isinstance(given, dict):
        raise BadRequest(f"Bad data supplied for {child.table.name}. Related data must be supplied as object.")
    elif stored is None:
        create(work, child, given, **{relation.field: parent})
    else:
        update(work, child, stored, {name: value for name, value in given.items() if name != relation.field})
