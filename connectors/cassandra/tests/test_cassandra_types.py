"""Values of every type that Cassandra has, there and back."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from trunkline import json
from trunkline.testing import Client

pytestmark = pytest.mark.live

TUNNEL = {"X-HTTP-Method": "GET"}
ROW = {
    "made": "3b241101-e2bb-1255-8caf-4136c566a962", "word": "O'Hara ☃ \0", "plain": "abc", "tiny": -128, "small": 300,
    "whole": -(2**31), "big": 2**63 - 1, "twice": 0.1, "flag": False, "day": "2024-02-29",
    "clock": "23:59:59.123456789", "moment": "2024-01-02 03:04:05.678+0000", "raw": "AAEC/w==",
    "address": "2001:db8::1", "span": "1mo2d3ns", "several": [3, 1, 3], "distinct_ones": ["a", "b"], "pair": [1, "x"],
    "home": {"street": "Elm", "number": 5}, "homes": [{"street": "Oak", "number": None}],
    "days": {"2024-02-29": "123e4567-e89b-42d3-a456-426614174000"}, "deep": {"a": [1, 2]},
}  # fmt: skip


def test_every_type_comes_back_as_it_went(shop: Client) -> None:
    made = shop.post("/shop/_table/kinds", json={"id": "uuid()", **ROW}, params={"fields": "*"})
    assert made.status_code == 200, made.text
    assert {name: made.json()[name] for name in ROW} == ROW
    key = made.json()["id"]
    assert uuid.UUID(key).version == 4
    assert shop.get(f"/shop/_table/kinds/{key}").json() == made.json()
    described = {one["name"]: one["type"] for one in shop.get("/shop/_schema/kinds").json()["field"]}
    assert (described["word"], described["several"], described["named"], described["huge"], described["made"]) == (
        "string", "array", "json", "decimal", "timeuuid",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "number"),
    [("exact", "0.0000010"), ("exact", "-12345678901234567890.5"), ("huge", str(2**200)), ("huge", str(-(2**70)))],
)
def test_numbers_keep_their_digits(shop: Client, field: str, number: str) -> None:
    """D14."""
    reply = shop.post("/shop/_table/kinds", json={"id": "uuid()", field: number}, params={"fields": field})
    assert json.loads(reply.text)  # it is JSON
    assert reply.text == f'{{"{field}":{number}}}'


def test_decimals_in_a_map_keep_their_digits(shop: Client) -> None:
    body = '{"id": "uuid()", "named": {"a": "1.10"}}'
    reply = shop.post("/shop/_table/kinds", content=body, params={"fields": "named"},
                      headers={"Content-Type": "application/json"})  # fmt: skip
    assert reply.text == '{"named":{"a":1.10}}'


def test_timeuuid_keys_are_made_where_asked_for(shop: Client) -> None:
    body = {"sensor": "a", "year": 2024, "at": "now()", "n": 1}
    made = shop.post("/shop/_table/reading", json=body).json()
    assert uuid.UUID(made["at"]).version == 1
    assert made["at"] in [row["at"] for row in shop.get("/shop/_table/reading").json()["resource"]]


@pytest.mark.parametrize(
    "bad",
    [{"whole": 2**40}, {"tiny": 200}, {"plain": "é"}, {"day": "2023-02-29"}, {"clock": "24:00:00"},
     {"address": "1.2.3"}, {"made": "123e4567-e89b-42d3-a456-426614174000"}, {"made": "x"}, {"span": "soon"},
     {"several": ["x"]}, {"several": {"a": 1}}, {"several": [None]}, {"named": [1]}, {"pair": [1, "x", 2]},
     {"home": {"other": 1}}, {"home": [1]}, {"huge": "1.5"}, {"days": {"x": "y"}},
     {"raw": "?"}, {"single": 1e300}, {"flag": "maybe"}],
    ids=str,
)  # fmt: skip
def test_what_does_not_fit_is_a_400_and_stores_nothing(shop: Client, bad: dict[str, Any]) -> None:
    reply = shop.post("/shop/_table/kinds", json={"id": "uuid()", **bad})
    assert reply.status_code == 400, reply.text
    assert f"'{next(iter(bad))}'" in reply.json()["error"]["message"]
    assert shop.get("/shop/_table/kinds", params={"count_only": "true"}).json() == 0


def test_filters_on_every_type_find_what_was_written(shop: Client) -> None:
    key = shop.post("/shop/_table/kinds", json={"id": "uuid()", **ROW}).json()["id"]
    shop.post("/shop/_table/kinds", json={"id": "uuid()"})
    for name, value in ROW.items():
        if isinstance(value, str | int | float) and name != "span":
            for operator in ("=", "in"):
                text = f"{name} = :v" if operator == "=" else f"{name} in (:v)"
                body = {"filter": text, "params": {"v": value}, "fields": "id"}
                reply = shop.post("/shop/_table/kinds", json=body, headers=TUNNEL)
                assert reply.json() == {"resource": [{"id": key}]}, (text, reply.text)
            body["filter"] = f"not ({name} != :v)"
            reply = shop.post("/shop/_table/kinds", json=body, headers=TUNNEL)
            assert reply.json() == {"resource": [{"id": key}]}, name
