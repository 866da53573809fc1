"""``system/limit`` and ``system/limit_cache`` as records (system-api 17.1 and 17.2)."""

from __future__ import annotations

from typing import Any

import pytest
from limiting import key, limited, service_id, statuses, user

from trunkline.testing import Gateway

BASE = {"name": "x", "rate": 5, "period": "minute"}


def refusal(reply: Any) -> dict[str, Any]:
    """Answer the error of the only record of a batch that failed."""
    assert reply.status_code == 400, reply.text
    found: dict[str, Any] = reply.json()["error"]["context"]["resource"][0]
    return found


def test_a_create_answers_200_and_a_list_even_to_a_bare_object(gateway: Gateway) -> None:
    bare = gateway.admin.post("/system/limit", json={**BASE, "type": "instance", "rate": "1000", "period": "30-day"})
    assert bare.status_code == 200
    (made,) = bare.json()["resource"]
    assert set(made) == {"id"}
    stored = gateway.admin.get(f"/system/limit/{made['id']}").json()
    assert (stored["rate"], stored["period"], stored["key_text"]) == (1000, "30-day", "instance.30-day")
    assert stored["is_active"] is True
    assert stored["created_date"].endswith("Z")


def test_every_type_has_its_key(fresh_gateway: Gateway) -> None:
    _client, user_id = user(fresh_gateway, "u@ex.org")
    role_id = fresh_gateway.create_role([])
    system = service_id(fresh_gateway, "system")
    places = {"user_id": user_id, "role_id": role_id, "service_id": system, "endpoint": "_table/x"}
    keys = {
        "instance": "instance",
        "instance.user": f"instance.user:{user_id}",
        "instance.each_user": "instance.each_user",
        "instance.user.service": f"instance.user:{user_id}.service:{system}",
        "instance.each_user.service": f"instance.each_user.service:{system}",
        "instance.service": f"instance.service:{system}",
        "instance.role": f"instance.role:{role_id}",
        "instance.service.endpoint": f"instance.service:{system}.endpoint:_table/x",
        "instance.user.service.endpoint": f"instance.user:{user_id}.service:{system}.endpoint:_table/x",
        "instance.each_user.service.endpoint": f"instance.each_user.service:{system}.endpoint:_table/x",
    }
    for kind, text in keys.items():
        made = limited(fresh_gateway, type=kind, verb="get", rate=1000, period="day", **places)
        assert made["key_text"] == f"{text}.verb:GET.day"
        assert made["verb"] == "GET"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"type": "instance", "rate": "many"}, "Limit rate must be an integer. Limit not saved."),
        ({"type": "instance", "rate": None}, "Limit rate must be an integer. Limit not saved."),
        ({"type": "instance", "rate": 1.5}, "Limit rate must be an integer. Limit not saved."),
        ({"type": "instance", "rate": -1}, "Invalid data supplied. The rate field must be at least 0."),
        ({"type": "instance.user"}, "user_id must be specified with this limit type. Limit: x"),
        ({"type": "instance.role", "role_id": ""}, "role_id must be specified with this limit type. Limit: x"),
        ({"type": "instance.service"}, "service_id must be specified with this limit type. Limit: x"),
        (
            {"type": "instance.service.endpoint", "service_id": 1, "endpoint": ""},
            "endpoint must be specified with this limit type. Limit: x",
        ),
        ({"type": "instance", "verb": "TRACE"}, "Verb is invalid or not allowed."),
        ({"type": "instance.user", "user_id": 4711}, "Invalid data supplied. The selected user_id is invalid."),
        ({"type": "instance.role", "role_id": 4711}, "Invalid data supplied. The selected role_id is invalid."),
        (
            {"type": "instance.service", "service_id": 4711},
            "Invalid data supplied. The selected service_id is invalid.",
        ),
        ({"type": "instance.nobody"}, "Invalid data supplied. The selected type is invalid."),
        ({"type": "instance", "period": "year"}, "Invalid data supplied. The selected period is invalid."),
        ({"rate": 1}, "Invalid data supplied. The type field is required."),
        ({"type": "instance", "name": ""}, "Invalid data supplied. The name field is required."),
    ],
)
def test_what_is_wrong_is_said(gateway: Gateway, record: dict[str, Any], message: str) -> None:
    assert refusal(gateway.admin.post("/system/limit", json=[{**BASE, **record}]))["message"] == message


def test_the_same_limit_cannot_be_there_twice(gateway: Gateway) -> None:
    first = limited(gateway, type="instance", period="hour", rate=1000)
    again = gateway.admin.post("/system/limit", json=[{**BASE, "type": "instance", "period": "hour"}])
    message = "A limit already exists with those parameters. No records added."
    assert refusal(again)["message"] == message
    other = limited(gateway, type="instance", period="day", rate=1000)
    moved = gateway.admin.patch(f"/system/limit/{other['id']}", json={"period": "hour"})
    assert (moved.status_code, moved.json()["error"]["message"]) == (400, message)
    kept = gateway.admin.patch(f"/system/limit/{first['id']}", json={"rate": "2000", "name": "renamed"})
    assert kept.status_code == 200
    assert gateway.admin.get(f"/system/limit/{first['id']}").json()["rate"] == 2000


def test_a_change_of_the_type_drops_what_counts_no_longer(gateway: Gateway) -> None:
    system = service_id(gateway, "system")
    made = limited(gateway, type="instance.service", service_id=system, rate=1000, period="7-day")
    changed = gateway.admin.patch(f"/system/limit/{made['id']}?fields=*", json={"type": "instance"}).json()
    assert (changed["service_id"], changed["key_text"]) == (None, "instance.7-day")
    refused = gateway.admin.patch(f"/system/limit/{made['id']}", json={"type": "instance.role"})
    assert refused.status_code == 400
    assert gateway.admin.patch("/system/limit/4711", json={"rate": 1}).status_code == 404


def test_relations_and_the_state_of_the_counters(fresh_gateway: Gateway) -> None:
    client, user_id = user(fresh_gateway, "u@ex.org")
    other = user(fresh_gateway, "v@ex.org")[1]
    user(fresh_gateway, "inactive@ex.org", is_active=False)
    mine = limited(fresh_gateway, type="instance.user", user_id=user_id, rate=10)
    each = limited(fresh_gateway, type="instance.each_user", rate=3, verb="GET")
    assert statuses(client, 2) == [200, 200]
    related = "user_by_user_id,role_by_role_id,service_by_service_id,limit_cache_by_limit_id"
    first, second = fresh_gateway.admin.get("/system/limit", params={"related": related}).json()["resource"]
    assert first["user_by_user_id"]["email"] == "u@ex.org"
    assert first["role_by_role_id"] is None
    row = {"id": mine["id"], "key": f"instance.user:{user_id}.minute", "max": 10, "attempts": 2, "remaining": 8}
    assert first["limit_cache_by_limit_id"] == [row]
    # Not of one scope and verb: the limit of the user replaces that for each user.
    assert [one["key"] for one in second["limit_cache_by_limit_id"]] == [
        f"instance.each_user:{one}.verb:GET.minute" for one in (user_id, other)
    ]
    everything = fresh_gateway.admin.get("/system/limit_cache?include_count=true").json()
    assert everything["meta"]["count"] == 3
    assert everything["resource"][0] == row
    assert fresh_gateway.admin.get(f"/system/limit_cache/{each['id']}").json()["max"] == 3
    assert fresh_gateway.admin.get("/system/limit_cache/4711").status_code == 404
    assert len(fresh_gateway.admin.get(f"/system/limit_cache?ids={each['id']}").json()["resource"]) == 2
    assert fresh_gateway.admin.get("/system/limit_cache?limit=1&offset=1").json()["resource"][0]["max"] == 3


def test_each_user_without_users_has_one_row(fresh_gateway: Gateway) -> None:
    """An empty list makes the whole list of limits disappear in existing clients."""
    limited(fresh_gateway, type="instance.each_user", rate=3)
    (shown,) = fresh_gateway.admin.get("/system/limit?related=limit_cache_by_limit_id").json()["resource"]
    assert [one["remaining"] for one in shown["limit_cache_by_limit_id"]] == [3]


def test_an_echoed_counter_is_ignored(gateway: Gateway) -> None:
    made = limited(gateway, type="instance", verb="DELETE", rate=1000)
    shown = gateway.admin.get(f"/system/limit/{made['id']}?related=limit_cache_by_limit_id").json()
    assert gateway.admin.patch(f"/system/limit/{made['id']}", json=shown).status_code == 200
    record = {**shown, "verb": "PATCH"}
    assert gateway.admin.post("/system/limit", json={"resource": [record]}).status_code == 200


def test_counters_are_set_back(fresh_gateway: Gateway) -> None:
    admin, client = fresh_gateway.admin, key(fresh_gateway)
    ids = [limited(fresh_gateway, type="instance", period=period)["id"] for period in ("minute", "hour")]
    assert statuses(client, 2) == [200, 429]
    assert admin.delete(f"/system/limit_cache/{ids[0]}").json() == {"id": ids[0]}
    assert statuses(client, 1) == [429]
    assert admin.delete(f"/system/limit_cache?ids={ids[0]},{ids[1]}").json() == {
        "resource": [{"id": one} for one in ids]
    }
    assert statuses(client, 2) == [200, 429]
    assert admin.delete("/system/limit_cache").status_code == 400
    assert admin.delete("/system/limit_cache?allow_delete=true").json() == {"success": True}
    assert statuses(client, 2) == [200, 429]
    assert admin.delete("/system/limit_cache?force=true").json() == {"success": True}
    assert statuses(client, 2) == [200, 429]
    assert admin.delete("/system/limit_cache", json={"resource": [{"id": ids[0]}, {"id": ids[1]}]}).status_code == 200
    assert statuses(client, 2) == [200, 429]
    assert admin.delete("/system/limit_cache/4711").status_code == 404
    assert admin.delete("/system/limit_cache?ids=4711").status_code == 400


def test_reading_the_counters_takes_the_right_to(fresh_gateway: Gateway) -> None:
    limited(fresh_gateway, type="instance", rate=1000)
    client = fresh_gateway.key_for([{"service": "system", "component": "limit/*", "verb_mask": 1}])
    assert client.get("/system/limit").status_code == 200
    assert client.get("/system/limit?related=limit_cache_by_limit_id").status_code == 403
    assert client.get("/system/limit_cache").status_code == 401
    assert "limit_cache_by_limit_id" not in client.get("/system/limit?related=*").json()["resource"][0]


def test_limits_go_with_what_they_limit(fresh_gateway: Gateway) -> None:
    role_id = fresh_gateway.create_role([])
    limited(fresh_gateway, type="instance.role", role_id=role_id)
    assert fresh_gateway.admin.delete(f"/system/role/{role_id}").status_code == 200
    assert fresh_gateway.admin.get("/system/limit").json()["resource"] == []
