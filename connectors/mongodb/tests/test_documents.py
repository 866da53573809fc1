"""What MongoDB's own clients expect: ids, documents of any shape, operators (database-api 20.1)."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from mongo_servers import TEAM as OID
from mongo_servers import Place
from servers import Server

from trunkline_database.testing.library import error_of

pytestmark = pytest.mark.live


@pytest.fixture
def place(mongo_place: Place) -> Place:
    """Documents about four people, in a collection that nobody declared."""
    return mongo_place


# Ids.


def test_an_id_of_mongodbs_own_is_text_everywhere(place: Place) -> None:
    ann = place.native.people.find_one({"name": "Ann"})
    assert ann is not None
    text = str(ann["_id"])
    assert place.client.get(place.path("people", text)).json()["name"] == "Ann"
    assert place.rows(ids=[text, {"$oid": text}], fields="name") == [{"_id": text, "name": "Ann"}] * 2
    assert place.rows(ids=[{"_id": {"$oid": text}}], fields="")[0] == {"_id": text}
    assert place.client.patch(place.path("people", text), json={"age": 32}).json() == {"_id": text}
    assert place.names(filter=f"_id = {text}") == place.names(filter=f"_id in ('{text}', 'x')") == ["Ann"]
    assert place.names(filter={"_id": {"$oid": text}}) == ["Ann"]
    assert place.client.delete(place.path("people", text)).json() == {"_id": text}
    error = error_of(place.client.get(place.path("people", text)), 404)
    assert text in error["message"]


def test_ids_of_ones_own_keep_their_types(place: Place) -> None:
    records = [{"_id": OID, "n": 1}, {"_id": "x", "n": 2}, {"_id": 7, "n": 3}, {"n": 4}]
    made = place.client.post(place.path("ids"), json={"resource": records}).json()["resource"]
    assert [one["_id"] for one in made[:3]] == [OID, "x", 7]
    assert {type(one["_id"]) for one in place.native.ids.find()} == {ObjectId, str, int}
    assert place.client.get(place.path("ids", 7), params={"id_type": "integer"}).json()["n"] == 3
    error_of(place.client.get(place.path("ids", 7)), 404)
    error_of(place.client.get(place.path("ids", "x"), params={"id_type": "integer"}), 400)
    assert [one["n"] for one in place.rows("ids", ids=[7, "x", OID])] == [3, 2, 1]
    error_of(place.client.post(place.path("ids"), json={"_id": "x"}), 409)
    for wrong in ([1], None, {"$gt": ""}):
        error_of(place.client.post(place.path("ids"), json={"_id": wrong}), 400)
    assert place.client.put(place.path("ids", "new"), json={"n": 5}, params={"upsert": "true"}).json() == {"_id": "new"}
    assert place.native.ids.find_one({"_id": "new"}) == {"_id": "new", "n": 5}


# Values.


def test_a_document_comes_back_as_it_went(place: Place) -> None:
    document = {
        "text": "x", "n": 5, "big": 2**60, "real": 1.5, "yes": True, "none": None, "list": [1, "a", {"b": [None]}],
        "at": {"$date": "2026-01-02T03:04:05+00:00"},
        "deep": {"er": {"at": {"$date": "2026-01-02T03:04:05.123000+00:00"}}},
        "data": {"$binary": "AAEC/w=="}, "uuid": {"$uuid": "12345678-1234-5678-1234-567812345678"},
        "empty": {}, "nothing": [],
    }  # fmt: skip
    made = place.client.post(place.path("things"), json=document, params={"fields": "*"}).json()
    assert made == {**document, "_id": made["_id"]}
    assert place.client.get(place.path("things", made["_id"])).json() == made
    stored = place.native.things.find_one({"text": "x"}, {"_id": 0, "at": 1, "data": 1, "big": 1})
    assert stored == {"at": dt.datetime(2026, 1, 2, 3, 4, 5), "data": b"\x00\x01\x02\xff", "big": 2**60}
    assert place.client.put(place.path("things", made["_id"]), json=made, params={"fields": "*"}).json() == made


def test_values_that_json_does_not_have(place: Place) -> None:
    sent = {
        "o": {"$oid": OID},
        "d": {"$numberDecimal": "1.10"},
        "l": {"$numberLong": "5"},
        "t": {"$date": 0},
        "i": {"$id": OID},
    }
    made = place.client.post(place.path("things"), json=sent, params={"fields": "*"})
    assert made.text.count("1.10") == 1  # D14
    stored = place.native.things.find_one({"o": ObjectId(OID)})
    assert stored is not None
    assert (stored["d"], stored["l"], stored["t"]) == (Decimal128("1.10"), Int64(5), dt.datetime(1970, 1, 1))
    assert made.json()["o"] == made.json()["i"] == OID
    before = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    place.client.post(place.path("things"), json={"now": {"$date": ""}})
    found = place.native.things.find_one({"now": {"$exists": True}})
    assert found is not None
    assert found["now"] >= before
    place.native.things.insert_one(
        {"u": UUID(int=5).hex, "b": Binary(b"x", 128), "nan": float("nan"), "inf": float("inf")}
    )
    assert place.rows("things", filter="b is not null")[0]["b"] == {"$binary": {"base64": "eA==", "subType": "80"}}


@pytest.mark.parametrize(
    "record",
    [
        {"a": {"$gt": 1}}, {"a": {"b": {"$ne": 1}}}, {"a": [{"$where": "1"}]}, {"a": {"$date": "x"}},
        {"a": {"$oid": "x"}},
        {"a": {"$oid": OID, "$x": 1}}, {"a": 2**63}, {"a": {"$function": {}}}, {"a": {"x\0y": 1}},
        {"a": {"$oid": {"$gt": ""}}},
        {"a": {"$numberLong": "99999999999999999999"}}, {"a": {"$binary": "?"}},
        {"a": {"$ref": "people", "$id": OID}},
    ],
)  # fmt: skip
def test_operators_in_values_are_refused(place: Place, record: dict[str, Any]) -> None:
    """Checklist 3."""
    error_of(place.client.post(place.path("people"), json=record), 400)
    ann = place.rows(filter="name = Ann")[0]
    error_of(place.client.patch(place.path("people", ann["_id"]), json=record), 400)
    error_of(place.client.put(place.path("people", ann["_id"]), json=record), 400)
    assert place.rows(filter="name = Ann")[0] == ann


# Writing.


def test_put_replaces_and_patch_keeps(place: Place) -> None:
    (ann,) = place.rows(filter="name = Ann", fields="name")
    path = place.path("people", ann["_id"])
    assert place.client.patch(path, json={"age": 1, "address.city": "Genf"}).status_code == 200
    stored = place.native.people.find_one({"name": "Ann"})
    assert stored is not None
    assert (stored["age"], stored["address"]) == (1, {"city": "Genf", "zip": "3000"})
    assert place.client.put(path, json={"name": "Anna"}).json() == {"_id": ann["_id"]}
    assert place.client.get(path).json() == {"_id": ann["_id"], "name": "Anna"}
    error_of(place.client.put(place.path("people", OID), json={"name": "x"}), 404)
    rows = place.client.put(place.path("people"), json={"filter": "age = 45", "resource": {"same": 1}, "fields": "*"})
    assert [{**one, "_id": 0} for one in rows.json()["resource"]] == [{"_id": 0, "same": 1}] * 2
    by_name = place.client.put(place.path("people", "Anna"), json={"n": 1}, params={"id_field": "name", "fields": "n"})
    assert by_name.json() == {"_id": ann["_id"], "n": 1}
    assert place.client.get(path).json() == {"_id": ann["_id"], "name": "Anna", "n": 1}


def test_update_operators_change_documents(place: Place) -> None:
    (ann,) = place.rows(filter="name = Ann", fields="name")
    path = place.path("people", ann["_id"])
    change = {
        "$inc": {"age": 2}, "$push": {"tags": {"$each": ["c", "d"], "$position": 0, "$slice": 3}}, "$set": {"x.y": 1},
        "$unset": {"team": ""}, "$currentDate": {"seen": True}, "$addToSet": {"set": 1}, "$max": {"top": 5},
        "name": "Annie",
    }  # fmt: skip
    row = place.client.patch(path, json=change, params={"fields": "*"}).json()
    assert isinstance(row.pop("seen")["$date"], str)
    assert row == {
        "_id": ann["_id"], "name": "Annie", "age": 33, "tags": ["c", "d", "a"], "x": {"y": 1}, "set": [1], "top": 5,
        "address": {"city": "Bern", "zip": "3000"},
    }  # fmt: skip
    by_filter = {"filter": "age = 33", "resource": {"$pull": {"tags": {"$in": ["c", "d"]}}}, "fields": "tags"}
    assert place.client.patch(place.path("people"), json=by_filter).json()["resource"][0]["tags"] == ["a"]
    place.client.patch(path, json={"$pop": {"tags": 1}, "$mul": {"age": 2}, "$bit": {"top": {"xor": 1}}})
    assert place.rows(filter="name = Annie", fields="tags,age,top") == [
        {"_id": ann["_id"], "tags": [], "age": 66, "top": 4}
    ]
    for wrong in (
        {"$where": {"a": 1}}, {"$rename": {"a": "b"}}, {"$inc": {"age": "x"}}, {"$inc": {"name": 1}}, {"$inc": 5},
        {"$inc": {}},
        {"$set": {"a": {"$gt": 1}}}, {"$set": {"$a": 1}}, {"$push": {"tags": {"$each": [1], "$where": 1}}},
        {"$pop": {"tags": 7}},
        {"$pull": {"tags": {"$where": "1"}}}, {"$set": {"a": 1, "a.b": 2}}, {"$setOnInsert": {"a": 1}},
        {"$currentDate": {"a": "x"}},
        {"$push": {"tags": {"$each": [{"$ne": 1}]}}}, {"$bit": {"top": {"x": 1}}}, {"$pullAll": {"tags": 1}},
        {"$push": {"tags": {"$each": [1], "$sort": {"$where": 1}}}}, {"$push": {"name": 1}},
    ):  # fmt: skip
        error_of(place.client.patch(path, json=wrong), 400)
    error_of(place.client.post(place.path("people"), json={"$set": {"a": 1}}), 400)
    error_of(place.client.put(path, json={"$set": {"a": 1}}), 400)
    assert place.rows(filter="name = Annie", fields="tags,age,top")[0]["age"] == 66


# Structure and relations.


def test_a_collection_tells_what_some_documents_show(place: Place) -> None:
    table = place.client.get(f"/{place.name}/_schema/people").json()
    assert table["native"] == {"sampled": True}
    assert table["primary_key"] == ["_id"]
    kinds = {one["name"]: (one["type"], one["db_type"]) for one in table["field"]}
    assert kinds["_id"] == ("string", "objectId")
    assert kinds["age"] == ("string", "mixed")
    assert kinds["tags"] == ("array", "array")
    assert kinds["address"] == ("json", "object")
    assert kinds["since"] == ("datetime", "date")
    assert all(one["native"] == {"sampled": True} for one in table["field"])
    for verb in ("PATCH", "PUT"):
        assert place.client.request(verb, f"/{place.name}/_schema/people", json=table).status_code == 200
        assert place.client.get(f"/{place.name}/_schema/people").json() == table


def test_a_collection_is_made_bare_and_may_declare_some_fields(place: Place) -> None:
    client, schema = place.client, f"/{place.name}/_schema"
    assert client.post(schema, json={"resource": [{"name": "bare"}]}).json() == {"resource": [{"name": "bare"}]}
    assert client.post(place.path("bare"), json={"any": [1]}).status_code == 200
    field = {"name": "day", "type": "date", "allow_null": True, "alias": "tag"}
    assert client.post(f"{schema}/bare/_field", json=[field]).status_code == 200
    made = client.post(place.path("bare"), json={"tag": "2024-02-29", "other": {"x": 1}}, params={"fields": "*"}).json()
    assert made == {"_id": made["_id"], "tag": "2024-02-29", "other": {"x": 1}}
    assert place.native.bare.find_one({"other.x": 1})["day"] == dt.datetime(2024, 2, 29)  # type: ignore[index]
    assert len(place.rows("bare", filter="tag < '2025-01-01'")) == 1
    error_of(client.post(place.path("bare"), json={"tag": "soon"}), 400)
    for name in ("system.x", "a$b", "trunkline.tables", ".x"):
        error_of(client.post(schema, json={"resource": [{"name": name}]}), 400)
    assert client.delete(f"{schema}/bare").json() == {"success": True}
    assert "bare" not in place.native.list_collection_names()


def test_relations_lead_from_ids_to_documents_and_back(place: Place) -> None:
    place.native.teams.insert_one({"_id": ObjectId(OID), "title": "Red"})
    relation = {"type": "belongs_to", "field": "team", "ref_table": "teams", "ref_field": "_id", "is_virtual": True}
    back = {"type": "has_many", "field": "_id", "ref_table": "people", "ref_field": "team", "is_virtual": True}
    for table, one in (("people", relation), ("teams", back)):
        reply = place.client.post(f"/{place.name}/_schema/{table}/_related", json={"resource": [one]})
        assert reply.status_code == 200, reply.text
    ann, bob, *_ = place.rows(related="teams_by_team", order="name")
    assert ann["teams_by_team"] == {"_id": OID, "title": "Red"}
    assert bob["teams_by_team"] is None
    team = place.client.get(
        place.path("teams", OID), params={"related": "people_by_team", "people_by_team.fields": "name"}
    )
    assert [one["name"] for one in team.json()["people_by_team"]] == ["Ann"]


def test_relations_lead_to_other_services_and_back(place: Place, postgresql_server: Server) -> None:
    gateway, sql = place.gateway, f"sql{place.name}"
    made = gateway.create_service(sql, "pgsql", postgresql_server.new_config())
    fields = [{"name": "id", "type": "id"}, {"name": "label", "type": "string"}, {"name": "owner", "type": "string"}]
    assert gateway.admin.post(f"/{sql}/_schema/orders", json={"field": fields}).status_code == 200
    ann = place.rows(filter="name = Ann")[0]["_id"]
    records = [{"label": "one", "owner": ann}, {"label": "two", "owner": ann}, {"label": "three", "owner": "Bob"}]
    ids = [one["id"] for one in gateway.admin.post(f"/{sql}/_table/orders", json=records).json()["resource"]]
    place.client.patch(place.path("people", ann), json={"first_order": ids[0]})
    for path, relation in (
        (f"/{place.name}/_schema/people", {"type": "belongs_to", "field": "first_order", "ref_table": "orders",
                                           "ref_field": "id", "ref_service_id": made["id"], "is_virtual": True}),
        (f"/{place.name}/_schema/people", {"type": "has_many", "field": "_id", "ref_table": "orders",
                                           "ref_field": "owner", "ref_service_id": made["id"], "is_virtual": True}),
        (f"/{sql}/_schema/orders", {"type": "belongs_to", "field": "owner", "ref_table": "people", "ref_field": "_id",
                                    "ref_service_id": place.id, "is_virtual": True}),
    ):  # fmt: skip
        reply = gateway.admin.post(f"{path}/_related", json={"resource": [relation]})
        assert reply.status_code == 200, reply.text
    first, many = f"{sql}.orders_by_first_order", f"{sql}.orders_by_owner"
    row = place.client.get(place.path("people", ann), params={"related": f"{first},{many}"}).json()
    assert row[first]["label"] == "one"
    assert [one["label"] for one in row[many]] == ["one", "two"]
    back = f"{place.name}.people_by_owner"
    rows = gateway.admin.get(f"/{sql}/_table/orders", params={"related": back, "order": "id"}).json()["resource"]
    assert [one[back] and one[back]["name"] for one in rows] == ["Ann", "Ann", None]
