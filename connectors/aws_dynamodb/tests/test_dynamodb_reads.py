"""What DynamoDB is asked for: keys and queries where the filter allows, scans else; and pages to the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from trunkline.testing import Client

pytestmark = pytest.mark.live

Asked = Callable[[], list[tuple[str, dict[str, Any]]]]


@pytest.fixture
def readings(shop: Client, direct: Any) -> Client:
    """Three partitions with 400 items each; every second one has an owner and a level."""
    items = [
        {
            "sensor": {"S": f"s{sensor}"}, "at": {"N": str(at)}, "value": {"N": str(at / 4)},
            "filler": {"S": "x" * 2000},
            **({"owner": {"S": f"o{at % 3}"}, "level": {"N": str(at // 10)}} if at % 2 else {}),
        }
        for sensor in range(3)
        for at in range(400)
    ]  # fmt: skip
    if direct.scan(TableName="readings", Limit=1)["Items"]:
        return shop  # nobody changes them
    for start in range(0, len(items), 25):
        puts = [{"PutRequest": {"Item": one}} for one in items[start : start + 25]]
        assert not direct.batch_write_item(RequestItems={"readings": puts})["UnprocessedItems"]
    return shop


@pytest.mark.parametrize(
    ("filter_", "operation", "index", "number"),
    [
        ("sensor = s1 and at = 5", "get_item", None, 1),
        ("sensor in (s1,s2) and at in (5,7,9)", "batch_get_item", None, 6),
        ("(sensor = s1 and at = 5) or (sensor = s2 and at = 7)", "batch_get_item", None, 2),
        ("sensor = s1", "query", None, 400),
        ("sensor = s1 and at between 10 and 19", "query", None, 10),
        ("sensor = s1 and at > 10 and at < 20", "query", None, 9),
        ("sensor in (s0,s2) and at >= 390", "query", None, 20),
        ("sensor = s1 and value < 10", "query", None, 40),
        ("owner = o1", "scan", None, 201),
        ("at > 390", "scan", None, 27),
        ("value > 99 or at = 3", "scan", None, 12),
        ("not (sensor = s1)", "scan", None, 800),
        ("sensor = s1 and sensor = s2", "query", None, 0),
    ],
)
def test_a_table_of_any_shape_is_queried_by_its_keys(
    readings: Client, asked: Asked, filter_: str, operation: str, index: str | None, number: int
) -> None:
    found = readings.get("/shop/_table/readings", params={"filter": filter_, "fields": "sensor,at", "limit": 1000})
    assert len(found.json()["resource"]) == number
    requests = asked()
    assert {one for one, _ in requests} == {operation}
    assert {arguments.get("IndexName") for _, arguments in requests} == {index}
    for _, arguments in requests:
        assert set(arguments.get("ExpressionAttributeNames", {})) <= {f"#{number}" for number in range(10)}


def test_declared_fields_use_their_index(shop: Client, asked: Asked) -> None:
    rows = [{"id": number, "owner": f"o{number % 3}", "n": number} for number in range(30)]
    assert shop.post("/shop/_table/box", json={"resource": rows}).status_code == 200
    asked()
    found = shop.get("/shop/_table/box", params={"filter": "owner = o1 and n > 10 and n < 20", "order": "id"}).json()
    assert [row["n"] for row in found["resource"]] == [13, 16, 19]
    ((operation, arguments),) = asked()
    assert (operation, arguments["IndexName"]) == ("query", "owner-index")
    # Two conditions on one field are two values.
    assert len(arguments["ExpressionAttributeValues"]) == 3


@pytest.mark.parametrize(
    ("filter_", "number"),
    [("", 1200), ("sensor = s1", 400), ("sensor in (s2,s0)", 800), ("value >= 50", 600), ("at like '1%'", 333),
     ("sensor in (s1,s2) and at in (1,2,3)", 6)],
)  # fmt: skip
@pytest.mark.parametrize("paging", ["offset", "keyset"])
def test_pages_lead_through_every_item_once(readings: Client, filter_: str, number: int, paging: str) -> None:
    seen: list[tuple[str, int]] = []
    params: dict[str, Any] = {"limit": 130, "fields": "sensor,at", "filter": filter_}
    params |= {"paging": "keyset"} if paging == "keyset" else {"include_count": "true"}
    for _ in range(20):
        content = readings.get("/shop/_table/readings", params=params).json()
        seen += [(row["sensor"], row["at"]) for row in content["resource"]]
        meta = content.get("meta", {})
        if paging == "offset":
            assert meta["count"] == number
        following = meta.get("next_page") if paging == "keyset" else meta.get("next")
        if following is None:
            break
        params["page" if paging == "keyset" else "offset"] = following
    assert len(seen) == len(set(seen)) == number


def test_cursors_lead_through_an_index(shop: Client) -> None:
    rows = [{"id": number, "owner": f"o{number % 2}", "n": number} for number in range(100)]
    shop.post("/shop/_table/box", json={"resource": rows})
    seen: list[int] = []
    params: dict[str, Any] = {"limit": 7, "filter": "owner = o1", "paging": "keyset", "fields": "n"}
    for _ in range(20):
        content = shop.get("/shop/_table/box", params=params).json()
        seen += [row["n"] for row in content["resource"]]
        if "next_page" not in content.get("meta", {}):
            break
        params["page"] = content["meta"]["next_page"]
    assert sorted(seen) == list(range(1, 100, 2))
    assert len(seen) == 50


def test_a_partition_is_ordered_by_dynamodb_itself(readings: Client, asked: Asked) -> None:
    params = {"filter": "sensor = s1", "order": "at desc", "limit": 3, "fields": "at"}
    rows = readings.get("/shop/_table/readings", params=params).json()["resource"]
    assert [row["at"] for row in rows] == [399, 398, 397]
    ((operation, arguments),) = asked()
    assert (operation, arguments["ScanIndexForward"], arguments["Limit"]) == ("query", False, 3)
    params = {"order": "value desc,sensor", "limit": 4, "fields": "sensor,at"}
    rows = readings.get("/shop/_table/readings", params=params).json()["resource"]
    assert [(row["at"], row["sensor"]) for row in rows] == [(399, "s0"), (399, "s1"), (399, "s2"), (398, "s0")]


def test_what_would_examine_too_much_is_a_400_that_says_why(readings: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from trunkline_aws_dynamodb import reading
    from trunkline_database.documents.evaluate import Evaluator

    monkeypatch.setattr(reading, "EVALUATOR", Evaluator(most=1000))
    for params in ({"order": "value"}, {"filter": "filler like 'y%'"}, {"fields": "MAX(value)"}):
        reply = readings.get("/shop/_table/readings", params=params)
        assert reply.status_code == 400, reply.text
        assert "more than 1000 records" in reply.json()["error"]["message"]
    assert readings.get("/shop/_table/readings", params={"count_only": "true"}).json() == 1200
