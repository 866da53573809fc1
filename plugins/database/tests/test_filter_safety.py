"""The filter language: that no text does harm, and that values from elsewhere stay data (checklist 2 and 12)."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trunkline_database.filters import (
    And,
    BadFilter,
    Comparison,
    Function,
    Literal,
    Node,
    Not,
    Or,
    Param,
    all_of,
    bind,
    from_rows,
    parse,
    render,
    substitute,
)


def is_(name: str, op: Any, *values: Any) -> Comparison:
    scalars = tuple(Literal(value) if isinstance(value, str) else value for value in values)
    if op in ("in", "not in", "between", "not between"):
        return Comparison(name, op, scalars)
    return Comparison(name, op, scalars[0] if scalars else None)


A, B = is_("a", "=", "1"), is_("b", "=", "2")

# Properties.

FIELD = st.one_of(st.from_regex(r"[a-z_][a-z0-9_.]{0,20}", fullmatch=True), st.text(min_size=1, max_size=30))
LITERAL = st.builds(Literal, st.text(max_size=40), st.booleans())
SCALAR = st.one_of(
    LITERAL,
    st.builds(Param, st.from_regex(r"[a-z_][a-z0-9_]{0,10}", fullmatch=True)),
    st.builds(
        Function,
        st.sampled_from(["CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "UTC_TIMESTAMP", "UUID"]),
    ),
)
SINGLE = ["=", "!=", ">", "<", ">=", "<=", "like", "not like", "contains", "not contains"]
SINGLE += ["starts with", "not starts with", "ends with", "not ends with"]
COMPARISON = st.one_of(
    st.builds(Comparison, FIELD, st.sampled_from(SINGLE), SCALAR),
    st.builds(
        Comparison, FIELD, st.sampled_from(["in", "not in"]), st.lists(SCALAR, min_size=1, max_size=4).map(tuple)
    ),
    st.builds(Comparison, FIELD, st.sampled_from(["between", "not between"]), st.tuples(SCALAR, SCALAR)),
    st.builds(Comparison, FIELD, st.sampled_from(["is null", "is not null"])),
)


def _several(node: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    items = st.lists(node, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(And, items), st.builds(Or, items), st.builds(Not, node))


NODE = st.recursive(COMPARISON, _several, max_leaves=8)
WORDS = [
    *[
        "(",
        ")",
        "[",
        "]",
        ",",
        "''",
        '"',
        "`",
        "'",
        "=",
        "!=",
        "<>",
        ">",
        "<",
        ">=",
        "<=",
        "&&",
        "||",
        "&",
        "|",
        ":",
        ":p",
        "{user.id}",
        "5",
        "a",
        "b",
        "O'Hara",
        "now()",
        "(now())",
        "a=1",
        "$",
        "\\",
        "%",
    ],
    *[
        "and",
        "or",
        "not",
        "nor",
        "xor",
        "in",
        "like",
        "is",
        "null",
        "between",
        "contains",
        "starts",
        "with",
        "ends",
        "does",
        "exist",
        "eq",
        "lte",
    ],
]
SOUP = st.lists(st.one_of(st.sampled_from([*WORDS, " ", " ", " "]), st.text(max_size=3)), max_size=40).map("".join)


@given(NODE)
@settings(deadline=None)
def test_rendering_and_parsing_gives_the_same_tree(node: Node) -> None:
    assert parse(render(node)) == node


@given(st.one_of(st.text(max_size=200), SOUP))
@example("x='" + "'" * 101)
@example("a=1 and \x00=1")
@example("\ud800=\ud800")
@settings(max_examples=1_000, deadline=None)
def test_no_text_does_anything_but_parse_or_raise_bad_filter(text: str) -> None:
    try:
        node = parse(text)
    except BadFilter:
        return
    assert parse(render(node)) == node


@given(st.text(max_size=60), st.sampled_from(["'", '"']))
@example("' or 'a'='a", "'")
@example("x' and y='", "'")
@example("\\", "'")
@settings(max_examples=500, deadline=None)
def test_a_value_whose_quotes_are_doubled_cannot_leave_its_quotes(value: str, quote: str) -> None:
    quoted = quote + value.replace(quote, quote * 2) + quote
    assert parse(f"(x = {quoted}) and a=1") == And((is_("x", "=", value), A))
    assert parse(f"x in ({quoted}, 'z')") == is_("x", "in", value, "z")


UNITS = [
    "and ",
    "'",
    "' and ",
    "(",
    "()",
    "a ",
    " ",
    "&& ",
    "and not ",
    "\"'",
    "`",
    ",",
    "x=1 and ",
    "not ",
    "[a ",
    "and a(",
    "'' ",
]


@pytest.mark.parametrize("unit", [*UNITS, "and " + "a" * 60 + " ", "a and ", "'a' or "])
@pytest.mark.parametrize("start", ["x = ", "x = '", "x in (", "x between ", ""])
def test_no_text_takes_more_than_about_linear_time(start: str, unit: str) -> None:
    def seconds(length: int) -> float:
        text = start + unit * (length // len(unit))
        best = 1e9
        for _ in range(2):
            begin = time.process_time()
            with contextlib.suppress(BadFilter):
                parse(text)
            best = min(best, time.process_time() - begin)
        return max(best, 0.002)

    assert seconds(60_000) < 32 * seconds(7_500)  # eight times the length: quadratic would be sixty-four


# Values from elsewhere.


def test_parameters_are_bound_as_data() -> None:
    node = parse("(a = :a) and (b in (:list, 3)) and (c between :a and :unknown)")
    bound = bind(node, {":a": "x' or 1=1", "list": [1, 2]})
    assert bound == And(
        (
            is_("a", "=", "x' or 1=1"),
            is_("b", "in", Literal(1), Literal(2), "3"),
            is_("c", "between", "x' or 1=1", ":unknown"),  # recorded exchange 64: stays text
        )
    )


@pytest.mark.parametrize("value", [{"$ne": None}, [1, 2], (1,), {1}])
def test_a_parameter_that_is_no_scalar_is_refused(value: object) -> None:
    with pytest.raises(BadFilter):  # checklist 3: operator injection
        bind(parse("a = :x"), {"x": value})


def test_an_empty_list_never_becomes_a_filter_without_values() -> None:
    with pytest.raises(BadFilter, match="lists"):  # D26
        bind(parse("a not in (:x)"), {"x": []})
    with pytest.raises(ValueError, match="at least two"):
        And(())


def test_look_ups_are_bound_and_never_parsed_again() -> None:
    known = {"user.id": 7, "user.name": "x') or (1=1) {user.id}", "flag": True, "none": None}
    node = parse(
        "(a = {user.id}) and (b = '{user.name}') and (c = a-{user.id}-{flag}{none}) and (d in ({nope}, {user.id}))"
    )
    assert substitute(node, known.__getitem__) == And(
        (
            is_("a", "=", Literal(7)),
            is_("b", "=", "x') or (1=1) {user.id}"),
            is_("c", "=", "a-7-true"),
            is_("d", "in", "{nope}", Literal(7)),
        )
    )


@given(NODE, st.text())
@settings(deadline=None)
def test_neither_parameters_nor_look_ups_change_the_shape(node: Node, value: str) -> None:
    def shape(node: Node) -> object:
        if isinstance(node, Comparison):
            return node.field, node.op, len(node.value) if isinstance(node.value, tuple) else 0
        return type(node), [shape(item) for item in ((node.item,) if isinstance(node, Not) else node.items)]

    class Everything(dict[str, str]):
        def get(self, key: str, default: object = None) -> Any:
            return value

    assert shape(bind(node, Everything())) == shape(node)
    assert shape(substitute(node, lambda _: value)) == shape(node)


def test_role_rows_become_filters() -> None:
    rows: list[dict[str, Any]] = [
        {"name": "owner_id", "operator": "=", "value": "{user.id}"},
        {"name": "name", "operator": "start with", "value": "a' or (b=1"},
        {"name": "code", "operator": "IN", "value": "DE, 'a,b'"},
        {"name": "kind", "operator": "not in", "value": '["x","y,z",3]'},
        {"name": "size", "operator": "in", "value": "(1,:p)"},
        {"name": "year", "operator": "between", "value": "3 and 5"},
        {"name": "quoted", "operator": "!=", "value": "'DE'"},
        {"name": "gone", "operator": "is null", "value": None},
        {"name": "number", "operator": ">", "value": 5},
        {"name": "until", "operator": ">", "value": "NOW()"},
        {"name": "empty", "operator": "=", "value": None},
    ]
    expected = (
        is_("owner_id", "=", "{user.id}"),
        is_("name", "starts with", "a' or (b=1"),
        is_("code", "in", "DE", "a,b"),
        is_("kind", "not in", "x", "y,z", Literal(3)),
        is_("size", "in", "1", ":p"),
        is_("year", "between", "3", "5"),
        is_("quoted", "!=", "DE"),
        is_("gone", "is null"),
        is_("number", ">", Literal(5)),
        is_("until", ">", Function("CURRENT_TIMESTAMP")),
        is_("empty", "=", ""),
    )
    assert from_rows(rows, "and") == And(expected)
    assert from_rows(rows, "or") == Or(expected)
    assert from_rows(rows[:1], "or") == expected[0]


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"name": "", "operator": "=", "value": 1},
        {"name": " ", "operator": "=", "value": 1},
        {"name": "a", "operator": "", "value": 1},
        {"name": "a", "operator": "~", "value": 1},
        {"name": "a", "operator": "in", "value": ""},
        {"name": "a", "operator": "in", "value": []},
        {"name": "a", "operator": "between", "value": "3"},
        {"name": "a", "operator": "=", "value": {"$ne": 1}},
    ],
)
def test_a_broken_role_row_is_an_error_and_never_no_filter(row: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the caller adds the role's words
        from_rows([row], "and")
    with pytest.raises(ValueError, match="No filter rows"):
        from_rows([], "and")


def test_filters_are_joined_by_and() -> None:
    assert all_of() is None
    assert all_of(None, A, None) == A
    assert all_of(A, None, B) == And((A, B))
