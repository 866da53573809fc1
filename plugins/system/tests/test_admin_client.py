"""The calls of existing admin consoles: log in, make a first API, clean up (the table of smallest answers)."""

from __future__ import annotations

from typing import Any

import pytest
from asking import PASSWORD, create_one, refused

from trunkline.testing import Client, Gateway

# What consoles send with every call; the key is compiled into them and stands for no app here.
CONSOLE = {"X-DreamFactory-API-Key": "6498a8ad" + "0" * 56, "Cache-Control": "no-cache, private", "skip-error": "true"}
BOSS = {"email": "boss@ex.org", "password": PASSWORD}


@pytest.fixture
def console(fresh_gateway: Gateway) -> Client:
    """A console before its login."""
    fresh_gateway.create_user(BOSS["email"], PASSWORD, is_sys_admin=True, first_name="The", last_name="Boss")
    return Client(fresh_gateway._http, CONSOLE)


def test_the_journey_from_login_to_a_first_api(console: Client, fresh_gateway: Gateway) -> None:
    def listed(path: str, *names: str, **params: Any) -> list[dict[str, Any]]:
        reply = console.get(path, params={"include_count": "true", "limit": 50, "offset": 0, "_": "1", **params})
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-type"] == "application/json"
        content = reply.json()
        assert content["meta"]["count"] >= len(content["resource"])
        assert all(set(names) <= one.keys() for one in content["resource"])
        found: list[dict[str, Any]] = content["resource"]
        return found

    before = console.get("/system/environment").json()
    login = before["authentication"]
    assert (login["login_attribute"], login["allow_open_registration"]) == ("email", False)
    assert login["adldap"] == login["oauth"] == login["saml"] == []
    assert console.get("/system/lookup").status_code in (400, 401)
    assert console.get("/user/session", headers={"Authorization": ""}).status_code == 401
    refused(console.post("/user/session", json=BOSS), 401)

    session = console.post("/system/admin/session", json=BOSS).json()
    assert session["is_sys_admin"] is True
    assert {"session_token", "id", "name", "email", "first_name", "last_name"} <= session.keys()
    console.headers["X-DreamFactory-Session-Token"] = session["session_token"]
    again = console.get("/user/session", headers={"Authorization": ""}).json()
    assert {name: again[name] for name in ("id", "session_token", "is_sys_admin")} == {
        name: session[name] for name in ("id", "session_token", "is_sys_admin")
    }
    environment = console.get("/system/environment").json()
    assert (environment["platform"]["license"], "version" in environment["platform"]) == ("OPEN SOURCE", True)
    assert environment["server"]["host"]
    assert listed("/system/lookup") == []

    assert listed("/system/service", "id", "name", "type", "label", "description", "is_active", sort="name")
    assert listed("/system/role") == listed("/system/app") == listed("/system/user") == []
    listed("/system/service_type", "name", "label", "group", "description", "config_schema", fields="*")

    record = {"name": "mine", "label": "Mine", "description": "", "type": "user", "is_active": True, "id": None,
              "config": {"allow_open_registration": False}, "service_doc_by_service_id": None}  # fmt: skip
    made = console.post(
        "/system/service", params={"fields": "*", "related": "service_doc_by_service_id"}, json={"resource": [record]}
    )
    assert made.status_code == 201
    service = made.json()["resource"][0]
    assert service["is_active"] is True
    assert isinstance(service["config"], dict)

    rows = [{"service_id": service["id"], "component": "*", "verb_mask": 1, "requestor_mask": 3, "filters": [],
             "filter_op": "AND", "id": 0}]  # fmt: skip
    role = console.post(
        "/system/role",
        json={
            "resource": [
                {"name": "mine", "is_active": True, "lookup_by_role_id": [], "role_service_access_by_role_id": rows}
            ]
        },
    )
    app = {"name": "mine", "type": "0", "role_id": role.json()["resource"][0]["id"], "is_active": True}
    made = console.post("/system/app", params={"fields": "*", "related": "role_by_role_id"}, json={"resource": [app]})
    assert (role.status_code, made.status_code) == (201, 201)
    made_app = made.json()["resource"][0]
    assert made_app["role_by_role_id"]["name"] == "mine"
    assert fresh_gateway.with_key(made_app["api_key"]).get("/mine").status_code == 200

    # Every edit form sends all that it has read, by PUT and unwrapped.
    path = f"/system/service/{service['id']}"
    assert console.put(path, json={**console.get(path).json(), "label": "Renamed"}).json() == {"id": service["id"]}
    assert console.delete(path).json() == {"id": service["id"]}
    assert "mine" not in {one["name"] for one in listed("/system/service")}
    assert console.delete("/system/admin/session").json() == {"success": True}
    assert console.get("/user/session").status_code == 403


@pytest.mark.parametrize(
    ("path", "text", "names"),
    [
        ("/system/service", '(type in ("sqlite","user"))', ["user"]),
        ("/system/service", '(type in (""))', []),
        ("/system/service", '(created_by_id is null) and (name != "api_docs")', ["system", "user"]),
        ("/system/service", '(created_by_id is null) and (name != "user") and (type in ("system","user"))', ["system"]),
        ("/system/service", '(type not like "%sys%")', ["user"]),
        ("/system/service", '(type not like "%x%") and (name like "%us%") or (label like "%us%")', ["user"]),
        ("/system/service", "type=user", ["user"]),
        ("/system/service", 'name="user"', ["user"]),
        ("/system/lookup", 'name="intercom_widget_enabled"', []),
        ("/system/app", "role_id=101", []),
        ("/system/user", '(first_name like "%n%") or (last_name like "%x%") or (email like "%x%")', ["Ana"]),
    ],
)  # fmt: skip
class TestFiltersOfConsoles:
    def test_each_finds_what_it_means(self, gateway: Gateway, path: str, text: str, names: list[str]) -> None:
        gateway.create_user("a@b.org", name="Ana", first_name="Ana")
        reply = gateway.admin.get(path, params={"filter": text, "order": "id"})
        assert reply.status_code == 200, reply.text
        known = {"system", "user", "Ana"}
        assert [one["name"] for one in reply.json()["resource"] if one["name"] in known] == names


def test_a_failed_create_has_the_form_that_consoles_read(fresh_gateway: Gateway) -> None:
    """They show `error.context.resource[0].message` and throw when it is missing."""
    admin = fresh_gateway.admin
    create_one(admin, "/system/role", name="taken")
    reply = admin.post("/system/role", json={"resource": [{"name": "taken"}]})
    error = reply.json()["error"]
    assert (reply.status_code, error["code"], error["context"]["error"]) == (400, 1000, [0])
    assert error["message"].startswith("Batch Error: ")
    assert "has already been taken" in error["context"]["resource"][0]["message"]


def test_a_schema_is_edited_as_forms_do_it(console: Client, fresh_gateway: Gateway) -> None:
    """Forms leave out what is switched off, and send empty text and null for what is not filled in."""
    login = console.post("/system/admin/session", json=BOSS).json()
    console.headers["X-DreamFactory-Session-Token"] = login["session_token"]
    service = create_one(
        console, "/system/service", name="db", type="sqlite", is_active=True, config={"database": "forms.sqlite"}
    )
    tables = [
        {"name": "shelf", "field": [{"name": "id", "type": "id"}, {"name": "code", "type": "string"}]},
        {"name": "book", "field": [
            {"name": "id", "type": "id"}, {"name": "shelf_id", "type": "integer"}, {"name": "title", "type": "string"},
        ]},
    ]  # fmt: skip

    def done(reply: Any) -> Any:
        assert reply.status_code == 200, reply.text
        return reply.json()

    done(console.post("/db/_schema", params={"fields": "*"}, json={"resource": tables}))
    words = {"alias": None, "label": "Books", "plural": "All books", "description": "Paper."}
    done(console.patch("/db/_schema/book", json=words))
    assert {name: done(console.get("/db/_schema/book"))[name] for name in words} == words

    shown = done(console.get("/db/_schema/book/_field/title"))
    kept = ("name", "type", "length", "allow_null", "auto_increment", "default", "is_index", "is_unique")
    blank = {
        "alias": "",
        "is_virtual": False,
        "is_foreign_key": False,
        "validation": "",
        "db_function": [],
        "picklist": "",
    }
    edited = {**{name: shown[name] for name in kept}, **blank, "label": "The title"}
    done(console.put("/db/_schema/book/_field", json={"resource": [edited]}))
    assert done(console.get("/db/_schema/book/_field/title"))["label"] == "The title"
    fresh = {"name": "pages", "type": "integer", "label": "", "length": None, "allow_null": True, **blank}
    done(console.post("/db/_schema/book/_field", json={"resource": [fresh]}))
    upper = {"name": "loud", "type": "string", **blank, "is_virtual": True, "is_aggregate": False}
    upper["db_function"] = [{"use": ["SELECT"], "function": "upper(title)"}]
    done(console.post("/db/_schema/book/_field", json={"resource": [upper]}))
    names = [row["name"] for row in done(console.get("/db/_schema/book/_field"))["resource"]]
    assert names == ["id", "shelf_id", "title", "pages", "loud"]

    relation = {
        "alias": None, "label": None, "description": None, "always_fetch": False, "type": "belongs_to",
        "field": "shelf_id", "ref_service_id": service["id"], "ref_table": "shelf", "ref_field": "id",
    }  # fmt: skip
    done(console.post("/db/_schema/book/_related", json={"resource": [relation]}))
    changed = {**relation, "alias": "place", "always_fetch": True}
    done(console.patch("/db/_schema/book/_related", json={"resource": [changed]}))
    (made,) = done(console.get("/db/_schema/book/_related"))["resource"]
    assert (made["name"], made["alias"], made["is_virtual"]) == ("shelf_by_shelf_id", "place", True)
    done(console.post("/db/_table/shelf", json={"resource": [{"code": "A"}]}))
    done(console.post("/db/_table/book", json={"resource": [{"title": "Dune", "shelf_id": 1}]}))
    (book,) = done(console.get("/db/_table/book"))["resource"]
    assert (book["loud"], book["place"]["code"]) == ("DUNE", "A")

    assert done(console.delete("/db/_schema/book/_field/pages")) == {"success": True}
    assert done(console.delete("/db/_schema/book")) == {"success": True}
