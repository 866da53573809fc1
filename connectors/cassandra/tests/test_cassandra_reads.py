"""Pages, orders, and what Cassandra is asked for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trunkline.testing import Client

pytestmark = pytest.mark.live

TUNNEL = {"X-HTTP-Method": "GET"}
# What stands outside of quotes in a statement is none but these.
WORDS = re.compile(
    r"(?!\b(SELECT|FROM|WHERE|AND|IN|LIMIT|ALLOW|FILTERING|COUNT|ORDER|BY|ASC|DESC|INSERT|INTO|VALUES|IF|NOT|EXISTS"
    r"|UPDATE|SET|DELETE|token)\b|[\s?(),=<>.*])(\b\w+\b|\W)"
)


@pytest.fixture
def readings(shop: Client, cassandra_server: Any, keyspace: dict[str, Any]) -> Client:
    """Three partitions with 1000 rows each."""
    from cassandra.concurrent import execute_concurrent_with_args
    from cassandra.util import uuid_from_time

    with cassandra_server.session() as session:
        session.set_keyspace(keyspace["keyspace"])
        insert = session.prepare("insert into reading (sensor, year, at, n, value) values (?, ?, ?, ?, ?)")
        rows = [
            (f"s{sensor}", 2024, uuid_from_time(1_700_000_000 + number // 3, 1, 1), number, number / 2)
            for sensor in range(3)
            for number in range(1000)
        ]
        execute_concurrent_with_args(session, insert, rows)
    return shop


def test_offsets_lead_through_every_record_once(readings: Client) -> None:
    seen, params = [], {"limit": 170, "include_count": "true", "fields": "sensor,n"}
    while True:
        content = readings.get("/shop/_table/reading", params=params).json()
        seen += [(row["sensor"], row["n"]) for row in content["resource"]]
        assert content["meta"]["count"] == 3000
        if "next" not in content["meta"]:
            break
        params["offset"] = content["meta"]["next"]
    assert len(seen) == len(set(seen)) == 3000


@pytest.mark.parametrize(
    ("filter_", "number"),
    [("", 3000), ("n >= 100", 2700), ("value < 100 or value > 400", 1197), ("sensor = s1 and year = 2024", 1000),
     ("sensor in (s0,s2) and year = 2024 and n > 500", 998), ("sensor = s1", 1000), ("not (sensor = s1)", 2000)],
)  # fmt: skip
def test_cursors_lead_through_every_record_once(readings: Client, filter_: str, number: int) -> None:
    seen, params = [], {"limit": 333, "paging": "keyset", "fields": "n,sensor", "filter": filter_}
    for _ in range(20):
        content = readings.get("/shop/_table/reading", params=params).json()
        seen += [(row["sensor"], row["n"]) for row in content["resource"]]
        if "next_page" not in content.get("meta", {}):
            break
        params["page"] = content["meta"]["next_page"]
    assert len(seen) == len(set(seen)) == number


def test_a_partition_is_ordered_by_cassandra_itself(readings: Client, texts: Callable[[], list[str]]) -> None:
    where = {"filter": "sensor = s1 and year = 2024", "limit": 5, "fields": "n"}
    for order, expected in (("at asc, n desc", [2, 1, 0, 5, 4]), ("at desc, n asc", [999, 996, 997, 998, 993])):
        rows = readings.get("/shop/_table/reading", params={**where, "order": order}).json()["resource"]
        assert [row["n"] for row in rows] == expected
    assert any('ORDER BY "at" ASC, "n" DESC' in one for one in texts())
    # Across partitions it is done here, the same way.
    rows = readings.get("/shop/_table/reading", params={"order": "at desc,n,sensor", "limit": 4, "fields": "n,sensor"})
    assert [(row["n"], row["sensor"]) for row in rows.json()["resource"]] == [
        (999, "s0"), (999, "s1"), (999, "s2"), (996, "s0"),
    ]  # fmt: skip


def test_only_what_needs_it_looks_at_more_rows(readings: Client, texts: Callable[[], list[str]]) -> None:
    at = readings.get("/shop/_table/reading", params={"filter": "sensor = s1 and n = 7"}).json()["resource"][0]["at"]
    before = set(texts())
    for filter_ in (
        "sensor = s1 and year = 2024", f"sensor = s1 and year = 2024 and at >= {at}",
        f"sensor in (s1,s2) and year = 2024 and at = {at} and n < 9",
    ):  # fmt: skip
        assert readings.get("/shop/_table/reading", params={"filter": filter_}).status_code == 200
    new = set(texts()) - before
    assert new
    assert not [one for one in new if "ALLOW FILTERING" in one]


def test_what_would_examine_too_much_is_a_400_that_says_why(readings: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from trunkline_cassandra import reading
    from trunkline_cassandra.kinds import shown
    from trunkline_database.documents.evaluate import Evaluator

    monkeypatch.setattr(reading, "EVALUATOR", Evaluator(shown, most=2000))
    for params in ({"order": "value"}, {"filter": "value like '9%'"}, {"fields": "MAX(value)"}):
        reply = readings.get("/shop/_table/reading", params=params)
        assert reply.status_code == 400, reply.text
        assert "more than 2000 records" in reply.json()["error"]["message"]
    assert readings.get("/shop/_table/reading", params={"filter": "value >= 0", "count_only": "true"}).json() == 3000


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.text(min_size=1, max_size=20)
    | st.sampled_from(
        ['id" = 1; drop table plain; --', '"', "token(id)", "writetime(n)", "n allow filtering", "*", "?"]
    )
)
def test_no_name_from_a_client_gets_into_a_statement(
    shop: Client, texts: Callable[[], list[str]], keyspace: dict[str, Any], name: str
) -> None:
    """Checklist 1 and 3."""
    quoted = '"' + name.replace('"', '""') + '"'
    for params in (
        {"fields": name}, {"order": name}, {"order": f"id {name}"}, {"group": name}, {"filter": f"{quoted} = 1"},
        {"filter": f"n {name} 1"}, {"fields": f"MAX({name})"}, {"id_field": name, "ids": "1"}, {"page": name},
        {"paging": "keyset", "order": name}, {"filter": f"n = {name}()"},
    ):  # fmt: skip
        reply = shop.post("/shop/_table/plain", json=params, headers=TUNNEL)
        assert reply.status_code in (200, 400), (params, reply.text)
    reply = shop.post("/shop/_table/plain", json={name: 1, "id": name}, params={"rollback": "true"})
    assert reply.status_code in (200, 400, 409)
    known = {"id", "owner", "n", "note", "plain", keyspace["keyspace"]}
    statements = [text.split('"') for text in texts() if '."plain"' in text]
    assert statements
    for parts in statements:
        assert set(parts[1::2]) <= known, parts
        assert not WORDS.search(" ".join(parts[::2])), parts


def test_hostile_names_that_really_exist_are_only_names(shop: Client) -> None:
    """Checklist 5."""
    record = {"Id": 1, 'a"b': 2, "sel'ect": "three", "täble☃": 4, "x; drop table kinds; --": 5}
    reply = shop.post("/shop/_table/Mixed", json=record, params={"fields": "*"})
    assert reply.json() == record, reply.text
    assert shop.patch("/shop/_table/Mixed/1", json={'a"b': 9}).status_code == 200
    found = shop.get("/shop/_table/Mixed", params={"filter": '"a""b" = 9 and "x; drop table kinds; --" = 5'})
    assert [row["Id"] for row in found.json()["resource"]] == [1]
    assert shop.get("/shop/_table/kinds").status_code == 200
