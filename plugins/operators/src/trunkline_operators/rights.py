"""Who may do what: the state of all callers, and what one role may in comparison with another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from trunkline.authorize import AccessRow, Role, RowFilter
from trunkline.call import VERBS, Requestor, verbs_of
from trunkline.db import tables
from trunkline.directory import Snapshot
from trunkline.response_filter import MASKS, ResponseFilter

if TYPE_CHECKING:
    from trunkline.app import App

ALL = -1
# Stands in components for any name that no row has; no component of a call can have it.
_ANY = "\0"
_OTHER = "every other service"


@dataclass(slots=True)
class Holders:
    """A snapshot, and each caller's role in it: its id, None for none, ``ALL`` for all rights."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    roles: dict[str, int | None] = field(default_factory=dict)
    # What needs no permission at all, by service.
    open: dict[str, frozenset[str]] = field(default_factory=dict)

    def role(self, role_id: int | None) -> Role | None:
        """Answer a role that counts."""
        found = self.snapshot.roles.get(role_id or 0)
        return found if found is not None and found.is_active else None


def holders(app: App, connection: sa.Connection) -> Holders:
    """Find out who has which role, as a connection sees it."""
    snapshot = app.directory.read(connection)
    found = Holders(snapshot)
    apps = [one for one in snapshot.apps_by_id.values() if one.is_active]
    for record in apps:
        found.roles[f"app {record.name}"] = record.role_id
    link = tables.user_to_app_to_role.c
    assigned: dict[int, dict[int, int]] = {}
    for row in connection.execute(sa.select(link.user_id, link.app_id, link.role_id).order_by(link.id)):
        assigned.setdefault(row.user_id, {})[row.app_id] = row.role_id
    user = tables.user.c
    for row in connection.execute(sa.select(user.id, user.email, user.is_sys_admin).where(user.is_active)):
        roles = assigned.get(row.id, {})
        if row.is_sys_admin and not roles:
            found.roles[f"administrator {row.email}"] = ALL
        for record in apps if roles else ():
            # As identify finds it: the assignment for the app, any assignment.
            found.roles[f"user {row.email} with app {record.name}"] = roles.get(record.id) or next(iter(roles.values()))
    for service in snapshot.services.values():
        kind = app.registry.find(service.type)
        if kind is not None and service.is_active and kind.open_paths:
            found.open[service.name] = frozenset(
                f"{verb} {one.path}" for one in kind.open_paths for verb in verbs_of(one.verbs)
            )
    return found


Clause = frozenset[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Right:
    """What a role may at one place: verbs, which rows each verb reaches (clauses that all hold), what replies leave."""

    mask: int = 0
    rows: tuple[tuple[str, frozenset[Clause]], ...] = ()
    fields: ResponseFilter | None = None

    def rows_of(self, verb: str) -> frozenset[Clause]:
        """Answer the clauses for a verb."""
        return dict(self.rows).get(verb, frozenset())


def right_of(role: Role | None, snapshot: Snapshot, service: str | None, component: str, by: Requestor) -> Right:
    """Answer what a role may on a component; ``service`` None is one that no row names."""
    record = snapshot.services.get(service.lower()) if service is not None else None
    if role is None or (service is not None and (record is None or not record.is_active)):
        return Right()
    service_id = record.id if record is not None else 0
    mask = role.mask(service_id, component, by)
    rows = tuple(
        (verb, frozenset(clause for one in role.row_filters(service_id, component, bit, by) for clause in clauses(one)))
        for verb, bit in VERBS.items()
        if mask & bit
    )
    return Right(mask, rows, role.response_filter(service_id, component, by) if mask else None)


def clauses(one: RowFilter) -> Iterator[Clause]:
    """Take a filter apart into clauses that all hold; within one, any condition does."""
    conditions = [(name, operator.strip().lower(), "" if value is None else str(value))
                  for name, operator, value in one.conditions]  # fmt: skip
    if one.joined_by == "or":
        yield frozenset(conditions)
    else:
        yield from (frozenset({condition}) for condition in conditions)


def implies(one: frozenset[Clause], other: frozenset[Clause]) -> bool:
    """Say whether every row that the first lets through certainly passes the second too."""
    return all(any(mine <= theirs for mine in one) for theirs in other)


def in_words(rows: frozenset[Clause]) -> str:
    """Write clauses as a filter."""
    if not rows:
        return "all rows"
    parts = []
    for clause in sorted(rows, key=sorted):
        conditions = [" ".join(filter(None, condition)) for condition in sorted(clause)]
        parts.append(f"({' or '.join(conditions)})" if len(conditions) > 1 else conditions[0])
    return "rows with " + " and ".join(parts)


def seen(found: ResponseFilter | None, name: str) -> int:
    """Say how much is seen of a field: 0 nothing, then by the masks, at last all."""
    everything = len(MASKS) + 1
    if found is None:
        return everything
    if found.hides(name):
        return 0
    mask = found.mask_of(name)
    return everything if mask is None else len(MASKS) - MASKS.index(mask)


def field_names(found: ResponseFilter | None) -> set[str]:
    """List the fields that a filter names, and what stands for all others."""
    if found is None:
        return set()
    return {*found.excluded, *(name for name, _mask in found.masks), *(found.allowed or ())} | {_ANY}


def is_full(level: int) -> bool:
    """Say whether a field is seen as it is."""
    return level > len(MASKS)


def level_in_words(level: int) -> str:
    """Say how much is seen of a field."""
    if level == 0:
        return "hidden"
    return "in full" if is_full(level) else f"masked ({MASKS[len(MASKS) - level]})"


Place = tuple[str | None, str]


def places_of(roles: Iterable[Role | None], names: dict[int, str], services: Iterable[str]) -> list[Place]:
    """List the places that can tell roles apart: what rows name, what lies above and below, and any other name."""
    found: set[Place] = set()
    for row in (row for role in roles if role is not None for row in role.rows):
        if row.service_id is None:
            found |= {(one, component) for one in (None, *services) for component in ("", _ANY)}
        elif (name := names.get(row.service_id)) is not None:
            found |= {(name, component) for component in _probes(row)}
    return sorted(found, key=lambda place: (place[0] is None, place[0] or "", place[1]))


def _probes(row: AccessRow) -> set[str]:
    component = row.component
    base = component.removesuffix("*").rstrip("/") if component.endswith("*") else component
    parts = base.split("/") if base else []
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    found = {"", _ANY, *above, *(f"{one}/{_ANY}" for one in above)}
    if component.endswith("*") and not component.endswith("/*") and component != "*":
        found.add(component[:-1] + _ANY)
    return found


def shown(place: Place) -> str:
    """Name a place."""
    service, component = place
    return f"{service or _OTHER} {component.replace(_ANY, '*') or '(root)'}"


def only_open(before: Holders, after: Holders) -> tuple[list[str], list[str]]:
    """Answer what anybody may now, and may no longer, without any permission."""

    def all_of(one: Holders) -> set[str]:
        return {f"{service}: {path}" for service, paths in one.open.items() for path in paths}

    return sorted(all_of(after) - all_of(before)), sorted(all_of(before) - all_of(after))


def names_of(*snapshots: Snapshot) -> dict[int, str]:
    """Map ids of services to their names, in all snapshots together."""
    return {one.id: one.name for snapshot in snapshots for one in snapshot.services_by_id.values()}


def is_any(name: str) -> bool:
    """Say whether a field name stands for all that are not named."""
    return name == _ANY
