"""No gain or loss that a call could notice stays untold: random roles, compared call by call."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from trunkline.authorize import AccessRow, Role, RowFilter
from trunkline.call import VERBS, Requestor
from trunkline.db.records import ServiceRecord
from trunkline.directory import Snapshot
from trunkline.response_filter import MASKS, ResponseFilter
from trunkline_operators.comparing import GAIN, LOSS, shifts
from trunkline_operators.rights import Holders

COMPONENTS = ["", "*", "_table", "_table/*", "_table/book", "_table/book/*", "_table/bo*", "_schema/*", "_table/*/x"]
CALLS = [
    "",
    "_table",
    "_table/book",
    "_table/book/1",
    "_table/bone",
    "_table/other",
    "_table/other/2",
    "_schema",
    "else",
]
FIELDS = ["a", "b", "c"]
RECORDS = [dict(zip(FIELDS, values, strict=True)) for values in itertools.product("01", repeat=3)]
SERVICES = {1: "shop", 2: "files", 3: "other"}


def snapshot(role: Role) -> Snapshot:
    found = Snapshot(1, roles={1: role})
    for key, name in SERVICES.items():
        found.services[name] = found.services_by_id[key] = ServiceRecord(key, name, name, "", "toy", True, "{}")
    return found


def some_row(chance: random.Random) -> AccessRow:
    conditions = tuple((field, "=", chance.choice("01")) for field in FIELDS if chance.random() < 0.4)
    narrowed = RowFilter(conditions, chance.choice(["and", "or"])) if conditions and chance.random() < 0.5 else None
    hidden = None
    if chance.random() < 0.3:
        hidden = ResponseFilter(
            frozenset(field for field in FIELDS if chance.random() < 0.2),
            tuple((field, chance.choice(MASKS)) for field in FIELDS if chance.random() < 0.3),
            frozenset(chance.sample(FIELDS, 2)) if chance.random() < 0.3 else None,
        )
    return AccessRow(
        chance.choice([None, 1, 1, 2]), chance.choice(COMPONENTS), chance.randrange(32), chance.choice([1, 2, 3, 3]),
        narrowed, hidden,
    )  # fmt: skip


def lets_through(filters: tuple[RowFilter, ...], record: dict[str, str]) -> bool:
    return all(
        (any if one.joined_by == "or" else all)(record[name] == value for name, _operator, value in one.conditions)
        for one in filters
    )


def reach(role: Role, service: int, component: str, by: Requestor) -> set[tuple[Any, ...]]:
    """List what a role reaches at one place: each record by each verb, and how well each field is seen."""
    mask = role.mask(service, component, by) if role.is_active else 0
    found: set[tuple[Any, ...]] = set()
    for verb, bit in VERBS.items():
        if mask & bit:
            filters = role.row_filters(service, component, bit, by)
            found |= {(verb, *record.values()) for record in RECORDS if lets_through(filters, record)}
            found.add((verb,))
    seen = role.response_filter(service, component, by)
    for field in [*FIELDS, "unnamed"] if mask else []:
        masked = seen.mask_of(field) if seen is not None else None
        level = 4 if masked is None else 3 - MASKS.index(masked)
        level = 0 if seen is not None and seen.hides(field) else level
        found |= {(field, step) for step in range(1, level + 1)}
    return found


@pytest.mark.parametrize("seed", range(600))
def test_what_a_call_would_notice_is_told(seed: int) -> None:
    chance = random.Random(seed)
    rows = [some_row(chance) for _ in range(chance.randrange(5))]
    others = [*rows]
    if rows and chance.random() < 0.5:
        others.pop(chance.randrange(len(rows)))
    else:
        others.append(some_row(chance))
    if chance.random() < 0.5:
        rows, others = others, rows
    old, new = (Role(1, "r", chance.random() < 0.95, tuple(some)) for some in (rows, others))
    before, after = (Holders(snapshot(role), {"app mobile": 1}) for role in (old, new))
    facts = [fact for shift in shifts(before, after) for fact in shift.facts]
    told = {sign: " ".join(words for one, words in facts if one == sign) for sign in (GAIN, LOSS)}
    gained: set[tuple[Any, ...]] = set()
    lost: set[tuple[Any, ...]] = set()
    for service, component, by in itertools.product((*SERVICES, 99), CALLS, Requestor):
        had, has = reach(old, service, component, by), reach(new, service, component, by)
        gained |= has - had
        lost |= had - has
    for sign, changed in ((GAIN, gained), (LOSS, lost)):
        for verb in {one[0] for one in changed} & VERBS.keys():
            assert verb in told[sign], (verb, facts)
        assert not changed or told[sign]


def test_nothing_is_told_of_what_is_the_same() -> None:
    row = AccessRow(1, "*", 1, 3, RowFilter((("a", "=", 1), ("b", "=", 2))))
    same = AccessRow(1, "*", 1, 3, RowFilter((("b", "=", 2), ("a", "=", 1))))
    before, after = (Holders(snapshot(Role(1, "r", True, (one,))), {"app mobile": 1}) for one in (row, same))
    assert shifts(before, after) == []


def test_places_are_named_as_rows_name_them() -> None:
    before = Holders(snapshot(Role(1, "r", True, ())), {})
    after = Holders(snapshot(Role(1, "r", True, (AccessRow(1, "_table/bo*", 1, 1),))), {})
    (shift,) = shifts(before, after)
    assert shift.who == "role r (nobody has it)"
    assert shift.facts == [(GAIN, "GET (API only): shop _table/bo, shop _table/bo*, shop _table/bo/*")]
    after = Holders(snapshot(Role(1, "r", True, (AccessRow(None, "*", 3, 2),))), {})
    (shift,) = shifts(before, after)
    places = [f"{name} {component}" for name in (*sorted(SERVICES.values()), "every other service")
              for component in ("(root)", "*")]  # fmt: skip
    ((sign, words),) = shift.facts
    assert (sign, words.partition(": ")[0]) == (GAIN, "GET, POST (scripts only)")
    assert sorted(words.partition(": ")[2].split(", ")) == sorted(places)
