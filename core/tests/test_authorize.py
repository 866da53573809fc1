"""Levels, wildcards, masks and row filters of roles (system-api 11, D5; checklist 9 to 13)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.authorize import AccessRow, Level, Role, RowFilter, component_of
from trunkline.call import Requestor

API, SCRIPT, BOTH = 1, 2, 3
GET, POST, PUT, PATCH, DELETE = 1, 2, 4, 8, 16
SYSTEM, OTHER = 1, 2


def role(*rows: AccessRow) -> Role:
    return Role(1, "r", True, rows)


def row(
    service: int | None, component: str, verbs: int, requestors: int = API, filtered: RowFilter | None = None
) -> AccessRow:
    return AccessRow(service, component_of(component), verbs, requestors, filtered)


@pytest.mark.parametrize(
    ("rows", "asked", "mask"),
    [
        ([(SYSTEM, "*", GET | DELETE), (SYSTEM, "admin/password", POST)], "role/1", GET | DELETE),
        ([(SYSTEM, "*", GET | DELETE), (SYSTEM, "admin/password", POST)], "admin/password", POST),
        ([(SYSTEM, "app", GET), (SYSTEM, "app/*", POST)], "app", GET),
        ([(SYSTEM, "app", GET), (SYSTEM, "app/*", POST)], "app/1", POST),
        ([(SYSTEM, "app", GET)], "", 0),
        ([(SYSTEM, "app", GET)], "app/1", 0),
        ([(None, "*", GET)], "anything/at/all", GET),
        ([(None, "", GET)], "", GET),
        ([(None, "", GET)], "app", 0),
        ([(SYSTEM, "*", GET), (SYSTEM, "app", 0)], "app", 0),
        ([(SYSTEM, "_table/*", GET), (SYSTEM, "_table/x/*", POST)], "_table/x", GET | POST),
        ([(SYSTEM, "_table/*/y", GET)], "_table/x/y", 0),
        ([(SYSTEM, "_tab*", GET)], "_table", GET),
        ([(SYSTEM, "_table/", GET)], "_table", GET),
        ([(SYSTEM, "_Table/X/*", GET)], "_table/x/5", GET),
        ([(OTHER, "*", GET)], "app", 0),
        ([(None, "*", GET), (SYSTEM, "app", POST)], "app", POST),
        ([(None, "*", GET), (SYSTEM, "app", POST)], "role", GET),
        ([(SYSTEM, "*", GET)], "", GET),
    ],
)
def test_the_table_of_the_specification(rows: list[tuple[int | None, str, int]], asked: str, mask: int) -> None:
    assert role(*(row(*one) for one in rows)).mask(SYSTEM, asked, Requestor.API) == mask


def test_requestors_are_told_apart() -> None:
    mixed = role(row(SYSTEM, "role", GET, API), row(SYSTEM, "role", POST, SCRIPT), row(SYSTEM, "role", DELETE, BOTH))
    assert mixed.mask(SYSTEM, "role", Requestor.API) == GET | DELETE
    assert mixed.mask(SYSTEM, "role", Requestor.SCRIPT) == POST | DELETE
    assert role(row(SYSTEM, "*", 31, 0)).mask(SYSTEM, "role", Requestor.API) == 0


def test_row_filters_of_one_level_all_bind() -> None:
    """D5: neither a later filter nor a later row without one replaces an earlier filter."""
    first, second = RowFilter((("a", "=", 1),)), RowFilter((("b", "=", 2),))
    found = role(
        row(SYSTEM, "_table/x/*", GET, filtered=first),
        row(SYSTEM, "_table/*", GET, filtered=second),
        row(SYSTEM, "*", GET),
    )
    assert set(found.row_filters(SYSTEM, "_table/x", GET, Requestor.API)) == {first, second}
    assert found.row_filters(SYSTEM, "_table/y", GET, Requestor.API) == (second,)
    assert found.row_filters(SYSTEM, "_table/x", POST, Requestor.API) == ()


names = st.sampled_from(
    ["", "*", "_table", "_table/*", "_table/a", "_table/a/*", "_table/b/*", "_tab*", "_schema/*", "a*b*"]
)
asked_names = st.sampled_from(["", "_table", "_table/a", "_table/a/1", "_table/b", "_schema/a", "_tables", "x"])
access_rows = st.lists(
    st.builds(row, st.sampled_from([None, SYSTEM, OTHER]), names, st.integers(0, 31), st.integers(0, 3)), max_size=6
)


def naive_level(one: AccessRow, component: str) -> Level | None:
    """The rules of system-api 11.2 again, written as the table there is."""
    if one.service_id is None:
        if one.component == "*" or (one.component == "" and component == ""):
            return Level.ALL
        return None
    if one.service_id != SYSTEM:
        return None
    if component == "":
        return {"": Level.EXACT, "*": Level.SERVICE}.get(one.component)
    if one.component == component:
        return Level.EXACT
    head, star, tail = one.component.partition("*")
    return Level.WILDCARD if star and not tail and (component + "/").startswith(head) else None


@given(access_rows, asked_names, st.sampled_from([Requestor.API, Requestor.SCRIPT]))
def test_masks_agree_with_a_naive_model(rows: list[AccessRow], component: str, requestor: Requestor) -> None:
    fitting = [
        (level, one)
        for one in rows
        if one.requestors & requestor and (level := naive_level(one, component)) is not None
    ]
    best = max((level for level, _one in fitting), default=None)
    expected = 0
    for level, one in fitting:
        if level == best:
            expected |= one.verbs
    assert role(*rows).mask(SYSTEM, component, requestor) == expected


@given(
    st.permutations([row(SYSTEM, "*", 1), row(SYSTEM, "_table/*", 2), row(None, "*", 16), row(SYSTEM, "_table/a", 4)])
)
def test_the_order_of_rows_does_not_matter(rows: list[AccessRow]) -> None:
    """Checklist 11."""
    for asked in ("", "_table", "_table/a", "_table/a/1"):
        assert role(*rows).mask(SYSTEM, asked, Requestor.API) == role(*sorted(rows, key=repr)).mask(
            SYSTEM, asked, Requestor.API
        )
