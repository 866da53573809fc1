"""What leaves a record, and what is in it."""

from __future__ import annotations

from typing import Any

from reading import records

from trunkline import Config, Reply, Resource, Service, hookimpl
from trunkline.call import Call
from trunkline.errors import TooManyRequests
from trunkline.testing import Gateway

PASSWORD = "a long enough password"
ROLES = [{"service": "system", "component": "role/*", "verb_mask": 1}]


def test_a_write_says_who_did_what(fresh_gateway: Gateway) -> None:
    admin = fresh_gateway.admin
    made = admin.post("/system/role", json=[{"name": "r", "description": "d", "no_such_field": 1}])
    (record,) = records(fresh_gateway)
    role_id = made.json()["resource"][0]["id"]
    me = fresh_gateway.create_user("admin@example.com")
    assert record["duration_ms"] > 0
    assert record["time"].endswith("Z")
    told = {name: value for name, value in record.items() if name not in ("id", "time", "duration_ms")}
    assert told == {
        "kind": "write", "user_id": me.id, "user_name": "admin", "is_sys_admin": True, "app_id": None, "app_name": None,
        "role_id": None, "role_name": None, "client": "testclient", "verb": "POST", "service": "system",
        "resource": "role", "status": 201, "request_id": made.headers["X-Request-Id"], "record_ids": [role_id],
        "fields": ["description", "name"],
    }  # fmt: skip


def test_every_verb_that_writes_is_kept_and_reads_are_not(fresh_gateway: Gateway) -> None:
    admin = fresh_gateway.admin
    role_id = admin.post("/system/role", json=[{"name": "r"}]).json()["resource"][0]["id"]
    admin.get("/system/role")
    admin.get(f"/system/role/{role_id}")
    admin.patch(f"/system/role/{role_id}", json={"is_active": True})
    admin.put(f"/system/role/{role_id}", json={"name": "s"})
    admin.post(f"/system/role/{role_id}", headers={"X-HTTP-Method": "GET"})
    admin.delete(f"/system/role/{role_id}")
    admin.delete(f"/system/role/{role_id}")
    found = [(one["verb"], one["resource"], one["status"], one["fields"]) for one in records(fresh_gateway)]
    path = f"role/{role_id}"
    assert found == [
        ("POST", "role", 201, ["name"]),
        ("PATCH", path, 200, ["is_active"]),
        ("PUT", path, 200, ["name"]),
        ("DELETE", path, 200, []),
        ("DELETE", path, 404, []),
    ]


def test_refusals_are_kept_whatever_the_verb(fresh_gateway: Gateway) -> None:
    role_id = fresh_gateway.create_role(ROLES, name="readers")
    app = fresh_gateway.create_app(role_id, name="reading")
    client = fresh_gateway.with_key(app["api_key"])
    user = fresh_gateway.as_user(fresh_gateway.create_user("u@ex.org"), app["api_key"])
    assert client.get("/system/role").status_code == 200
    assert client.get("/system/app").status_code == 401
    assert user.get("/system/app").status_code == 403
    assert client.delete("/system/role/1").status_code == 401
    found = records(fresh_gateway)
    assert [(one["kind"], one["verb"], one["status"]) for one in found] == [
        ("refused", "GET", 401), ("refused", "GET", 403), ("refused", "DELETE", 401)
    ]  # fmt: skip
    assert {(one["app_name"], one["role_id"], one["role_name"]) for one in found} == {("reading", role_id, "readers")}
    assert [one["user_name"] for one in found] == [None, "u", None]


class Busy(Resource):
    """Refuses itself."""

    name = "busy"

    async def get(self, _call: Call, _rest: tuple[str, ...]) -> Any:
        raise TooManyRequests("Later.", retry_after=1)


class BusyService(Service):
    """Always busy."""

    label = "Busy"
    description = "Always busy."
    resources = (Busy,)
    config: Config


def test_what_a_service_refuses_is_kept_too(fresh_gateway: Gateway) -> None:
    fresh_gateway.app.registry.add("busy", BusyService)
    fresh_gateway.create_service("mine", "busy")
    assert fresh_gateway.admin.get("/mine/busy").status_code == 429
    (found,) = records(fresh_gateway)
    assert (found["kind"], found["service"], found["resource"], found["status"]) == ("refused", "mine", "busy", 429)


def test_arguments_in_the_path_are_no_part_of_a_record(fresh_gateway: Gateway) -> None:
    fresh_gateway.admin.post("/system/role/x(secret)")
    assert records(fresh_gateway)[0]["resource"] == "role/x"


def test_logins_are_kept_with_the_user_but_not_with_what_was_typed(fresh_gateway: Gateway) -> None:
    user = fresh_gateway.create_user("u@ex.org", PASSWORD)
    login = {"email": "u@ex.org", "password": PASSWORD}
    assert fresh_gateway.anonymous.post("/user/session", json=login).status_code == 200
    assert fresh_gateway.anonymous.post("/user/session", json={**login, "password": "wrong"}).status_code == 401
    fresh_gateway.as_user(user).delete("/user/session")
    found = [(one["kind"], one["user_id"], one["user_name"], one["status"]) for one in records(fresh_gateway)]
    assert found == [("login", user.id, "u", 200), ("login", None, None, 401), ("write", user.id, "u", 200)]


def test_changes_that_no_request_asked_for_are_kept(fresh_gateway: Gateway) -> None:
    portal: Any = fresh_gateway._http.portal
    body = {"resource": [{"name": "r"}]}
    reply: Reply = portal.call(lambda: fresh_gateway.app.ask("POST", "system/role", body=body))
    (found,) = records(fresh_gateway)
    assert (found["verb"], found["resource"], found["request_id"]) == ("POST", "role", None)
    assert (found["record_ids"], found["fields"]) == ([reply.content["resource"][0]["id"]], ["name"])


def test_a_call_that_a_plugin_answers_is_kept(fresh_gateway: Gateway) -> None:
    class Instead:
        @hookimpl
        def before_call(self, call: Call) -> Reply | None:
            return Reply({"instead": True}, 202) if call.method == "DELETE" else None

    fresh_gateway.app.plugins.register(Instead())
    fresh_gateway.app.plugins._callers.clear()
    assert fresh_gateway.admin.delete("/system/role/1").status_code == 202
    assert [one["status"] for one in records(fresh_gateway)] == [202]
