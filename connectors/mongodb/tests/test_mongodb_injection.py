"""No word of a client becomes an operator, whatever it is and wherever it stands (checklist 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mongo_servers import TUNNEL, Place

from trunkline.errors import BadRequest
from trunkline_database import filters
from trunkline_database.model import Column, Table, TableName
from trunkline_database.resolve import resolved
from trunkline_mongodb.native import changes_of, filter_of
from trunkline_mongodb.query import query
from trunkline_mongodb.values import incoming
from trunkline_mongodb.writing import document, update_of

ID = Column("_id", "string", "objectId", is_primary_key=True, is_open=True)
OPEN = Table(TableName("open"), (ID,), is_open=True)
TYPED = Table(
    TableName("typed"),
    (Column("id", "id", "long", is_primary_key=True), Column("n", "integer", "long"), Column("s", "string", "string")),
)
# What we write ourselves, and where only data may be below.
OURS = frozenset(
    {"$and", "$or", "$nor", "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$regex", "$options", "$not"}
    | {"$exists", "$type", "$all", "$size", "$mod", "$elemMatch"}
)
DANGEROUS = [
    "$where",
    "$function",
    "$expr",
    "$accumulator",
    "$jsonSchema",
    "$text",
    "$ne",
    "$gt",
    "$regex",
    "$comment",
    "$",
]
WORDS = st.sampled_from([*DANGEROUS, "a", "a.b", "_id", "n", "s", "$set", "$oid", "$date", "", "a.$b", "\0", "x'y"])
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5) | WORDS
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=8
)


def operators(value: Any) -> set[str]:
    """List the names with a dollar anywhere in a document."""
    if isinstance(value, Mapping):
        own = {name for name in value if name.startswith("$")}
        return own.union(*map(operators, value.values())) if value else own
    return set().union(*map(operators, value)) if isinstance(value, list) and value else set()


@settings(max_examples=400, deadline=None)
@given(JSON)
def test_no_value_is_stored_with_an_operator_in_it(value: Any) -> None:
    try:
        stored = incoming(value)
    except BadRequest:
        return
    assert operators(stored) == set()


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(WORDS, JSON, max_size=3))
def test_no_record_is_stored_with_an_operator_in_it(record: dict[str, Any]) -> None:
    values = {name: value for name, value in record.items() if OPEN.column(name) is not None}
    try:
        stored = document(OPEN, values, {})
    except BadRequest:
        return
    assert operators(stored) == set()


@settings(max_examples=400, deadline=None)
@given(WORDS, JSON)
def test_no_update_has_operators_that_are_not_ours(operator: str, given_: Any) -> None:
    for table in (OPEN, TYPED):
        try:
            update = update_of(table, changes_of(table, operator, given_))
        except BadRequest:
            continue
        assert isinstance(update, dict)
        for changes in update.values():
            for path, argument in changes.items():
                assert not any(part.startswith("$") or not part for part in path.split("."))
                assert operators(argument) <= OURS | {"$each", "$slice", "$position", "$sort"}


@settings(max_examples=600, deadline=None)
@given(st.dictionaries(WORDS | st.sampled_from(["$and", "$or", "$nor"]), JSON, max_size=3))
def test_no_native_filter_has_operators_that_are_not_allowed(given_: dict[str, Any]) -> None:
    for table in (OPEN, TYPED):
        try:
            node = filter_of(given_)
            assert node is not None
            found = query(table, resolved(table, node))
        except BadRequest:
            continue
        assert operators(found) <= OURS
        assert found


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=40), WORDS | st.text(max_size=8), JSON)
def test_no_text_filter_has_operators_that_are_not_ours(text: str, name: str, value: Any) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    for asked in (text, f"{quoted} = :v", f"{quoted} like :v", f"{quoted} in (:v, 1)", f"not ({quoted} > '{name}')"):
        for table in (OPEN, TYPED):
            try:
                found = query(table, resolved(table, filters.bind(filters.parse(asked), {"v": value})))
            except BadRequest:
                continue
            assert operators(found) <= OURS


@pytest.mark.live
def test_no_place_of_a_request_lets_an_operator_in(mongo_place: Place) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.sampled_from(
            ["filter", "ids", "params", "fields", "order", "group", "related", "id_field", "page", "resource"]
        ),
        JSON | WORDS,
    )
    def asked(option: str, value: Any) -> None:
        for verb in ("GET", "PATCH", "DELETE"):
            body = {"filter": "name = :x", "params": {"x": "nobody"}, option: value}
            if option == "params":
                body["params"] = {"x": value}
            headers = {**TUNNEL, "X-HTTP-Method": verb}
            reply = mongo_place.client.post(mongo_place.path("people"), json=body, headers=headers)
            assert reply.status_code in (200, 400, 404), (verb, body, reply.text)
        assert {one for row in mongo_place.native.people.find() for one in operators(row)} == set()

    asked()
