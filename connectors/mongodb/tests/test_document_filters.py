"""Filters of both kinds, and what roles make of documents (database-api 20.1, D5, D33)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mongo_servers import TEAM as OID
from mongo_servers import TUNNEL, Place

from trunkline_database.testing.library import error_of

pytestmark = pytest.mark.live


@pytest.fixture
def place(mongo_place: Place) -> Place:
    """Documents about four people, in a collection that nobody declared."""
    return mongo_place


# Filters.


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("age = 45", ["Bob", "Dee"]),  # each by its own type
        ("age = '45'", ["Dee"]),
        ("age != 45", ["Ann"]),
        ("age > 40", ["Bob", "Dee"]),
        ("age between 30 and 40", ["Ann"]),
        ("age is null", ["Cy"]),
        ("nick does not exist", ["Ann", "Bob", "Dee"]),
        ("nick does exist", ["Cy"]),
        ("not (age = 45)", ["Ann"]),
        ("not (age = 31 or age is null)", ["Bob", "Dee"]),
        ("address.city = Bern", ["Ann"]),
        ("address.city like bern", ["Ann", "Dee"]),
        ("address.city not like 'b%'", ["Bob"]),
        ("not (address.city contains ER)", ["Bob"]),
        ("tags = a", ["Ann"]),
        ("items.n = 5", ["Cy"]),
        ("items.0.n = 1", ["Cy"]),
        ("since > 2024-01-01", ["Bob"]),
        ("since = 2024-01-02T03:04:05Z", ["Bob"]),
        ("price = 9.9", ["Dee"]),
        (f"team = {OID}", ["Ann"]),
        ("name contains '.'", []),
        ("name like '.*'", []),
        ("name like '_e_'", ["Dee"]),
        ("name like '%'", ["Ann", "Bob", "Cy", "Dee"]),
        ("nope = 1", []),
        ("(age = 31) xor (name = Bob)", ["Ann", "Bob"]),
        ("name in (Ann, 'Bob')", ["Ann", "Bob"]),
        ("name not in (Ann)", ["Bob", "Cy", "Dee"]),
    ],
)
def test_text_filters_find_documents(place: Place, text: str, names: list[str]) -> None:
    assert place.names(filter=text) == names
    assert place.client.get(place.path("people"), params={"filter": text, "count_only": "true"}).json() == len(names)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"name": "Ann"}, ["Ann"]),
        ({"age": {"$gt": 40}}, ["Bob"]),
        ({"age": {"$ne": 45}}, ["Ann", "Cy", "Dee"]),
        ({"$or": [{"age": 31}, {"name": "Bob"}]}, ["Ann", "Bob"]),
        ({"$nor": [{"age": 31}, {"name": "Bob"}]}, ["Cy", "Dee"]),
        ({"age": {"$not": {"$gt": 40}}}, ["Ann", "Cy", "Dee"]),
        ({"items": {"$elemMatch": {"n": {"$gt": 2}, "ok": False}}}, ["Cy"]),
        ({"tags": {"$all": ["a", "b"]}}, ["Ann"]),
        ({"tags": {"$size": 0}}, ["Bob"]),
        ({"age": {"$type": "string"}}, ["Dee"]),
        ({"age": {"$mod": [15, 0]}}, ["Bob"]),
        ({"nick": {"$exists": True}}, ["Cy"]),
        ({"name": {"$regex": "^a", "$options": "i"}}, ["Ann"]),
        ({"since": {"$gte": {"$date": "2024-01-02T00:00:00Z"}}}, ["Bob"]),
        ({"team": {"$in": [{"$oid": OID}, 5]}}, ["Ann"]),
        ({"address": {"city": "Rome"}}, ["Bob"]),
        ({"address.city": "Rome", "age": {"$lt": 50, "$gt": 40}}, ["Bob"]),
    ],
)  # fmt: skip
def test_native_filters_find_documents(place: Place, given: dict[str, Any], names: list[str]) -> None:
    assert place.names(filter=given) == names
    assert place.names(filter=json.dumps(given)) == names


@pytest.mark.parametrize(
    "given",
    [
        {}, {"$where": "1"}, {"a": {"$where": "1"}}, {"$expr": {"$gt": ["$a", 1]}}, {"$and": []}, {"$or": [{}]},
        {"$and": [5]},
        {"a": {"$function": {}}}, {"$text": {"$search": "x"}}, {"$jsonSchema": {}}, {"a": {"$in": []}},
        {"a": {"$in": 5}},
        {"a": {"$gt": {"$gt": 1}}}, {"a": {"$in": [{"$where": "1"}]}}, {"a": {"b": {"$where": "1"}}},
        {"a": {"$regex": "("}},
        {"a": {"$options": "i"}}, {"a": {"$elemMatch": {"$where": "1"}}}, {"a": {"$not": 5}},
        {"a": {"$size": "1"}}, {"$comment": "x"},
        {"a": {"$elemMatch": {"b": {"$where": "1"}}}}, {"a": {"$elemMatch": {"$or": [{"$where": "1"}]}}},
        {"a.$b": 1}, {"": 1},
        {"a": {"$exists": {"$gt": 0}}}, {"a": {"$mod": [0, 1]}}, {"a": {"$type": 5}}, {"a": {"$eq": 1, "b": 2}},
        {"$nor": "x"},
        {"a": {"$regex": {"$gt": ""}}}, {"a": {"$near": [0, 0]}}, {"a": {"$rand": {}}}, {"$nor": [{"$expr": True}]},
    ],
)  # fmt: skip
def test_what_is_not_allowed_in_a_native_filter_is_refused(place: Place, given: dict[str, Any]) -> None:
    """Checklist 3, D26: also where it would delete."""
    error_of(place.client.post(place.path("people"), json={"filter": given}, headers=TUNNEL), 400)
    error_of(place.client.request("DELETE", place.path("people"), json={"filter": given, "force": True}), 400)
    body = {"filter": given, "resource": {"gone": True}}
    error_of(place.client.patch(place.path("people"), json=body), 400)
    assert place.native.people.count_documents({}) == 4
    assert place.native.people.count_documents({"gone": True}) == 0


def test_parameters_hold_values_and_never_operators(place: Place) -> None:
    def asked(text: str, **params: Any) -> Any:
        body = {"filter": text, "params": params, "fields": "name"}
        return place.client.post(place.path("people"), json=body, headers=TUNNEL)

    assert [one["name"] for one in asked("team = :t", t={"$oid": OID}).json()["resource"]] == ["Ann"]
    assert [one["name"] for one in asked("since < :d", d={"$date": "2025-01-01"}).json()["resource"]] == ["Bob"]
    assert [one["name"] for one in asked("age = :n", n=45).json()["resource"]] == ["Bob"]
    assert [one["name"] for one in asked("age = :n", n="45").json()["resource"]] == ["Dee"]
    for wrong in ({"$ne": 1}, {"$gt": ""}, {"$regex": "."}, {"$where": "1"}, {"a": 1}):
        error_of(asked("age = :n", n=wrong), 400)
        error_of(asked("age in (:n)", n=[wrong]), 400)
        error_of(asked("name contains :n", n=wrong), 400)
    for wrong in ({"$ne": 1}, [{"$gt": ""}]):
        error_of(place.client.post(place.path("people"), json={"ids": [wrong]}, headers=TUNNEL), 400)


# Reading.


def test_fields_may_be_paths_and_the_id_comes_along(place: Place) -> None:
    (row,) = place.rows(filter="name = Ann", fields="name,address.city,nope")
    assert row == {"_id": row["_id"], "name": "Ann", "address": {"city": "Bern"}, "nope": None}
    (row,) = place.rows(filter="name = Ann", fields="address,address.city")
    assert row["address"] == {"city": "Bern", "zip": "3000"}
    for wrong in ("$where", "a..b", "a.$b", "x\0y"):
        error_of(place.client.post(place.path("people"), json={"fields": wrong}, headers=TUNNEL), 400)


def test_order_pages_and_groups_work_on_paths(place: Place) -> None:
    assert [one["name"] for one in place.rows(order="address.city desc, name", limit=2)] == ["Dee", "Bob"]
    assert [one["name"] for one in place.rows(order="address.city asc nulls last", limit=3)] == ["Ann", "Bob", "Dee"]
    rows = place.rows(group="address.city", fields="address.city,COUNT(*),MAX(name)", filter="address.city is not null")
    assert rows == [
        {"address": {"city": city}, "count_all": 1, "max_name": name}
        for city, name in (("Bern", "Ann"), ("Rome", "Bob"), ("bern", "Dee"))
    ]
    found, page = [], ""
    for _ in range(9):
        params = {"paging": "keyset", "limit": "2", **({"page": page} if page else {})}
        content = place.client.get(place.path("people"), params=params).json()
        found += [one["name"] for one in content["resource"]]
        page = content.get("meta", {}).get("next_page")
        if not page:
            break
    assert sorted(found) == ["Ann", "Bob", "Cy", "Dee"]


# Roles.


def test_a_roles_filters_bind_whatever_is_asked(place: Place) -> None:
    """D5."""
    filters = [{"name": "address.city", "operator": "=", "value": "Bern"}]
    row = {"service": place.name, "component": "_table/*", "verb_mask": 31, "filters": filters}
    client = place.gateway.key_for([row])
    (ann,) = place.rows(client=client)
    assert ann["name"] == "Ann"
    for given in (
        {"name": {"$exists": True}},
        {"$or": [{"name": "Bob"}, {"age": {"$ne": 0}}]},
        "name = Bob or name = Ann",
    ):
        assert [one["name"] for one in place.rows(client=client, filter=given)] == ["Ann"]
    assert place.rows(client=client, filter="age = 45") == []
    path = place.path("people", ann["_id"])
    assert client.patch(path, json={"$inc": {"age": 1}}).status_code == 200
    for change in (
        {"address.city": "Rome"}, {"address": {"city": "Rome"}}, {"$set": {"address.city": "Rome"}},
        {"$unset": {"address": ""}}, {"address": None}, {"$min": {"address.city": "A"}},
        {"$currentDate": {"address": True}},
    ):  # fmt: skip
        error_of(client.patch(path, json=change), 403)
    error_of(client.put(path, json={"name": "Ann"}), 403)
    assert client.put(path, json={"name": "Ann", "address": {"city": "Bern"}}).status_code == 200
    error_of(client.post(place.path("people"), json={"name": "x"}), 403)
    assert client.post(place.path("people"), json={"name": "x", "address": {"city": "Bern"}}).status_code == 200
    bob = place.rows(filter="name = Bob")[0]
    error_of(client.delete(place.path("people", bob["_id"])), 404)
    client.delete(place.path("people"), params={"force": "true"})
    assert place.names() == ["Bob", "Cy", "Dee"]


def test_response_filters_reach_into_documents(place: Place) -> None:
    """D33."""
    filters = [
        {"name": "address.city", "action": "exclude"}, {"name": "age", "action": "exclude"},
        {"name": "items.n", "action": "mask", "value": "null"},
    ]  # fmt: skip
    row = {"service": place.name, "component": "_table/*", "verb_mask": 31, "response_filters": filters}
    client = place.gateway.key_for([row])
    ann, _, cy, _ = place.rows(client=client, order="name")
    assert ann["address"] == {"zip": "3000"}
    assert "age" not in ann
    assert cy["items"] == [{"n": None, "ok": True}, {"n": None, "ok": False}]
    for asked in (
        {"filter": "address.city = Bern"}, {"filter": "address is null"}, {"filter": {"address": {"$exists": True}}},
        {"filter": {"address": {"$elemMatch": {"city": "Bern"}}}}, {"filter": {"items": {"$elemMatch": {"n": 1}}}},
        {"order": "age"}, {"order": "address"}, {"group": "address.city"}, {"fields": "MAX(age)"}, {"fields": "age"},
        {"filter": "items.0.n = 1"},
    ):  # fmt: skip
        error_of(client.post(place.path("people"), json=asked, headers=TUNNEL), 400)
    assert place.rows(client=client, fields="address", filter="name = Ann")[0]["address"] == {"zip": "3000"}
    allowed = [{"name": "name", "action": "allow"}, {"name": "address.zip", "action": "allow"}]
    client = place.gateway.key_for([{**row, "response_filters": allowed}])
    assert place.rows(client=client, filter="name = Ann") == [{"name": "Ann", "address": {"zip": "3000"}}]
