"""Items of any shape and of declared fields: there and back, written by whom and when."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trunkline import json
from trunkline.testing import Client

pytestmark = pytest.mark.live

TUNNEL = {"X-HTTP-Method": "GET"}
ITEM: dict[str, Any] = {
    "page": "p1", "text": "O'Hara ☃", "empty": "", "count": 5, "share": 0.25, "flag": False, "nothing": None,
    "deep": {"a": [1, "two", None, {"b": True}], "size": {"x": 1}}, "list": [], "name": "a reserved word",
}  # fmt: skip


def test_items_of_any_shape_come_back_as_they_went(shop: Client) -> None:
    made = shop.post("/shop/_table/loose", json=ITEM, params={"fields": "*"})
    assert made.json() == ITEM, made.text
    assert shop.get("/shop/_table/loose/p1").json() == ITEM
    assert shop.get("/shop/_table/loose", params={"fields": "count,name"}).json()["resource"] == [
        {"page": "p1", "count": 5, "name": "a reserved word"}
    ]


@pytest.mark.parametrize("filter_", ["deep.size.x = 1", "count > 4", "flag = false", "name starts with 'a res'",
                                     "nothing is null", "text is not null and share < 1"])  # fmt: skip
def test_filters_look_into_items_of_any_shape(shop: Client, filter_: str) -> None:
    shop.post("/shop/_table/loose", json=[ITEM, {"page": "p2", "nothing": 1}])
    rows = shop.get("/shop/_table/loose", params={"filter": filter_, "fields": "page"}).json()["resource"]
    assert rows == [{"page": "p1"}]


def test_what_others_wrote_is_shown(shop: Client, direct: Any) -> None:
    item = {"page": {"S": "p"}, "words": {"SS": ["b", "a"]}, "numbers": {"NS": ["10", "2"]},
            "raw": {"B": b"\0\1\2\xff"}, "long": {"N": "12345678901234567890.123456789"}}  # fmt: skip
    direct.put_item(TableName="loose", Item=item)
    text = shop.get("/shop/_table/loose/p").text
    assert '"long":12345678901234567890.123456789' in text
    found = json.loads(text)
    assert (found["words"], found["numbers"], found["raw"]) == (["a", "b"], [2, 10], "AAEC/w==")
    described = {
        one["name"]: one for one in shop.get("/shop/_schema/loose", params={"refresh": "true"}).json()["field"]
    }
    assert described["words"]["native"] == {"sampled": True}
    assert described["page"]["native"] == []
    assert described["raw"]["type"] == "binary"


def test_put_replaces_an_item_of_any_shape_and_patch_does_not(shop: Client) -> None:
    shop.post("/shop/_table/loose", json=ITEM)
    assert shop.patch("/shop/_table/loose/p1", json={"count": 6, "new": 1}).status_code == 200
    assert shop.get("/shop/_table/loose/p1").json() == {**ITEM, "count": 6, "new": 1}
    assert shop.put("/shop/_table/loose/p1", json={"only": "this"}).status_code == 200
    assert shop.get("/shop/_table/loose/p1").json() == {"page": "p1", "only": "this"}


@pytest.mark.parametrize(
    ("field", "value"),
    [("amount", "0.000001"), ("amount", "12345678901234567890.123456789"), ("size", "1e-200"), ("size", "0.1"),
     ("n", str(2**63 - 1))],
)  # fmt: skip
def test_numbers_keep_their_digits(shop: Client, field: str, value: str) -> None:
    """D14."""
    reply = shop.post("/shop/_table/box", json={"id": 1, field: value}, params={"fields": field})
    assert reply.text == f'{{"{field}":{value}}}'


@pytest.mark.parametrize("bad", [{"amount": "1" * 39}, {"amount": "1e126"}, {"n": 1.5}, {"made": "soon"}, {"id": "x"}])
def test_what_does_not_fit_is_a_400_and_stores_nothing(shop: Client, bad: dict[str, Any]) -> None:
    reply = shop.post("/shop/_table/box", json={"id": 1, **bad})
    assert reply.status_code == 400, reply.text
    assert f"'{next(iter(bad))}'" in reply.json()["error"]["message"]
    assert shop.get("/shop/_table/box", params={"count_only": "true"}).json() == 0


def test_moments_are_found_however_they_are_written(shop: Client) -> None:
    shop.post(
        "/shop/_table/box", json=[{"id": 1, "made": "2024-01-02T03:04:05+02:00"}, {"id": 2, "made": "2025-01-01"}]
    )
    for filter_ in (
        "made = '2024-01-02 01:04:05'",
        "made < 2024-06-01",
        "made between 2024-01-01 and '2024-01-02T02:00:00'",
    ):
        rows = shop.get("/shop/_table/box", params={"filter": filter_, "fields": "id"}).json()["resource"]
        assert rows == [{"id": 1}], filter_


# Writes.


def test_a_record_is_never_overwritten_by_post(shop: Client) -> None:
    assert shop.post("/shop/_table/plain", json={"id": 1, "note": "mine"}).status_code == 200
    assert shop.post("/shop/_table/plain", json={"id": 1, "note": "theirs"}).status_code == 409
    assert shop.get("/shop/_table/plain/1").json()["note"] == "mine"


def test_of_many_posts_of_one_key_one_wins(shop: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: shop.post("/shop/_table/plain", json={"id": 5, "n": n}), range(8)))
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 7


def test_what_is_not_there_is_neither_changed_nor_made(shop: Client) -> None:
    for table in ("plain", "box"):
        for verb in ("PUT", "PATCH", "DELETE"):
            assert shop.request(verb, f"/shop/_table/{table}/77", json={"n": 1}).status_code == 404
        assert shop.get(f"/shop/_table/{table}", params={"count_only": "true"}).json() == 0


def test_no_change_at_the_same_time_is_lost(shop: Client) -> None:
    shop.post("/shop/_table/box", json={"id": 1, "n": 0})
    change = {"n": {"expression": "n + 1"}}
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: shop.patch("/shop/_table/box/1", json=change).status_code, range(24)))
    assert replies == [200] * 24
    assert shop.get("/shop/_table/box/1").json()["n"] == 24


@pytest.mark.parametrize("number", [3, 250])
def test_a_list_is_written_whole_or_not(shop: Client, number: int) -> None:
    shop.post("/shop/_table/box", json={"id": number, "order": "there"})
    records = [{"id": one} for one in range(1, number + 1)]
    reply = shop.post("/shop/_table/box", json={"resource": records}, params={"rollback": "true"})
    assert reply.status_code == 400
    rows = shop.get("/shop/_table/box", params={"fields": "id,order"}).json()["resource"]
    assert rows == [{"id": number, "order": "there"}]


def test_deletes_and_changes_that_fail_are_put_back(shop: Client) -> None:
    rows = [{"id": 1, "note": "a", "deep": {"n": 7}}, {"id": 2, "note": "b"}]
    shop.post("/shop/_table/plain", json=rows)
    for verb, body in (
        ("PATCH", {"resource": [{"id": 1, "note": None, "n": 8}, {"id": 9, "note": "x"}], "rollback": True}),
        ("DELETE", {"resource": [{"id": 1}, {"id": 2}, {"id": 9}], "rollback": True}),
    ):
        assert shop.request(verb, "/shop/_table/plain", json=body).status_code == 400
        assert shop.get("/shop/_table/plain", params={"order": "id"}).json()["resource"] == rows, verb


def test_a_filter_in_a_write_binds_until_the_write(shop: Client) -> None:
    """Of many who take what is free, each gets it once."""
    shop.post("/shop/_table/box", json={"resource": [{"id": one, "owner": "nobody"} for one in range(5)]})

    def take(name: str) -> int:
        reply = shop.patch("/shop/_table/box", params={"filter": "owner = nobody"}, json={"resource": {"owner": name}})
        assert reply.status_code == 200, reply.text
        return 0

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(take, ["a", "b", "c", "d"]))
    owners = [row["owner"] for row in shop.get("/shop/_table/box").json()["resource"]]
    assert "nobody" not in owners


# Names and operators.


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.text(min_size=1, max_size=20)
    | st.sampled_from(
        ["#0", ":0", "attribute_exists(id)", "id OR #0", "size(note)", "name", "a.b", "$ne", "SET", "a[0]"]
    )
)
def test_no_name_from_a_client_gets_into_an_expression(shop: Client, asked: Any, name: str) -> None:
    """Checklist 1 and 3."""
    asked()
    quoted = '"' + name.replace('"', '""') + '"'
    for table in ("plain", "box"):
        for params in (
            {"fields": name}, {"order": name}, {"order": f"id {name}"}, {"group": name}, {"filter": f"{quoted} = 1"},
            {"filter": f"id {name} 1"}, {"fields": f"MAX({name})"}, {"id_field": name, "ids": "1"},
            {"paging": "keyset", "order": name}, {"filter": f"id = {name}()"}, {"filter": f"{quoted} is null"},
        ):  # fmt: skip
            reply = shop.post(f"/shop/_table/{table}", json=params, headers=TUNNEL)
            assert reply.status_code in (200, 400), (params, reply.text)
        for verb, path in (("POST", ""), ("PATCH", "/1"), ("PUT", "/1")):
            reply = shop.request(verb, f"/shop/_table/{table}{path}", json={name: 1, "id": 1})
            assert reply.status_code in (200, 400, 404, 409), (verb, name, reply.text)
        shop.delete(f"/shop/_table/{table}", params={"force": "true"})
    words = set("#:0123456789 ,.()=<>") | set("SETANDORNOTINBETWEEN") | set("attribute_not_existstype")
    for _, arguments in asked():
        for place, text in arguments.items():
            if place.endswith("Expression"):
                assert set(text) <= words, text


@pytest.mark.parametrize("value", [{"S": "x"}, {"$ne": 1}, {"N": "1"}, {"NULL": True}])
def test_objects_are_no_operators(shop: Client, value: dict[str, Any]) -> None:
    """Checklist 3."""
    assert shop.post("/shop/_table/plain", json={"id": 1, "doc": value}).status_code == 200
    assert shop.get("/shop/_table/plain/1").json()["doc"] == value
    assert shop.post("/shop/_table/plain", json={"id": value}).status_code == 400
    assert shop.post("/shop/_table/box", json={"id": 2, "n": value}).status_code == 400
    body = {"filter": "n = :n", "params": {"n": value}}
    assert shop.post("/shop/_table/box", json=body, headers=TUNNEL).status_code == 400
