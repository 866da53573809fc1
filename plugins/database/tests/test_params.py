"""Options and bodies of a request, with all their spellings."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline.call import Call
from trunkline.errors import BadRequest
from trunkline_database.params import AggregateField, OrderField, read_body, read_query, split_ids


def call(method: str = "GET", params: dict[str, Any] | None = None, body: Any = None) -> Call:
    return Call(method, "db", ("_table", "t"), params or {}, body=body)


@pytest.mark.parametrize(
    ("names", "value", "field", "read"),
    [
        (("fields", "select"), "a, B", "fields", ("a", "B")),
        (("filter", "where"), "a=1", "filter", "a=1"),
        (("limit", "top"), "5", "limit", 5),
        (("offset", "skip"), "5", "offset", 5),
        (("order", "sort", "order_by"), "a desc", "order", (OrderField("a", True),)),
        (("group", "group_by"), "a,b", "group", ("a", "b")),
        (("count_only",), "YES", "count_only", True),
        (("continue",), "1", "proceed", True),
        (("rollback",), "no", "rollback", False),
        (("id_field",), "a,b", "id_field", ("a", "b")),
    ],
)
def test_every_spelling_of_an_option_counts(names: tuple[str, ...], value: str, field: str, read: Any) -> None:
    for name in names:
        assert getattr(read_query(call(params={name: value})), field) == read


def test_the_query_wins_over_the_body() -> None:
    query = read_query(call(params={"top": "1"}, body={"limit": 2, "offset": 3}))
    assert (query.limit, query.offset) == (1, 3)


def test_a_bare_record_has_no_options() -> None:
    """A column may be called ``limit``, and a write must not take it for an option."""
    query = read_query(call("PATCH", body={"limit": 2, "filter": "id=1"}))
    assert (query.limit, query.filter) == (None, None)
    assert read_query(call("PATCH", body={"filter": "id=1", "resource": {}})).filter == "id=1"


def test_aggregates_are_told_from_names() -> None:
    fields = read_query(call(params={"fields": "a,COUNT(*),sum( b ),count(c) as n"})).fields
    assert fields == ("a", AggregateField("count", None), AggregateField("sum", "b"), "count(c) as n")


def test_null_order_is_read() -> None:
    (order,) = read_query(call(params={"order": "a desc nulls last"})).order
    assert order == OrderField("a", True, "last")


def test_options_of_relations_are_taken_by_prefix_in_both_forms() -> None:
    params = {
        "related": "a_by_b",
        "a_by_b.fields": "x",
        "A_BY_B_limit": "3",
        "a_by_b.related": "c",
        "a_by_b.c.order": "y",
    }
    below = read_query(call(params=params)).below("a_by_b")
    assert (below.fields, below.limit, below.related) == (("x",), 3, ("c",))
    assert below.below("c").order == (OrderField("y"),)
    assert read_query(call(params=params)).below("other").fields is None


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ("1, 2,3", ("1", "2", "3")),
        ("(1,a),(2,'b,c')", (("1", "a"), ("2", "b,c"))),
        ('\'a,b\',"c""d"', ("a,b", 'c"d')),
        ([1, "x", [1, 2], {"a": 1}], (1, "x", (1, 2), {"a": 1})),
        (5, (5,)),
    ],
)
def test_identifiers_have_many_forms(given: Any, ids: tuple[Any, ...]) -> None:
    """D12."""
    assert split_ids(given) == ids


def test_an_object_is_no_list_of_identifiers() -> None:
    with pytest.raises(BadRequest):
        split_ids({"$gt": 0})


@pytest.mark.parametrize(
    ("method", "body", "records", "single"),
    [
        ("POST", {"resource": [{"a": 1}]}, ({"a": 1},), False),
        ("POST", {"resource": {"a": 1}}, ({"a": 1},), False),
        ("POST", [{"a": 1}], ({"a": 1},), False),
        ("POST", {"a": 1}, ({"a": 1},), True),
        ("POST", {"filter": "x"}, ({"filter": "x"},), True),
        ("DELETE", {"filter": "x"}, None, False),
        ("DELETE", {"id": 1}, ({"id": 1},), True),
        ("GET", {"ids": [1], "x": 1}, None, False),
        ("POST", {}, None, False),
        ("POST", "text", None, False),
        ("POST", {"resource": 5}, None, False),
    ],
)
def test_records_come_wrapped_listed_or_bare(method: str, body: Any, records: Any, single: bool) -> None:
    found = read_body(call(method, body=body))
    assert (found.records, found.single) == (records, single)


def test_blank_options_are_remembered_as_given() -> None:
    """D26: a write must be able to refuse them."""
    query = read_query(call(params={"filter": " ", "ids": ""}))
    assert (query.filter, query.filter_given, query.ids, query.ids_given) == (None, True, None, True)
