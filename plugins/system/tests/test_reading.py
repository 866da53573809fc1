"""Reading stored records: what every resource under ``/system`` has in common (system-api 5.1 to 5.4)."""

from __future__ import annotations

from typing import Any

import pytest
from asking import create, create_one, read, refused

from trunkline.testing import Client, Gateway


@pytest.fixture
def roles(admin: Client) -> list[dict[str, Any]]:
    """Four roles, made once a class."""
    if not (found := read(admin, "/system/role")):
        found = create(
            admin,
            "/system/role",
            {"name": "alpha", "description": "first", "is_active": True},
            {"name": "Beta", "description": "100%"},
            {"name": "it's", "description": None},
            {"name": "a_d", "description": ""},
            related="",
        )
    return found


@pytest.mark.usefixtures("roles")
class TestLists:
    def test_a_list_is_wrapped_and_ordered_by_key(self, admin: Client) -> None:
        reply = admin.get("/system/role").json()
        assert set(reply) == {"resource"}
        assert [one["id"] for one in reply["resource"]] == [1, 2, 3, 4]

    def test_a_record_by_id_is_bare(self, admin: Client, roles: list[dict[str, Any]]) -> None:
        assert admin.get("/system/role/1").json() == roles[0]

    def test_dates_and_booleans_have_their_form(self, roles: list[dict[str, Any]]) -> None:
        first = roles[0]
        assert first["is_active"] is True
        assert first["created_date"][10] == "T"
        assert first["created_date"].endswith("Z")
        assert len(first["created_date"]) == len("2023-09-21T17:51:20.000000Z")
        assert first["created_by_id"] == first["last_modified_by_id"] == 1

    @pytest.mark.parametrize("key", ["99", "0", "id-undefined", "1e0", "-1", "99999999999999", "1%00"])
    def test_an_id_that_is_none_is_a_404(self, admin: Client, key: str) -> None:
        assert admin.get(f"/system/role/{key}").status_code in ((404,) if "%" not in key else (400,))

    def test_more_path_than_an_id_is_a_404(self, admin: Client) -> None:
        """D13."""
        for method in ("GET", "PATCH", "DELETE"):
            assert admin.request(method, "/system/role/1/2").status_code == 404

    def test_limit_offset_and_order(self, admin: Client) -> None:
        def names(**params: Any) -> list[str]:
            return [one["name"] for one in read(admin, "/system/role", **params)]

        assert names(limit=2) == ["alpha", "Beta"]
        assert names(limit=2, offset=1) == ["Beta", "it's"]
        assert names(limit=2, skip=3) == ["a_d"]
        assert names(offset=99) == []
        assert len(names(limit=0)) == len(names(limit=-5)) == len(names(limit="x")) == 4
        assert names(order="id desc") == names(sort="id DESC") == names(order_by="id desc")
        assert names(order="is_active desc, id desc") == ["alpha", "a_d", "it's", "Beta"]

    @pytest.mark.parametrize("order", ["nothing", "id sideways", "id; drop table role", "id desc desc", "(select 1)"])
    def test_an_unknown_order_is_refused_and_named(self, admin: Client, order: str) -> None:
        """D9."""
        refused(admin.get("/system/role", params={"order": order}), 400, order)

    def test_counts(self, admin: Client) -> None:
        counted = admin.get("/system/role", params={"include_count": "true", "limit": 1, "filter": "id > 1"}).json()
        assert (len(counted["resource"]), counted["meta"]) == (1, {"count": 3})
        assert admin.get("/system/role", params={"count_only": "true"}).json() == 4
        assert admin.get("/system/role", params={"count_only": "true", "filter": "name=alpha"}).json() == 1

    def test_lists_of_identifiers(self, admin: Client) -> None:
        assert read(admin, "/system/role", as_list="true") == [1, 2, 3, 4]
        assert read(admin, "/system/role", as_list="true", fields="name") == [1, 2, 3, 4]
        assert read(admin, "/system/role", as_list="true", id_field="name", limit=1) == ["alpha"]
        refused(admin.get("/system/role", params={"as_list": "true", "id_field": "nothing"}), 400, "nothing")

    def test_fields(self, admin: Client) -> None:
        assert read(admin, "/system/role", fields="id, name", limit=1) == [{"id": 1, "name": "alpha"}]
        assert "description" in read(admin, "/system/role/1", fields="*")
        refused(admin.get("/system/role", params={"fields": "id,nothing"}), 400, "nothing")

    def test_a_group_answers_the_first_record_of_each_value(self, admin: Client) -> None:
        found = admin.get("/system/role", params={"group": "is_active", "include_count": "true"}).json()
        assert [one["name"] for one in found["resource"]] == ["alpha", "Beta"]
        assert found["meta"]["count"] == 2
        refused(admin.get("/system/role", params={"group_by": "nothing"}), 400, "nothing")

    def test_the_schema_comes_when_asked_for(self, admin: Client) -> None:
        schema = admin.get("/system/app", params={"include_schema": "true"}).json()["meta"]["schema"]
        found = {one["name"]: one for one in schema}
        assert (found["id"]["type"], found["id"]["is_primary_key"]) == ("id", True)
        name = {"type": "string", "length": 64, "required": True, "allow_null": False, "is_unique": True}
        assert {key: found["name"][key] for key in name} == name
        assert (found["is_active"]["type"], found["is_active"]["default"]) == ("boolean", False)
        assert (found["role_id"]["ref_table"], found["role_id"]["ref_field"]) == ("role", "id")
        assert found["created_date"]["type"] == "timestamp"
        assert found["launch_url"]["is_virtual"] is True
        assert "api_key_digest" not in found


@pytest.mark.usefixtures("roles")
class TestFilters:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("name=alpha", ["alpha"]),
            ('name = "alpha"', ["alpha"]),
            ("name != 'alpha'", ["Beta", "it's", "a_d"]),
            ("name <> alpha", ["Beta", "it's", "a_d"]),
            ("id > 3", ["a_d"]),
            ("id gte 3", ["it's", "a_d"]),
            ("id < 2", ["alpha"]),
            ("id <= 2", ["alpha", "Beta"]),
            ("id in (1, 4)", ["alpha", "a_d"]),
            ("id not in (1,2,3)", ["a_d"]),
            ("id between 2 and 3", ["Beta", "it's"]),
            ("id not between 2 and 3", ["alpha", "a_d"]),
            ("name like '%ET%'", ["Beta"]),
            ("name not like 'a%'", ["Beta", "it's"]),
            ("name contains et", ["Beta"]),
            ("name not contains a", ["it's"]),
            ("name starts with A", ["alpha", "a_d"]),
            ("name ends with a", ["alpha", "Beta"]),
            ("description is null", ["it's"]),
            ("description is not null", ["alpha", "Beta", "a_d"]),
            ("description = ''", ["a_d"]),
            ("description like '100\\%'", []),
            ("name = 'it''s'", ["it's"]),
            ("is_active = true", ["alpha"]),
            ("is_active = 0", ["Beta", "it's", "a_d"]),
            ("(id > 1) and (is_active = false) and (name like '%a%')", ["Beta", "a_d"]),
            ("id = 1 or id = 2 and is_active = true", ["alpha"]),
            ("not (id > 1)", ["alpha"]),
            ("created_by_id = :user_id", ["alpha", "Beta", "it's", "a_d"]),
            ("created_by_id = {user.id}", ["alpha", "Beta", "it's", "a_d"]),
            ("created_by_id = {nobody.id}", None),
            ("name = '{nothing}'", []),
            ("created_date > '2020-01-01T00:00:00Z'", ["alpha", "Beta", "it's", "a_d"]),
            ("created_date > NOW()", []),
            ("created_date >= CURDATE()", ["alpha", "Beta", "it's", "a_d"]),
            ("created_date < UTC_TIMESTAMP()", ["alpha", "Beta", "it's", "a_d"]),
            ("NAME = alpha", ["alpha"]),
            ("id like '%1%'", ["alpha"]),
            ("name = 'alpha'' or 1=1 --'", []),
        ],
    )
    def test_every_operator_finds_its_records(self, admin: Client, text: str, names: list[str] | None) -> None:
        """Checklist 2: the values are data, whatever they look like."""
        reply = admin.get("/system/role", params={"filter": text, "fields": "name"})
        if names is None:
            assert reply.status_code in (200, 400), reply.text
            assert not reply.json().get("resource")
        else:
            assert [one["name"] for one in reply.json().get("resource", [reply.text])] == names

    def test_params_are_bound(self, admin: Client) -> None:
        def found(params: Any, text: str = "name = :n") -> list[str]:
            reply = admin.post(
                "/system/role",
                headers={"X-HTTP-Method": "GET"},
                json={"filter": text, "params": params, "fields": "id"},
            )
            assert reply.status_code == 200, reply.text
            return [one["id"] for one in reply.json()["resource"]]

        assert found({":n": "it's"}) == [3]
        assert found({"n": "x' or 1=1"}) == []
        assert found({":n": [1, 4]}, "id in (:n)") == [1, 4]

    def test_a_null_matches_no_row_whatever_the_operator(self, admin: Client) -> None:
        """D26: a missing value never widens what is read."""
        for text in (
            "description = :n",
            "description != :n",
            "not (description = :n)",
            "description like :n",
            "id > :n",
        ):
            reply = admin.post(
                "/system/role", headers={"X-HTTP-Method": "GET"}, json={"filter": text, "params": {":n": None}}
            )
            assert reply.json() == {"resource": []}, text

    def test_what_a_key_without_a_user_asks_of_its_user_is_nothing(self, gateway: Gateway) -> None:
        client = gateway.key_for([{"service": "system", "component": "*", "verb_mask": 1}])
        service = {"filter": "created_by_id = :user_id"}
        assert read(client, "/system/service", **service) == []

    @pytest.mark.parametrize(
        "text",
        ["nothing = 1", "id = abc", "garbage", "(id = 1", "id in ()", "id in 1", "id = 1)", "is_active = maybe",
         "created_date > yesterday", "name = NOW()", "role.id = 1", "id = (select 1) union select 1"],
    )  # fmt: skip
    def test_a_filter_that_cannot_be_understood_is_refused(self, admin: Client, text: str) -> None:
        """D9, D26."""
        refused(admin.get("/system/role", params={"filter": text}), 400)

    @pytest.mark.parametrize("wrong", [{"id": 1}, ["id=1"], 5, True])
    def test_a_filter_that_is_no_text_is_refused(self, admin: Client, wrong: Any) -> None:
        """D26: in the original it was no filter at all."""
        before = read(admin, "/system/role")
        for verb in ("GET", "DELETE", "PATCH"):
            reply = admin.post("/system/role", headers={"X-HTTP-Method": verb}, json={"filter": wrong})
            assert reply.status_code == 400, verb
        assert read(admin, "/system/role") == before

    def test_params_that_are_no_object_are_refused(self, admin: Client) -> None:
        body = {"filter": "name != :n", "params": "x"}
        refused(admin.post("/system/role", headers={"X-HTTP-Method": "GET"}, json=body), 400, "params")


@pytest.mark.usefixtures("roles")
class TestSelectionById:
    def test_ids_keep_their_order(self, admin: Client) -> None:
        assert [one["id"] for one in read(admin, "/system/role", ids="4,1")] == [4, 1]
        counted = admin.get("/system/role", params={"ids": "2,3", "include_count": "true"}).json()
        assert counted["meta"] == {"count": 2}

    def test_an_id_that_is_not_there_is_a_batch_error(self, admin: Client) -> None:
        reply = admin.get("/system/role", params={"ids": "1,77,2,x"})
        error = reply.json()["error"]
        assert (reply.status_code, error["code"], error["status_code"]) == (400, 1000, 400)
        assert error["message"] == "Batch Error: Not all requested records could be retrieved."
        assert error["context"]["error"] == [1]
        assert error["context"]["resource"][1]["message"] == "Record with identifier '77' not found."
        everything = admin.get("/system/role", params={"ids": "1,77,2,x", "continue": "true"}).json()["error"]
        assert everything["context"]["error"] == [1, 3]
        assert len(everything["context"]["resource"]) == 4

    def test_records_in_a_body_select_too(self, admin: Client) -> None:
        for body in ([{"id": 2}, {"id": 3}], {"resource": [{"id": 2}, {"id": 3}]}, [2, 3], {"ids": [2, 3]}):
            reply = admin.post("/system/role", headers={"X-HTTP-Method": "GET"}, json=body)
            assert [one["id"] for one in reply.json()["resource"]] == [2, 3], body

    def test_ids_are_values_and_no_sql(self, admin: Client) -> None:
        refused(admin.get("/system/role", params={"ids": "1) or (1=1"}), 400)
        refused(admin.get("/system/role", params={"ids": ","}), 400, "No ids given.")


class TestRelations:
    def test_what_is_missing_is_null_or_empty(self, admin: Client) -> None:
        app = create_one(admin, "/system/app", name="lonely")
        assert app["role_by_role_id"] is None
        assert app["lookup_by_app_id"] == app["user_to_app_to_role_by_app_id"] == []
        service = read(admin, "/system/service/1", related="service_doc_by_service_id")
        assert service["service_doc_by_service_id"] is None

    def test_all_kinds_of_relations(self, admin: Client) -> None:
        row = {"service_id": 1, "component": "*", "verb_mask": 1}
        role = create_one(admin, "/system/role", name="linked", role_service_access_by_role_id=[row, row])
        app = create_one(admin, "/system/app", name="linked", role_id=role["id"])
        user = create_one(
            admin,
            "/system/user",
            email="linked@example.com",
            user_to_app_to_role_by_user_id=[{"app_id": app["id"], "role_id": role["id"]}],
        )
        assert app["role_by_role_id"]["name"] == "linked"
        found = read(admin, f"/system/role/{role['id']}", related="*")
        assert [one["id"] for one in found["app_by_role_id"]] == [app["id"]]
        assert [one["name"] for one in found["service_by_role_service_access"]] == ["system"]
        assert [one["user_id"] for one in found["user_to_app_to_role_by_role_id"]] == [user["id"]]
        assert [one["name"] for one in user["app_by_user_to_app_to_role"]] == ["linked"]
        assert [one["name"] for one in user["role_by_user_to_app_to_role"]] == ["linked"]

    @pytest.mark.parametrize("name", ["nothing", "user_lookup_by_user_id", "role_by_role_id; --"])
    def test_an_unknown_relation_is_refused_and_named(self, admin: Client, name: str) -> None:
        """D9."""
        for path in ("/system/user", "/system/user/1"):
            refused(admin.get(path, params={"related": name}), 400, f"Unknown relationship: {name}")

    def test_a_relation_opens_nothing_that_its_own_resource_would_not(self, gateway: Gateway) -> None:
        """Checklist 10: who may read roles but not apps does not get at their keys by another way."""
        role = gateway.create_role([])
        gateway.create_app(role)
        client = gateway.key_for([{"service": "system", "component": "role", "verb_mask": 31},
                                  {"service": "system", "component": "role/*", "verb_mask": 31}])  # fmt: skip
        path = f"/system/role/{role}"
        refused(client.get(path, params={"related": "app_by_role_id"}), 403, "component 'app'")
        found = read(client, path, related="*")
        assert "role_service_access_by_role_id" in found
        assert "app_by_role_id" not in found
        refused(client.patch(path, json={"app_by_role_id": [{"name": "mine"}]}), 403, "POST access to component 'app'")
        assert "mine" not in {one["name"] for one in read(gateway.admin, "/system/app")}
