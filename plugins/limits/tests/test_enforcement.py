"""Which calls are counted, and which are refused (system-api 17.3)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from limiting import EVERYTHING, key, limited, service_id, statuses, user

from trunkline import hookimpl, render
from trunkline.call import Call, Requestor
from trunkline.events import NamedEvent
from trunkline.testing import Gateway


def test_a_refusal_says_what_was_exceeded_and_when_to_come_back(fresh_gateway: Gateway) -> None:
    made = limited(fresh_gateway, type="instance", name="per minute", rate=2)
    limited(fresh_gateway, type="instance", period="day", rate=1000)
    client = key(fresh_gateway)
    assert statuses(client, 2) == [200, 200]
    now = time.time()
    refused = client.get("/system/role")
    assert refused.status_code == 429
    error = refused.json()["error"]
    assert (error["code"], error["status_code"], error["message"]) == (429, 429, "API limit(s) exceeded. ")
    shown = {name: value for name, value in made.items() if name != "limit_cache_by_limit_id"}
    assert error["context"] == [{"id": made["id"], "name": "per minute", "object": shown}]
    headers = refused.headers
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("2", "0")
    assert 58 <= int(headers["Retry-After"]) <= 60
    assert 58 <= int(headers["X-RateLimit-Reset"]) - now <= 62


def test_a_refusal_by_several_limits_says_when_all_of_them_let_pass(fresh_gateway: Gateway) -> None:
    ids = [limited(fresh_gateway, type="instance", period=period)["id"] for period in ("hour", "day", "minute")]
    client = key(fresh_gateway)
    assert statuses(client, 1) == [200]
    for _ in range(2):
        refused = client.get("/system/role")
        assert [one["id"] for one in refused.json()["error"]["context"]] == ids
        assert 86_390 <= int(refused.headers["Retry-After"]) <= 86_400


def test_replies_tell_of_the_limit_with_the_least_left(fresh_gateway: Gateway) -> None:
    limited(fresh_gateway, type="instance", rate=50)
    limited(fresh_gateway, type="instance", period="hour", rate=10)
    client = key(fresh_gateway)
    left = [client.get("/system/role").headers["X-RateLimit-Remaining"] for _ in range(3)]
    assert left == ["9", "8", "7"]
    # Requests that fail later are counted, those that access refuses are not.
    failed = client.get("/system/role/4711")
    assert (failed.status_code, failed.headers["X-RateLimit-Remaining"]) == (404, "6")
    stranger = fresh_gateway.key_for([]).get("/system/role")
    assert (stranger.status_code, "X-RateLimit-Limit" in stranger.headers) == (401, False)
    assert client.get("/system/role").headers["X-RateLimit-Remaining"] == "5"


def test_without_a_matching_limit_there_are_no_headers(fresh_gateway: Gateway) -> None:
    limited(fresh_gateway, type="instance.service", service_id=service_id(fresh_gateway, "user"))
    reply = key(fresh_gateway).get("/system/role")
    assert not [name for name in reply.headers if name.lower().startswith("x-ratelimit")]


def test_administrators_and_scripts_are_immune(fresh_gateway: Gateway) -> None:
    limited(fresh_gateway, type="instance")
    assert statuses(fresh_gateway.admin, 3) == [200, 200, 200]
    app = fresh_gateway.create_app(fresh_gateway.create_role(EVERYTHING))
    headers = {"x-dreamfactory-api-key": app["api_key"]}

    def by(requestor: Requestor) -> int:
        from trunkline.pipeline import answer

        call = Call("GET", "system", ("role",), headers=headers, requestor=requestor)
        portal: Any = fresh_gateway._http.portal
        return int(portal.call(answer, fresh_gateway.app, call).status)

    assert [by(Requestor.SCRIPT) for _ in range(3)] == [200, 200, 200]
    assert [by(Requestor.API) for _ in range(2)] == [200, 429]


def test_every_user_has_a_counter_and_keys_without_user_have_none(fresh_gateway: Gateway) -> None:
    limited(fresh_gateway, type="instance.each_user", rate=2)
    (one, _id), (other, _other_id) = user(fresh_gateway, "u@ex.org"), user(fresh_gateway, "v@ex.org")
    assert statuses(one, 3) == [200, 200, 429]
    assert statuses(other, 3) == [200, 200, 429]
    assert statuses(key(fresh_gateway), 4) == [200] * 4


def test_basic_login_counts_as_the_user(fresh_gateway: Gateway) -> None:
    limited(fresh_gateway, type="instance.each_user", rate=1)
    fresh_gateway.create_user("b@ex.org", "a long enough password")
    client = key(fresh_gateway)
    client.headers["Authorization"] = "Basic YkBleC5vcmc6YSBsb25nIGVub3VnaCBwYXNzd29yZA=="
    assert statuses(client, 2) == [200, 429]


def test_a_limit_for_a_user_replaces_that_for_each_user(fresh_gateway: Gateway) -> None:
    (one, user_id), (other, _id) = user(fresh_gateway, "u@ex.org"), user(fresh_gateway, "v@ex.org")
    limited(fresh_gateway, type="instance.each_user", rate=1)
    limited(fresh_gateway, type="instance.user", user_id=user_id, rate=3)
    assert statuses(one, 4) == [200, 200, 200, 429]
    assert statuses(other, 2) == [200, 429]


def test_a_limit_of_another_scope_or_period_is_not_replaced(fresh_gateway: Gateway) -> None:
    client, user_id = user(fresh_gateway, "u@ex.org")
    limited(fresh_gateway, type="instance.each_user", period="hour", rate=2)
    limited(fresh_gateway, type="instance.user", user_id=user_id, rate=5)
    limited(
        fresh_gateway, type="instance.user.service", user_id=user_id, rate=5,
        service_id=service_id(fresh_gateway, "system"),
    )  # fmt: skip
    assert statuses(client, 3) == [200, 200, 429]


def test_a_limit_with_a_verb_replaces_the_one_without(fresh_gateway: Gateway) -> None:
    limited(fresh_gateway, type="instance", rate=1)
    limited(fresh_gateway, type="instance", rate=3, verb="GET")
    client = key(fresh_gateway)
    assert statuses(client, 4) == [200, 200, 200, 429]
    assert statuses(client, 2, method="DELETE", path="/system/role/4711") == [404, 429]


def test_a_role_and_a_service_are_told_apart(fresh_gateway: Gateway) -> None:
    role_id = fresh_gateway.create_role(EVERYTHING)
    limited(fresh_gateway, type="instance.role", role_id=role_id, rate=1)
    of_role = fresh_gateway.with_key(fresh_gateway.create_app(role_id)["api_key"])
    assert statuses(of_role, 2) == [200, 429]
    assert statuses(key(fresh_gateway), 2) == [200, 200]
    limited(fresh_gateway, type="instance.service", service_id=service_id(fresh_gateway, "system"), rate=1)
    assert statuses(key(fresh_gateway), 2) == [200, 429]


@pytest.mark.parametrize(
    ("endpoint", "counted", "free"),
    [
        ("role", ["/system/role", "/system/ROLE/", "/system//role"], ["/system/role/4711", "/system/app"]),
        ("/role/*", ["/system/role/4711", "/system/Role/4712"], ["/system/role", "/system/app"]),
        ("r*", ["/system/role", "/system/role/4711"], ["/system/app"]),
    ],
)
def test_an_endpoint_is_a_path_or_its_beginning(
    fresh_gateway: Gateway, endpoint: str, counted: list[str], free: list[str]
) -> None:
    system = service_id(fresh_gateway, "system")
    limited(fresh_gateway, type="instance.service.endpoint", service_id=system, endpoint=endpoint, rate=len(counted))
    client = key(fresh_gateway)
    for path in counted:
        assert client.get(path).status_code != 429
    for path in counted:
        assert client.get(path).status_code == 429
    for path in free:
        assert client.get(path).status_code != 429


def test_who_is_refused_does_not_use_up_what_belongs_to_all(fresh_gateway: Gateway) -> None:
    limited(fresh_gateway, type="instance.each_user", rate=1)
    limited(fresh_gateway, type="instance", rate=3)
    (one, _id), (other, _other) = user(fresh_gateway, "u@ex.org"), user(fresh_gateway, "v@ex.org")
    assert statuses(one, 10) == [200] + [429] * 9
    assert statuses(other, 1) == [200]
    assert statuses(key(fresh_gateway), 2) == [200, 429]


def test_a_limit_counts_from_the_next_call_on_and_no_longer_when_it_is_off(fresh_gateway: Gateway) -> None:
    client = key(fresh_gateway)
    assert statuses(client, 3) == [200] * 3
    made = limited(fresh_gateway, type="instance", rate=0)
    assert statuses(client, 1) == [429]
    assert fresh_gateway.admin.patch(f"/system/limit/{made['id']}", json={"is_active": False}).status_code == 200
    assert statuses(client, 2) == [200, 200]


def test_a_higher_rate_counts_at_once(fresh_gateway: Gateway) -> None:
    made, client = limited(fresh_gateway, type="instance"), key(fresh_gateway)
    assert statuses(client, 2) == [200, 429]
    assert fresh_gateway.admin.patch(f"/system/limit/{made['id']}", json={"rate": 5}).status_code == 200
    assert 200 in statuses(client, 1)


def test_the_first_refusal_of_a_window_is_told_once(fresh_gateway: Gateway) -> None:
    seen: list[NamedEvent] = []

    class Listener:
        @hookimpl
        def on_event(self, event: object) -> None:
            if isinstance(event, NamedEvent):
                seen.append(event)

    fresh_gateway.app.plugins.register(Listener())
    fresh_gateway.app.plugins._callers.clear()
    made, client = limited(fresh_gateway, type="instance"), key(fresh_gateway)
    assert statuses(client, 4) == [200, 429, 429, 429]
    # After a change of the configuration the counter is asked for anew, as another worker does.
    fresh_gateway.create_role([])
    assert statuses(client, 2) == [429, 429]
    assert [event.name for event in seen] == [f"system.limit.{made['id']}.exceeded"]
    assert seen[0].content["limit"]["id"] == made["id"]
    assert fresh_gateway.admin.delete(f"/system/limit_cache/{made['id']}").status_code == 200
    assert statuses(client, 2) == [200, 429]
    assert len(seen) == 2


def test_nothing_reaches_the_cache_when_nothing_matches(
    fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(fresh_gateway, type="instance.service", service_id=service_id(fresh_gateway, "user"))
    made, client = limited(fresh_gateway, type="instance", rate=1, verb="DELETE"), key(fresh_gateway)
    spent: list[Any] = []
    real = fresh_gateway.app.cache.spend

    def spying(budgets: Any) -> Any:
        spent.append(budgets)
        return real(budgets)

    monkeypatch.setattr(fresh_gateway.app.cache, "spend", spying)
    assert statuses(client, 3) == [200] * 3
    assert spent == []
    assert statuses(client, 5, method="DELETE", path="/system/role/4711") == [404] + [429] * 4
    assert [[one.key for one in budgets] for budgets in spent] == [[f"limit:{made['id']}:minute:"]] * 2


def test_long_lists_are_not_taken_apart_for_headers(fresh_gateway: Gateway) -> None:
    call = Call("GET", "system", ("role",), headers={"accept": "application/json"}, over_http=True)
    assert render.passes_json(fresh_gateway.app, call)
