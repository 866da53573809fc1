"""What there is to export: the models of all stored resources below ``system``, parents before those that name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline.service import Resource
from trunkline_operators.extras import ExtraModel
from trunkline_system.model import Model, Relation
from trunkline_system.models.service import ServiceModel
from trunkline_system.stored import StoredResource

if TYPE_CHECKING:
    from trunkline.app import App

# Kept beside services, though no resource of ``system`` serves it.
_BESIDE: dict[type[Model], dict[str, Relation]] = {
    ServiceModel: {"extras": Relation("has_many", lambda: ExtraModel, "service_id")},
}


@dataclass(frozen=True, slots=True)
class Child:
    """Records that are part of a parent's: by which column, and whether there is only one."""

    name: str
    model: type[Model]
    field: str
    single: bool
    # Columns of later parents: a row that has one of these is told there.
    later: tuple[str, ...] = ()

    @property
    def skipped(self) -> frozenset[str]:
        """The columns that the place in the file says."""
        return self.model.owners | {self.field}


@dataclass(slots=True)
class Kind:
    """One kind of record, named as its resource."""

    name: str
    model: type[Model]
    children: list[Child] = field(default_factory=list)


def kinds_of(app: App) -> list[Kind]:
    """List the kinds of an application, also those of other plugins, in an order in which they can be made."""
    system = app.registry.load("system")
    found = [
        Kind(resource.path, resource.kind.model)
        for resource in _stored((*system.resources, *app.extra_resources("system")))
    ]
    for kind in found:
        kind.children = list(_children(kind.model))
    ordered = _ordered(found)
    _tell_once(ordered)
    return ordered


@dataclass(frozen=True, slots=True)
class _Found:
    path: str
    kind: type[StoredResource]


def _stored(resources: Iterable[type[Resource]], above: str = "") -> Iterator[_Found]:
    for one in resources:
        if issubclass(one, StoredResource):
            yield _Found(above + one.name, one)
        yield from _stored(one.children, f"{above}{one.name}/")


def _children(model: type[Model]) -> Iterator[Child]:
    """Find the records that are only reached through this one."""
    for name, relation in {**model.relations, **_BESIDE.get(model, {})}.items():
        is_part = relation.kind in ("has_many", "has_one") and relation.model().resource is None
        # What nobody can write, such as a log, is no configuration.
        if is_part and _writable(relation.model(), frozenset({relation.field})):
            shown = name.removesuffix(f"_by_{relation.field}")
            yield Child(shown, relation.model(), relation.field, relation.kind == "has_one")


def _ordered(kinds: list[Kind]) -> list[Kind]:
    """Sort by what the tables refer to; otherwise as they were registered."""
    parents: dict[str, set[str]] = {}
    for kind in kinds:
        for child in kind.children:
            parents.setdefault(child.model.table.name, set()).add(kind.model.table.name)
    needs = {kind.name: _needs(kind, parents) for kind in kinds}
    waiting: list[Kind] = list(kinds)
    done: list[Kind] = []
    while waiting:
        tables = {one.model.table.name for one in waiting}
        ready = next((one for one in waiting if not needs[one.name] & tables), waiting[0])
        waiting.remove(ready)
        done.append(ready)
    return done


def _needs(kind: Kind, parents: dict[str, set[str]]) -> set[str]:
    """Answer the tables that must be there first; of the parents of a child only the last matters."""
    found = {key.column.table.name for key in kind.model.table.foreign_keys}
    for child in kind.children:
        table = child.model.table
        found |= {key.column.table.name for key in table.foreign_keys} - parents[table.name]
    return found - {kind.model.table.name}


def _tell_once(kinds: list[Kind]) -> None:
    """Let children that have several parents be told by the last of them, when all others are there."""
    later: dict[str, list[str]] = {}
    for kind in reversed(kinds):
        mine = []
        for child in kind.children:
            fields = [one for one in later.get(child.model.table.name, []) if one != child.field]
            mine.append(Child(child.name, child.model, child.field, child.single, tuple(fields)))
        for child in mine:
            known = later.setdefault(child.model.table.name, [])
            known += [child.field] if child.field not in known else []
        kind.children = mine


def natural_key(model: type[Model], skipped: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Answer the columns that people know a record by; where nothing tells records apart, those that it must have."""
    found = unique_key(model, skipped)
    if found:
        return found
    return tuple(one.name for one in _writable(model, skipped) if not one.nullable and one.default is None)


def unique_key(model: type[Model], skipped: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Answer the columns by which there is only one record; none where nothing tells records apart."""
    if model.natural_key:
        return model.natural_key
    if model.sibling_key is not None:
        return (model.sibling_key,)
    writable = _writable(model, skipped)
    names = {one.name for one in writable}
    if model.key in names:
        return (model.key,)
    if (single := next((one.name for one in writable if one.unique and not one.nullable), None)) is not None:
        return (single,)
    several = [
        tuple(column.name for column in one.columns if column.name not in skipped)
        for one in model.table.constraints
        if isinstance(one, sa.UniqueConstraint)
    ]
    return min((one for one in several if one and set(one) <= names), default=())


def _writable(model: type[Model], skipped: frozenset[str]) -> list[sa.Column[Any]]:
    return [one for one in model.table.columns if one.name not in model.read_only | model.hidden | skipped]
