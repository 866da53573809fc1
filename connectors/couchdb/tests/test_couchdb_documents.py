"""Documents of any shape: revisions, paths, attachments, design documents, conflicts; and values in declared fields."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from couch_servers import Couch

from trunkline_database.testing.library import error_of

pytestmark = pytest.mark.live

BYTES = base64.b64encode(bytes(range(256))).decode()
DESIGN = {"_id": "_design/one", "views": {"all": {"map": "function (doc) { emit(doc._id); }"}}}
PEOPLE: list[dict[str, Any]] = [
    {"_id": "ann", "age": 31, "tags": ["a", "b"], "address": {"city": "Bern", "zip": "3000"}},
    {"_id": "bob", "age": 45, "tags": [], "address": {"city": "Rome"}, "dotted.name": 1},
    {"_id": "cy", "age": None, "nick": "1.5", "items": [{"n": 1}]},
    {"_id": "dee", "age": "45", "address": {"city": "bern"}, "ok": True},
]


@pytest.fixture
def people(couch: Couch) -> Couch:
    """Some documents of several shapes, and one of design."""
    couch.put(*PEOPLE, DESIGN)
    return couch


def test_documents_come_whole_with_their_revisions(people: Couch) -> None:
    found = people.rows(order="_id")
    # A name with dots goes out as the path that it may be.
    wanted = [PEOPLE[0], {**PEOPLE[1], "dotted": {"name": 1}}, *PEOPLE[2:]]
    del wanted[1]["dotted.name"]
    assert [{name: value for name, value in one.items() if name != "_rev"} for one in found] == wanted
    assert all(one["_rev"].startswith("1-") for one in found)
    assert people.client.get(people.path("ann")).json() == people.kept("ann")
    error_of(people.client.get(people.path("nobody")), 404)


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ("age > 40", ["bob", "dee"]),
        ("age = 45", ["bob", "dee"]),
        ("age = '45'", ["dee"]),
        ("age is null", ["cy"]),
        ("address.city = 'Bern'", ["ann"]),
        ("address.city like 'b%'", ["ann", "dee"]),
        ("address.zip is not null", ["ann"]),
        ("not (address.city = 'Rome')", ["ann", "dee"]),
        ("ok = true", ["dee"]),
        ("nick = 1.5", ["cy"]),
        ("_id in (ann, dee, nobody)", ["ann", "dee"]),
        ("_id starts with 'b'", ["bob"]),
        ("nothing = 1 or age < 40", ["ann"]),
    ],
)
def test_conditions_reach_into_documents(people: Couch, filter_: str, found: list[str]) -> None:
    assert people.ids(filter=filter_) == found
    counted = people.client.get(people.path(), params={"filter": filter_, "count_only": "true"})
    assert counted.json() == len(found)


def test_fields_come_with_id_and_revision(people: Couch) -> None:
    """Database-api 20.2."""
    (found,) = people.rows(filter="_id = ann", fields="address.city,age")
    assert found == {"_id": "ann", "_rev": people.kept("ann")["_rev"], "address": {"city": "Bern"}, "age": 31}
    (found,) = people.rows(filter="_id = ann", fields="_id")
    assert set(found) == {"_id", "_rev"}
    made = people.client.post(people.path(), json={"_id": "eve", "n": 1}).json()
    assert made == {"_id": "eve", "_rev": people.kept("eve")["_rev"]}
    for verb in ("PUT", "PATCH"):
        changed = people.client.request(verb, people.path("eve"), json={"n": 2}).json()
        assert changed == {"_id": "eve", "_rev": people.kept("eve")["_rev"]}
    gone = people.client.delete(people.path("eve"))
    assert gone.json()["_id"] == "eve"
    error_of(people.client.get(people.path("eve")), 404)


def test_an_id_is_made_where_none_is_given(couch: Couch) -> None:
    made = couch.client.post(couch.path(), json=[{"n": 1}, {"n": 2}]).json()["resource"]
    assert len({one["_id"] for one in made}) == 2
    assert couch.kept(made[1]["_id"])["n"] == 2
    error_of(couch.client.post(couch.path(), json={"_id": made[0]["_id"], "n": 3}), 409)
    assert couch.kept(made[0]["_id"])["n"] == 1
    for bad in ("_design/mine", "_local/x", 5, {"$gt": ""}, ["a"]):
        error_of(couch.client.post(couch.path(), json={"_id": bad, "n": 1}), 400)


def test_put_stores_the_whole_document_if_the_revision_is_the_last(people: Couch) -> None:
    old = people.kept("ann")["_rev"]
    assert people.client.put(people.path("ann"), json={"_rev": old, "age": 32}).status_code == 200
    new = people.kept("ann")
    assert new == {"_id": "ann", "_rev": new["_rev"], "age": 32}
    error_of(people.client.put(people.path("ann"), json={"_rev": old, "age": 33}), 409)
    assert people.kept("ann") == new
    # Without one the last is taken.
    assert people.client.put(people.path("ann"), json={"age": 34}).status_code == 200
    assert people.kept("ann")["age"] == 34


def test_patch_takes_no_notice_of_id_and_revision(people: Couch) -> None:
    reply = people.client.patch(people.path("bob"), json={"_id": "other", "_rev": "9-x", "age": 46})
    assert reply.status_code == 200, reply.text
    found = people.kept("bob")
    assert found == {**PEOPLE[1], "age": 46, "_rev": found["_rev"]}
    assert people.client.patch(people.path("bob"), json={"address.zip": "1"}).status_code == 200
    assert people.kept("bob")["address"] == {"city": "Rome", "zip": "1"}
    assert people.client.patch(people.path("bob"), json={"dotted.name": 2}).status_code == 200
    assert people.kept("bob")["dotted.name"] == 2


def test_attachments_stay(couch: Couch) -> None:
    data = base64.b64encode(b"hello").decode()
    couch.put({"_id": "a", "n": 1, "_attachments": {"x.txt": {"content_type": "text/plain", "data": data}}})
    for verb in ("PATCH", "PUT"):
        assert couch.client.request(verb, couch.path("a"), json={"n": verb}).status_code == 200
        assert couch.kept("a")["n"] == verb
        assert couch.direct.get(f"/{couch.name}/a/x.txt").content == b"hello"
    error_of(couch.client.patch(couch.path("a"), json={"_attachments": {}}), 400)


def test_design_documents_are_no_rows(people: Couch) -> None:
    client, path = people.client, people.path()
    assert people.ids() == ["ann", "bob", "cy", "dee"]
    assert client.get(path, params={"count_only": "true"}).json() == 4
    assert client.get(path, params={"include_count": "true", "limit": 1}).json()["meta"]["count"] == 4
    assert client.get(path, params={"fields": "COUNT(*)"}).json()["resource"] == [{"count_all": 4}]
    assert people.ids(filter="_id = '_design/one'") == []
    assert people.ids(filter="views is not null or age > 0") == ["ann", "bob", "dee"]
    for reply in (
        client.get(people.path("_design%2Fone")),
        client.get(path, params={"ids": "_design/one"}),
        client.patch(path, params={"ids": "_design/one"}, json={"resource": {"n": 1}}),
        client.delete(path, params={"ids": "_design/one"}),
        client.put(path, json=[{"_id": "_design/one", "n": 1}]),
    ):
        assert reply.status_code in (400, 404), reply.text
    assert client.patch(path, params={"force": "true"}, json={"resource": {"n": 1}}).status_code == 200
    assert client.delete(path, params={"force": "true"}).status_code == 200
    assert people.ids() == []
    assert people.kept("_design/one")["views"] == DESIGN["views"]


def test_rows_of_roles_bind_documents(people: Couch) -> None:
    rows = {"component": f"_table/{people.name}/*", "verb_mask": 31}
    rows["filters"] = [{"name": "address.city", "operator": "=", "value": "Rome"}]
    client = people.gateway.key_for([{"service": "couch", **rows}])
    assert [one["_id"] for one in people.rows(client)] == ["bob"]
    error_of(client.get(people.path("ann")), 404)
    error_of(client.patch(people.path("ann"), json={"age": 1}), 404)
    error_of(client.patch(people.path("bob"), json={"address": {"city": "Bern"}}), 403)
    error_of(client.put(people.path("bob"), json={"age": 1}), 403)
    error_of(client.post(people.path(), json={"_id": "eve"}), 403)
    assert client.delete(people.path(), params={"force": "true"}).status_code == 200
    assert people.ids() == ["ann", "cy", "dee"]


def test_nothing_is_lost_among_many_writers(couch: Couch) -> None:
    """Fields that each writes alone, and one that all of them count up."""
    fields = [{"name": "n", "type": "integer", "allow_null": True}]
    assert couch.client.post(f"/couch/_schema/{couch.name}/_field", json={"resource": fields}).status_code == 200
    couch.put({"_id": "sum", "n": 0})

    def write(number: int) -> int:
        body = {f"f{number}": number, "n": {"expression": "n + 1"}}
        return couch.client.patch(couch.path("sum"), json=body).status_code

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(write, range(30)))
    assert set(done) <= {200, 503}
    assert done.count(200) > 15
    found = couch.kept("sum")
    assert found["n"] == done.count(200)
    assert {number for number in range(30) if f"f{number}" in found} == {
        n for n, told in enumerate(done) if told == 200
    }


def test_declared_fields_keep_their_values(couch: Couch) -> None:
    kinds = {
        "big": ("bigint", 9007199254740993), "exact": ("decimal", "12345678901234567.89"), "ratio": ("double", 0.1),
        "day": ("date", "2024-02-29"), "hour": ("time", "23:59:58"), "moment": ("datetime", "2024-02-29 23:59:58"),
        "zoned": ("timestamptz", "2024-02-29 23:59:58+00:00"), "data": ("binary", BYTES), "flag": ("boolean", False),
        "odd": ("text", "é☃\U0001f600'\"\\$ne\n"), "deep": ("json", {"a": [1, {"$b": None}]}),
    }  # fmt: skip
    fields: list[dict[str, Any]] = [{"name": "id", "type": "id"}]
    fields += [
        {"name": name, "type": kind, "allow_null": True, **({"precision": 20, "scale": 2} if kind == "decimal" else {})}
        for name, (kind, _) in kinds.items()
    ]
    name = f"{couch.name}_typed"
    assert couch.client.post("/couch/_schema", json={"resource": [{"name": name, "field": fields}]}).status_code == 200
    row = {name: value for name, (_, value) in kinds.items()}
    made = couch.client.post(f"/couch/_table/{name}", json=row)
    assert made.status_code == 200, made.text
    told = couch.client.get(f"/couch/_table/{name}/1").text
    assert json.loads(told) | {"exact": json.loads(told, parse_float=str)["exact"]} == {"id": 1, **row}
    for column in ("big", "exact", "day", "moment", "data", "odd"):
        body = {"filter": f"{column} = :v", "params": {"v": row[column]}, "fields": "id"}
        reply = couch.client.post(f"/couch/_table/{name}", json=body, headers={"X-HTTP-Method": "GET"})
        assert reply.json() == {"resource": [{"id": 1}]}, column


def test_values_that_others_kept_in_another_form_are_found(couch: Couch) -> None:
    fields = [
        {"name": name, "type": kind, "allow_null": True}
        for name, kind in (("price", "decimal"), ("at", "datetime"), ("n", "integer"))
    ]
    assert couch.client.post(f"/couch/_schema/{couch.name}/_field", json={"resource": fields}).status_code == 200
    couch.put(
        {"_id": "a", "price": "10.10", "at": "2024-01-02T03:04:05", "n": 5},
        {"_id": "b", "price": 10.1, "at": "2024-01-02 03:04:05", "n": "5"},
    )
    for text in (
        "price = 10.1",
        "price in (10.100, 3)",
        "at = '2024-01-02 03:04:05'",
        "n = 5",
        "n in (5, 6)",
        "n >= 5",
    ):
        assert couch.ids(filter=text) == ["a", "b"], text


def test_keys_that_are_equal_are_one(couch: Couch) -> None:
    field = [{"name": "at", "type": "decimal", "precision": 9, "scale": 3, "is_primary_key": True}]
    field.append({"name": "n", "type": "integer", "allow_null": True})
    name = f"{couch.name}_keys"
    assert couch.client.post("/couch/_schema", json={"resource": [{"name": name, "field": field}]}).status_code == 200
    path = f"/couch/_table/{name}"
    assert couch.client.post(path, json={"at": "10.10", "n": 1}).status_code == 200
    error_of(couch.client.post(path, json={"at": "10.100", "n": 2}), 409)
    assert couch.client.get(f"{path}/10.1").json()["n"] == 1
    assert couch.client.get(path, params={"filter": "at = 10.1", "fields": "n"}).json() == {"resource": [{"n": 1}]}


def test_pages_lead_through_every_document_once(couch: Couch) -> None:
    number = 5000
    couch.put(*({"_id": f"{index:05}", "n": index} for index in range(number)))
    couch.put(DESIGN)
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 700, "fields": "n", "include_count": "true"}
    while True:
        told = couch.client.get(couch.path(), params=params).json()
        seen += [one["_id"] for one in told["resource"]]
        if (following := told.get("meta", {}).get("next")) is None:
            break
        params["offset"] = following
    assert len(seen) == len(set(seen)) == number
    asked = {"limit": number, "fields": "n"}
    reply = couch.client.get(couch.path(), params=asked, headers={"Accept": "application/x-ndjson"})
    assert reply.status_code == 200
    lines = [json.loads(one) for one in reply.text.splitlines()]
    assert [one["n"] for one in lines] == list(range(number))
    seen, params = [], {"limit": 800, "paging": "keyset", "fields": "_id"}
    while True:
        told = couch.client.get(couch.path(), params=params).json()
        seen += [one["_id"] for one in told["resource"]]
        if "next_page" not in told.get("meta", {}):
            break
        params["page"] = told["meta"]["next_page"]
    assert seen == [f"{index:05}" for index in range(number)]
