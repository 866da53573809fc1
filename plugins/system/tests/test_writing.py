"""Writing stored records: verbs, batches, what may be set (system-api 4.4, 5.1, 5.5 and 5.6)."""

from __future__ import annotations

from typing import Any

import pytest
from asking import create, create_one, fields_refused, read, refused

from trunkline.testing import Client, Gateway


class TestCreating:
    def test_a_list_answers_201_and_the_keys(self, admin: Client) -> None:
        for body in ({"resource": [{"name": "a"}, {"name": "b"}]}, [{"name": "c"}, {"name": "d"}]):
            reply = admin.post("/system/role", json=body)
            assert reply.status_code == 201
            assert [set(one) for one in reply.json()["resource"]] == [{"id"}, {"id"}]

    def test_a_bare_object_is_answered_as_one_record(self, admin: Client) -> None:
        """D8."""
        reply = admin.post("/system/role", params={"fields": "name"}, json={"name": "bare"})
        assert (reply.status_code, reply.json()) == (201, {"name": "bare"})
        wrapped = admin.post("/system/role", json={"resource": {"name": "wrapped"}})
        assert wrapped.json() == {"resource": [{"id": wrapped.json()["resource"][0]["id"]}]}

    def test_an_id_in_the_path_is_refused(self, admin: Client) -> None:
        refused(admin.post("/system/role/5", json={"name": "x"}), 400, "Create record by identifier not currently")

    @pytest.mark.parametrize("body", [None, [], {}, {"resource": []}, {"resource": None}, "text", [None], 5, [[]]])
    def test_a_body_without_records_is_refused(self, admin: Client, body: Any) -> None:
        for method, path in (("POST", "/system/role"), ("PATCH", "/system/role"), ("PUT", "/system/role")):
            refused(admin.request(method, path, json=body), 400, "No record(s) detected in request.")

    def test_what_the_platform_sets_cannot_be_sent(self, admin: Client) -> None:
        """Checklist 14: only declared fields, and of those none that is the platform's own."""
        sent = {"id": 4711, "created_by_id": 99, "last_modified_by_id": 99, "created_date": "2001-01-01"}
        role = create_one(admin, "/system/role", name="own", nonsense=1, **sent)
        assert role["id"] != 4711
        assert (role["created_by_id"], role["last_modified_by_id"]) == (1, 1)
        assert not role["created_date"].startswith("2001")
        assert "nonsense" not in role
        admin.patch(f"/system/role/{role['id']}", json={**sent, "name": "still own"})
        after = read(admin, f"/system/role/{role['id']}")
        assert (after["id"], after["name"], after["created_by_id"]) == (role["id"], "still own", 1)
        assert after["created_date"] == role["created_date"]

    def test_text_is_kept_as_sent(self, admin: Client) -> None:
        """D24."""
        role = create_one(admin, "/system/role", name=" a <b>&amp; ü\u0301 ", description="")
        assert (role["name"], role["description"]) == (" a <b>&amp; ü\u0301 ", "")

    @pytest.mark.parametrize(
        ("record", "field"),
        [
            ({}, "name"),
            ({"name": None}, "name"),
            ({"name": ""}, "name"),
            ({"name": "x" * 65}, "name"),
            ({"name": ["x"]}, "name"),
            ({"name": {"x": 1}}, "name"),
            ({"name": "x", "is_active": "maybe"}, "is_active"),
            ({"name": "x", "is_active": 2}, "is_active"),
            ({"name": "x", "is_active": []}, "is_active"),
            ({"name": "taken"}, "name"),
            ({"name": "TAKEN"}, "name"),
        ],
    )
    def test_what_does_not_validate_names_its_field(self, admin: Client, record: dict[str, Any], field: str) -> None:
        """D17, D20: a 400 inside the batch envelope, even for one record."""
        admin.post("/system/role", json={"name": "taken"})
        reply = admin.post("/system/role", json={"resource": [{"description": "x", **record}]})
        assert reply.json()["error"]["code"] == 1000
        fields_refused(reply, field)

    @pytest.mark.parametrize(("sent", "stored"), [(1, True), ("1", True), ("true", True), (0, False), ("no", False)])
    def test_what_looks_like_a_boolean_is_one(self, admin: Client, sent: Any, stored: bool) -> None:
        assert create_one(admin, "/system/role", name=f"b {sent!r}", is_active=sent)["is_active"] is stored


class TestUpdating:
    @pytest.fixture
    def role(self, fresh_gateway: Gateway) -> dict[str, Any]:
        return create_one(fresh_gateway.admin, "/system/role", name="one", description="d", is_active=True)

    @pytest.fixture
    def admin(self, fresh_gateway: Gateway) -> Client:
        return fresh_gateway.admin

    @pytest.mark.parametrize("method", ["PATCH", "PUT"])
    def test_by_id_what_is_not_sent_stays(self, admin: Client, role: dict[str, Any], method: str) -> None:
        path = f"/system/role/{role['id']}"
        reply = admin.request(method, path, json={"name": "two"})
        assert (reply.status_code, reply.json()) == (200, {"id": role["id"]})
        after = read(admin, path)
        assert (after["name"], after["description"], after["is_active"]) == ("two", "d", True)
        assert admin.request(method, path, json={"resource": [{"name": "three"}]}).status_code == 200
        assert read(admin, path)["name"] == "three"

    def test_a_list_by_the_ids_of_its_records(self, admin: Client, role: dict[str, Any]) -> None:
        second = create_one(admin, "/system/role", name="two")
        body = {"resource": [{"id": role["id"], "name": "a"}, {"id": second["id"], "name": "b"}]}
        reply = admin.patch("/system/role", params={"fields": "name"}, json=body)
        assert reply.json() == {"resource": [{"name": "a"}, {"name": "b"}]}
        swapped = {"resource": [{"name": "c"}]}
        refused(admin.patch("/system/role", json=swapped), 400, 'Identifying field "id" can not be empty for update')

    @pytest.mark.parametrize("selection", [{"ids": "1,2"}, {"filter": "id < 3"}])
    def test_one_record_for_all_that_are_selected(
        self, admin: Client, role: dict[str, Any], selection: dict[str, str]
    ) -> None:
        create(admin, "/system/role", {"name": "two"}, {"name": "three"})
        change: list[Any] = [{"id": 3, "description": "new"}]
        reply = admin.patch("/system/role", params=selection, json=change)
        assert reply.json() == {"resource": [{"id": 1}, {"id": 2}]}
        assert [one["description"] for one in read(admin, "/system/role")] == ["new", "new", None]

    def test_failures_keep_their_status(self, admin: Client, role: dict[str, Any]) -> None:
        """D17: a mistake in an update was a 500 in the original."""
        create_one(admin, "/system/role", name="taken")
        path = f"/system/role/{role['id']}"
        for body in ({"name": "Taken"}, {"name": ""}, {"name": None}, {"is_active": "x"}, {"description": [1]}):
            error = admin.patch(path, json=body).json()["error"]
            assert (error["code"], error["status_code"], set(error["context"])) == (400, 400, set(body)), body
        refused(admin.patch(path, json={}), 400, "There are no fields in the record")
        refused(admin.patch(path), 400, "No record(s) detected")
        error = admin.patch("/system/role/99", json={"name": "x"}).json()["error"]
        assert (error["code"], error["message"]) == (404, "Record with identifier '99' not found.")

    def test_a_record_may_keep_its_own_name(self, admin: Client, role: dict[str, Any]) -> None:
        assert admin.patch(f"/system/role/{role['id']}", json={"name": "ONE"}).status_code == 200

    def test_nothing_to_change_is_no_failure(self, admin: Client, role: dict[str, Any]) -> None:
        """D13."""
        reply = admin.patch(f"/system/role/{role['id']}", params={"fields": "*"}, json={"nonsense": 1})
        assert reply.status_code == 200
        assert reply.json() == {name: role[name] for name in reply.json()}

    def test_an_empty_filter_writes_nothing(self, admin: Client, role: dict[str, Any]) -> None:
        """D26, checklist 6."""
        for params in ({"filter": ""}, {"ids": ""}, {"ids": ","}):
            assert admin.patch("/system/role", params=params, json=[{"description": "x"}]).status_code == 400
            assert admin.delete("/system/role", params=params).status_code == 400
        nothing = admin.patch("/system/role", params={"filter": "id > 99"}, json=[{"description": "x"}])
        assert nothing.json() == {"resource": []}
        assert read(admin, "/system/role")[0]["description"] == "d"


class TestDeleting:
    @pytest.fixture
    def admin(self, fresh_gateway: Gateway) -> Client:
        create(fresh_gateway.admin, "/system/role", *({"name": f"role {number}"} for number in range(1, 7)))
        return fresh_gateway.admin

    def left(self, admin: Client) -> list[int]:
        found: list[int] = read(admin, "/system/role", as_list="true")
        return found

    def test_by_id(self, admin: Client) -> None:
        reply = admin.delete("/system/role/2", params={"fields": "name"})
        assert (reply.status_code, reply.json()) == (200, {"name": "role 2"})
        assert admin.delete("/system/role/2").status_code == 404
        assert self.left(admin) == [1, 3, 4, 5, 6]

    def test_by_ids_records_and_filter(self, admin: Client) -> None:
        assert admin.delete("/system/role", params={"ids": "1,2"}).json() == {"resource": [{"id": 1}, {"id": 2}]}
        assert admin.request("DELETE", "/system/role", json={"resource": [{"id": 3}]}).status_code == 200
        assert admin.request("DELETE", "/system/role", json=[4]).status_code == 200
        assert admin.delete("/system/role", params={"filter": "name='role 5'"}).json() == {"resource": [{"id": 5}]}
        assert self.left(admin) == [6]

    def test_everything_needs_force(self, admin: Client) -> None:
        for body in (None, {}, [], {"filter": None}, {"force": False}):
            refused(admin.request("DELETE", "/system/role", json=body), 400)
        assert len(self.left(admin)) == 6
        assert admin.delete("/system/role", params={"force": "true"}).status_code == 200
        assert self.left(admin) == []
        # D20: the sequence goes on.
        assert create_one(admin, "/system/role", name="next")["id"] == 7

    @pytest.mark.parametrize("body", [{"resource": [{"id": 1}]}, [{"id": 1}], [1], {"id": 1}])
    def test_force_with_records_deletes_only_these(self, admin: Client, body: Any) -> None:
        """D26, checklist 6: who names records never means all of them."""
        assert admin.request("DELETE", "/system/role", params={"force": "true"}, json=body).status_code == 200
        assert self.left(admin) == [2, 3, 4, 5, 6]

    def test_an_id_that_is_not_there(self, admin: Client) -> None:
        error = admin.delete("/system/role", params={"ids": "1,99,2"}).json()["error"]
        assert error["message"] == "Batch Error: Not all requested records could be deleted."
        assert error["context"]["error"] == [1]
        assert error["context"]["resource"][0] == {"id": 1}
        assert self.left(admin) == [2, 3, 4, 5, 6]

    def test_children_go_with_their_parent(self, admin: Client) -> None:
        role = create_one(
            admin, "/system/role", name="parent", lookup_by_role_id=[{"name": "x", "value": "y"}],
            role_service_access_by_role_id=[{"service_id": 1, "component": "*", "verb_mask": 1}],
        )  # fmt: skip
        app = create_one(admin, "/system/app", name="app", role_id=role["id"])
        assert admin.delete(f"/system/role/{role['id']}").status_code == 200
        assert read(admin, f"/system/app/{app['id']}")["role_id"] is None


class TestBatches:
    @pytest.fixture
    def admin(self, fresh_gateway: Gateway) -> Client:
        return fresh_gateway.admin

    def sent(self, admin: Client, **params: str) -> tuple[dict[str, Any], list[str]]:
        batch = [{"name": "a"}, {"name": ""}, {"name": "b"}, {"name": "a"}]
        reply = admin.post("/system/role", params=params, json={"resource": batch})
        assert reply.status_code == 400
        error: dict[str, Any] = reply.json()["error"]
        assert (error["code"], error["status_code"]) == (1000, 400)
        assert error["message"].startswith("Batch Error: Not all requested records could be created.")
        return error, [one["name"] for one in read(admin, "/system/role")]

    def test_the_first_failure_ends_it_and_what_was_done_stays(self, admin: Client) -> None:
        error, names = self.sent(admin)
        assert names == ["a"]
        assert error["context"]["error"] == [1]
        assert error["context"]["resource"][0] == {"id": 1}
        assert set(error["context"]["resource"][1]) == {"code", "context", "message", "status_code"}

    def test_continue_does_the_rest(self, admin: Client) -> None:
        error, names = self.sent(admin, **{"continue": "true"})
        assert names == ["a", "b"]
        assert error["context"]["error"] == [1, 3]
        assert len(error["context"]["resource"]) == 4

    def test_rollback_undoes_all(self, admin: Client) -> None:
        error, names = self.sent(admin, rollback="true")
        assert names == []
        assert error["message"].endswith(" All changes rolled back.")

    def test_both_at_once_make_no_sense(self, admin: Client) -> None:
        reply = admin.post("/system/role?continue=true&rollback=true", json=[{"name": "x"}])
        assert refused(reply, 400)["code"] == 400
        assert read(admin, "/system/role") == []

    def test_updates_and_deletes_roll_back_too(self, admin: Client) -> None:
        create(admin, "/system/role", {"name": "one"}, {"name": "two"})
        body = [{"id": 1, "name": "changed"}, {"id": 9, "name": "x"}]
        error = admin.patch("/system/role?rollback=true", json=body).json()["error"]
        assert error["message"] == ("Batch Error: Not all requested records could be updated. All changes rolled back.")
        assert admin.delete("/system/role?rollback=true&ids=1,9").status_code == 400
        assert [one["name"] for one in read(admin, "/system/role")] == ["one", "two"]


def test_another_wrapper_is_understood_as_set(fresh_gateway: Gateway) -> None:
    """system-api 3.3: `wrap` takes the wrapper off."""
    create_one(fresh_gateway.admin, "/system/role", name="x")
    bare = fresh_gateway.admin.get("/system/role", params={"wrap": "false", "fields": "id"})
    assert bare.json() == [{"id": 1}]
