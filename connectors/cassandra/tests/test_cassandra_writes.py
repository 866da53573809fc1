"""Keys and writes: nothing is overwritten, made or lost by accident, whoever writes at the same time."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from trunkline.testing import Client

pytestmark = pytest.mark.live


def test_a_record_is_never_overwritten_by_post(shop: Client) -> None:
    assert shop.post("/shop/_table/plain", json={"id": 1, "note": "mine"}).status_code == 200
    reply = shop.post("/shop/_table/plain", json={"id": 1, "note": "theirs"})
    assert reply.status_code == 409, reply.text
    assert shop.get("/shop/_table/plain/1").json()["note"] == "mine"


def test_of_many_posts_of_one_key_one_wins(shop: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: shop.post("/shop/_table/plain", json={"id": 5, "n": n}), range(8)))
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 7


def test_what_is_not_there_is_neither_changed_nor_made(shop: Client) -> None:
    for verb in ("PUT", "PATCH", "DELETE"):
        assert shop.request(verb, "/shop/_table/plain/77", json={"n": 1}).status_code == 404
    assert shop.get("/shop/_table/plain", params={"count_only": "true"}).json() == 0


def test_no_change_at_the_same_time_is_lost(shop: Client) -> None:
    shop.post("/shop/_table/plain", json={"id": 1, "n": 0})
    change = {"n": {"expression": "n + 1"}}
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: shop.patch("/shop/_table/plain/1", json=change).status_code, range(24)))
    assert replies == [200] * 24
    assert shop.get("/shop/_table/plain/1").json()["n"] == 24


def test_a_list_that_fails_leaves_nothing_with_rollback(shop: Client) -> None:
    shop.post("/shop/_table/plain", json={"id": 2, "note": "there"})
    records = [{"id": 1}, {"id": 2}, {"id": 3}]
    reply = shop.post("/shop/_table/plain", json={"resource": records}, params={"rollback": "true"})
    assert reply.status_code == 400
    rows = shop.get("/shop/_table/plain", params={"fields": "id,note"}).json()["resource"]
    assert rows == [{"id": 2, "note": "there"}]


def test_deletes_and_changes_that_fail_are_put_back(shop: Client) -> None:
    shop.post("/shop/_table/plain", json=[{"id": 1, "note": "a", "n": 7}, {"id": 2, "note": "b"}])
    for verb, body in (
        ("PATCH", {"resource": [{"id": 1, "note": None, "n": 8}, {"id": 9, "note": "x"}], "rollback": True}),
        ("DELETE", {"resource": [{"id": 1}, {"id": 2}, {"id": 9}], "rollback": True}),
    ):
        assert shop.request(verb, "/shop/_table/plain", json=body).status_code == 400
        rows = shop.get("/shop/_table/plain", params={"fields": "id,note,n", "order": "id"}).json()["resource"]
        assert rows == [{"id": 1, "note": "a", "n": 7}, {"id": 2, "note": "b", "n": None}], verb


def test_a_key_cannot_be_changed(shop: Client) -> None:
    shop.post("/shop/_table/plain", json={"id": 1, "owner": "o"})
    reply = shop.patch("/shop/_table/plain", json=[{"owner": "o", "id": 2}], params={"id_field": "owner"})
    assert "can not be changed" in reply.text


def test_counters_are_moved_and_never_made_by_post(shop: Client) -> None:
    page = f"p{uuid.uuid4().hex}"
    assert shop.post("/shop/_table/visits", json={"page": page, "hits": 1}).status_code == 400
    for number in (5, 2):
        shop.patch(f"/shop/_table/visits/{page}", json={"hits": {"expression": f"hits + {number}"}})
    reply = shop.patch(f"/shop/_table/visits/{page}", json={"hits": 5})
    assert reply.status_code == 400
    found = shop.get("/shop/_table/visits", params={"filter": f"page = {page}"}).json()["resource"]
    assert found == [{"page": page, "hits": 7}]


def test_static_values_belong_to_the_partition(shop: Client) -> None:
    ids = [shop.post("/shop/_table/reading", json={"sensor": "s", "year": 1, "at": "now()", "n": n}).json()["at"]
           for n in (1, 2)]  # fmt: skip
    where = {"filter": f"sensor = s and year = 1 and at = {ids[0]} and n = 1"}
    assert shop.patch("/shop/_table/reading", json={"resource": {"note": "both"}}, params=where).status_code == 200
    assert [row["note"] for row in shop.get("/shop/_table/reading").json()["resource"]] == ["both", "both"]


def test_a_view_is_read_and_not_written(shop: Client) -> None:
    shop.post("/shop/_table/plain", json={"id": 1, "n": 5})
    deadline = time.monotonic() + 10
    while shop.get("/shop/_table/by_n", params={"filter": "n = 5"}).json()["resource"] != [{"n": 5, "id": 1}]:
        assert time.monotonic() < deadline
    tables = shop.get("/shop/_table", params={"fields": "*"}).json()["resource"]
    listed = {one["name"]: one["is_view"] for one in tables}
    assert (listed["by_n"], listed["plain"]) == (True, False)
    assert shop.post("/shop/_table/by_n", json={"id": 2, "n": 2}).status_code == 400
