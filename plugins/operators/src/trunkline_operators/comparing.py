"""Which rights are gained and lost, by role and by those who have it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from trunkline.authorize import Role
from trunkline.call import VERBS, Requestor
from trunkline_operators import rights
from trunkline_operators.rights import ALL, Holders, Place, Right

GAIN, LOSS = "+", "-"
# So many callers are named.
_MOST = 50
# A sign and words for what is gained or lost.
Fact = tuple[str, str]


@dataclass(slots=True)
class Shift:
    """What changes for a role, or for those who get another one."""

    who: str
    facts: list[tuple[str, str]] = field(default_factory=list)


def shifts(before: Holders, after: Holders) -> list[Shift]:
    """List all changes of rights."""
    found = [*_of_roles(before, after), *_of_holders(before, after)]
    gained, lost = rights.only_open(before, after)
    facts = [*((GAIN, one) for one in gained), *((LOSS, one) for one in lost)]
    if facts:
        found.append(Shift("anybody, without credentials", facts))
    return [one for one in found if one.facts]


def _of_roles(before: Holders, after: Holders) -> Iterator[Shift]:
    for role_id in sorted({*before.snapshot.roles, *after.snapshot.roles}):
        had = {who for who, one in before.roles.items() if one == role_id}
        have = {who for who, one in after.roles.items() if one == role_id}
        is_old = role_id in before.snapshot.roles and role_id in after.snapshot.roles
        if not is_old and had | have:
            # Told with those who get or lose it.
            continue
        role = after.snapshot.roles.get(role_id) or before.snapshot.roles[role_id]
        who = _listed(had & have) or "nobody has it"
        yield Shift(f"role {role.name} ({who})", _facts(before, after, before.role(role_id), after.role(role_id)))


def _of_holders(before: Holders, after: Holders) -> Iterator[Shift]:
    moved: dict[tuple[int | None, int | None], list[str]] = defaultdict(list)
    for who in sorted({*before.roles, *after.roles}):
        pair = before.roles.get(who), after.roles.get(who)
        if pair[0] != pair[1]:
            moved[pair].append(who)
    for (old, new), same in moved.items():
        title = f"{_listed(same)}: {_role_name(before, old)} -> {_role_name(after, new)}"
        if ALL in (old, new):
            sign = GAIN if new == ALL else LOSS
            yield Shift(title, [(sign, "all rights")])
        else:
            yield Shift(title, _facts(before, after, before.role(old), after.role(new)))


def _listed(who: Collection[str]) -> str:
    """Name callers, not all of very many."""
    names = sorted(who)
    more = [f"{len(names) - _MOST} more"] if len(names) > _MOST else []
    return "; ".join(names[:_MOST] + more)


def _role_name(one: Holders, role_id: int | None) -> str:
    if role_id == ALL:
        return "all rights"
    role = one.snapshot.roles.get(role_id or 0)
    return f"role {role.name}" if role is not None else "no role"


def _facts(before: Holders, after: Holders, old: Role | None, new: Role | None) -> list[Fact]:
    """Compare two roles at every place that could tell them apart; places with the same change are told together."""
    services = sorted({one.name for side in (before, after) for one in side.snapshot.services_by_id.values()})
    names = rights.names_of(before.snapshot, after.snapshot)
    told: dict[Fact, dict[Place, Requestor]] = defaultdict(dict)
    for place in rights.places_of((old, new), names, services):
        for by in Requestor:
            had = rights.right_of(old, before.snapshot, *place, by)
            has = rights.right_of(new, after.snapshot, *place, by)
            for fact in _differences(had, has) if had != has else ():
                told[fact][place] = told[fact].get(place, Requestor(0)) | by
    found: dict[tuple[str, str, Requestor], list[str]] = defaultdict(list)
    for (sign, words), places in told.items():
        for place, by in places.items():
            found[sign, words, by].append(rights.shown(place))
    return [(sign, f"{words}{_by(by)}: {', '.join(places)}") for (sign, words, by), places in found.items()]


def _by(requestors: Requestor) -> str:
    if len(requestors) > 1:
        return ""
    return " (scripts only)" if requestors is Requestor.SCRIPT else " (API only)"


def _differences(had: Right, has: Right) -> Iterator[Fact]:
    yield from _verbs(GAIN, has.mask & ~had.mask, has)
    yield from _verbs(LOSS, had.mask & ~has.mask, had)
    if not had.mask & has.mask:
        return
    changed: dict[tuple[str, str], list[str]] = defaultdict(list)
    for verb, bit in VERBS.items():
        if not had.mask & has.mask & bit:
            continue
        old, new = had.rows_of(verb), has.rows_of(verb)
        wider, narrower = rights.implies(old, new), rights.implies(new, old)
        if wider and narrower:
            continue
        words = f"{rights.in_words(new)} (before: {rights.in_words(old)})"
        # What cannot be told from the filters alone may be both.
        for sign in (GAIN,) if wider else (LOSS,) if narrower else (GAIN, LOSS):
            changed[sign, words].append(verb)
    for (sign, words), same in changed.items():
        yield sign, f"{', '.join(same)} {'of' if sign == GAIN else 'only of'} {words}"
    yield from _fields(had, has)


def _verbs(sign: str, mask: int, right: Right) -> Iterator[Fact]:
    """Tell verbs that are new or gone, with what narrows them."""
    grouped: dict[str, list[str]] = defaultdict(list)
    for verb, bit in VERBS.items():
        if mask & bit:
            rows = right.rows_of(verb)
            grouped[f" of {rights.in_words(rows)}" if rows else ""].append(verb)
    less = [
        f"{'other fields' if rights.is_any(name) else name} {rights.level_in_words(level)}"
        for name in sorted(rights.field_names(right.fields))
        if not rights.is_full(level := rights.seen(right.fields, name))
    ]
    without = f"; {', '.join(less)}" if less else ""
    for words, verbs in grouped.items():
        yield sign, f"{', '.join(verbs)}{words}{without}"


def _fields(had: Right, has: Right) -> Iterator[Fact]:
    """Tell what is seen more or less of fields."""
    if had.fields == has.fields:
        return
    for name in sorted(rights.field_names(had.fields) | rights.field_names(has.fields)):
        old, new = rights.seen(had.fields, name), rights.seen(has.fields, name)
        if old != new:
            what = "fields that are not named" if rights.is_any(name) else f"field {name}"
            yield (
                GAIN if new > old else LOSS,
                f"{what} {rights.level_in_words(new)} (before: {rights.level_in_words(old)})",
            )
