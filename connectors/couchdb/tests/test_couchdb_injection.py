"""No Mango operator comes from a client (checklist 3): selectors in values, names with ``$`` and ``_``."""

from __future__ import annotations

from typing import Any

import pytest
from couch_servers import Couch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trunkline.errors import BadRequest
from trunkline_couchdb.selector import ids_in, selector
from trunkline_database import filters
from trunkline_database.model import Column, Table, TableName
from trunkline_database.resolve import resolved

OURS = {"$and", "$or", "$in", "$gt", "$gte", "$lt", "$lte", "$type"}
KEY = Column("_id", "string", "string", allow_null=False, is_primary_key=True, is_open=True)
OPEN = Table(TableName("t"), (KEY, Column("n", "integer", "number")), is_open=True)
TYPED = Table(
    TableName("t"),
    (
        Column("id", "integer", "number", is_primary_key=True),
        Column("n", "integer", "number"), Column("word", "string", "string"), Column("deep", "json", "value"),
    ),
)  # fmt: skip
WORDS = st.sampled_from(
    ["$ne", "$gt", "$regex", "$where", "$or", "$not", "$exists", "_id", "_rev", "_deleted", "_attachments", "n.$ne",
     "word", "deep", "n", "a.b", "a\\.b", "_all_docs", "_design/x"]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def names_of(found: Any) -> set[str]:
    """List the members of a selector that Mango would take for operators; lists of values are data."""
    if isinstance(found, list):
        return {name for one in found for name in names_of(one)}
    if not isinstance(found, dict):
        return set()
    own = {name for name in found if name.startswith("$")}
    return own | {inner for name, one in found.items() if name != "$in" for inner in names_of(one)}


def scalars(found: Any) -> bool:
    """Say whether values that are compared are scalars."""
    if isinstance(found, list):
        return all(scalars(one) for one in found)
    if not isinstance(found, dict):
        return True
    return all(
        all(not isinstance(each, dict | list) for each in one) if name == "$in" else scalars(one)
        for name, one in found.items()
    )


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=40), WORDS | st.text(max_size=8), JSON)
def test_no_filter_makes_operators_that_are_not_ours(text: str, name: str, value: Any) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    asked = [text, f"n = :v and {quoted} > 1"]
    asked += [f"{quoted} {operator} :v" for operator in ("=", "!=", "<", ">=", "like", "contains")]
    for one in (*asked, f"{quoted} in (:v, 1)", f"not ({quoted} > '{name}')", f"{quoted} between :v and 2"):
        for table in (OPEN, TYPED):
            try:
                node = resolved(table, filters.bind(filters.parse(one), {"v": value}))
                found = selector(table, node), ids_in(table, node)
            except BadRequest:
                continue
            assert names_of(found[0]) <= OURS
            assert scalars(found[0])
            assert all(isinstance(each, str) for each in found[1] or ())


@pytest.mark.live
@pytest.mark.parametrize("name", ["_deleted", "_attachments", "_revisions", "_conflicts", "_x"])
def test_the_servers_own_names_are_refused(couch: Couch, name: str) -> None:
    couch.put({"_id": "a", "n": 1})
    for verb, path in (("POST", ()), ("PUT", ("a",)), ("PATCH", ("a",))):
        reply = couch.client.request(verb, couch.path(*path), json={name: True, "n": 2})
        assert reply.status_code == 400, (verb, reply.text)
    assert couch.kept("a")["n"] == 1
    assert couch.ids() == ["a"]


@pytest.mark.live
def test_no_place_of_a_request_lets_an_operator_in(couch: Couch) -> None:
    couch.put({"_id": "a", "name": "Ann", "n": 1}, {"_id": "b", "name": "Bob", "n": 2})
    before = couch.kept("a"), couch.kept("b")

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from(["filter", "ids", "params", "fields", "order", "group", "id_field", "page"]), JSON | WORDS)
    def asked(option: str, value: Any) -> None:
        for verb in ("GET", "PATCH", "DELETE"):
            body = {"filter": "name = :x", "params": {"x": "nobody"}, "resource": {"n": 3}, option: value}
            if option == "params":
                body["params"] = {"x": value}
            elif option == "filter" and (value is None or isinstance(value, str)):
                body["filter"] = f"name = '{value}$ne'" if "'" not in str(value) else "name = ''"
            elif option == "ids" and not isinstance(value, dict | list):
                body["ids"] = {"$gt": value}
            reply = couch.client.post(couch.path(), json=body, headers={"X-HTTP-Method": verb})
            assert reply.status_code in (200, 400, 404), (verb, body, reply.text)
        assert (couch.kept("a"), couch.kept("b")) == before

    asked()


@pytest.mark.live
def test_selectors_in_records_are_data(couch: Couch) -> None:
    record = {"_id": "x", "where": {"$gt": None, "$or": [{"_id": {"$ne": ""}}]}, "a": {"_id": "y", "$ne": 1}}
    assert couch.client.post(couch.path(), json=record).status_code == 200
    kept = couch.kept("x")
    assert {name: one for name, one in kept.items() if name != "_rev"} == record
    assert couch.client.get(couch.path("x")).json() == kept
    assert couch.rows(filter="where = :v", params={"v": "x"}) == []
    assert couch.ids(filter='"a._id" is not null') == ["x"]
    for verb, path in (("POST", ()), ("PUT", ("x",)), ("PATCH", ("x",))):
        for name in ("$ne", "$set", "$where"):
            reply = couch.client.request(verb, couch.path(*path), json={name: {"n": 1}, "n": 2})
            assert reply.status_code == 400, (verb, reply.text)
    assert couch.kept("x") == kept
