"""Nested writes: parents with their children, in one transaction (system-api 5.5)."""

from __future__ import annotations

from typing import Any

import pytest
from asking import create_one, fields_refused, read, refused

from trunkline.testing import Client

LOOKUPS = "lookup_by_role_id"
ROWS = "role_service_access_by_role_id"


@pytest.fixture
def parent(admin: Client, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A role with two lookups and an access row."""
    name = f"role of {request.node.name}"[:64]
    lookups = [{"name": "one", "value": "1"}, {"name": "two", "value": "2", "private": True}]
    row = {"service_id": 1, "component": "role", "verb_mask": 1}
    return create_one(admin, "/system/role", name=name, **{LOOKUPS: lookups, ROWS: [row]})


def patched(admin: Client, parent: dict[str, Any], **changes: Any) -> dict[str, Any]:
    reply = admin.patch(f"/system/role/{parent['id']}", params={"fields": "*", "related": "*"}, json=changes)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def names(record: dict[str, Any]) -> list[str]:
    return [one["name"] for one in record[LOOKUPS]]


class TestHasMany:
    def test_a_create_makes_every_child(self, parent: dict[str, Any]) -> None:
        assert names(parent) == ["one", "two"]
        assert all(one["role_id"] == parent["id"] for one in parent[LOOKUPS] + parent[ROWS])
        assert parent[LOOKUPS][1]["value"] == "**********"

    def test_nothing_is_made_of_nothing(self, admin: Client) -> None:
        role = create_one(admin, "/system/role", name="childless", **{LOOKUPS: [], ROWS: None})
        assert (role[LOOKUPS], role[ROWS]) == ([], [])

    def test_children_with_an_id_are_updated_and_others_stay(self, admin: Client, parent: dict[str, Any]) -> None:
        one = parent[LOOKUPS][0]
        after = patched(admin, parent, **{LOOKUPS: [{"id": one["id"], "value": "changed"}]})
        assert names(after) == ["one", "two"]
        assert after[LOOKUPS][0]["value"] == "changed"
        assert patched(admin, parent, **{LOOKUPS: []})[LOOKUPS] == after[LOOKUPS]
        assert patched(admin, parent, description="x")[LOOKUPS] == after[LOOKUPS]

    def test_what_a_client_echoes_back_changes_nothing(self, admin: Client, parent: dict[str, Any]) -> None:
        changed = patched(admin, parent, **{name: parent[name] for name in (LOOKUPS, ROWS, "name", "description")})
        stamps = ("last_modified_date",)
        without = [
            [
                {name: value for name, value in one.items() if name not in stamps}
                for one in record[LOOKUPS] + record[ROWS]
            ]
            for record in (parent, changed)
        ]
        assert without[0] == without[1]

    @pytest.mark.parametrize("key", [{}, {"id": None}, {"id": 0}, {"id": 98765}])
    def test_children_without_a_known_id_are_created(self, admin: Client, parent: dict[str, Any], key: Any) -> None:
        after = patched(admin, parent, **{LOOKUPS: [{**key, "name": "three", "value": "3"}]})
        assert names(after) == ["one", "two", "three"]

    def test_a_lookup_without_an_id_is_known_by_its_name(self, admin: Client, parent: dict[str, Any]) -> None:
        after = patched(admin, parent, **{LOOKUPS: [{"name": "one", "value": "changed"}]})
        assert [(one["name"], one["value"]) for one in after[LOOKUPS]] == [("one", "changed"), ("two", "**********")]

    def test_a_null_foreign_key_deletes(self, admin: Client, parent: dict[str, Any]) -> None:
        one = parent[LOOKUPS][0]["id"]
        after = patched(
            admin, parent, **{LOOKUPS: [{"id": one, "role_id": None}], ROWS: [{**parent[ROWS][0], "role_id": None}]}
        )
        assert names(after) == ["two"]
        assert after[ROWS] == []

    def test_another_foreign_key_moves(self, admin: Client, parent: dict[str, Any]) -> None:
        other = create_one(admin, "/system/role", name="adopter", **{LOOKUPS: [{"name": "two", "value": "x"}]})
        one, two = parent[LOOKUPS]
        after = patched(admin, parent, **{LOOKUPS: [{"id": one["id"], "role_id": other["id"]}]})
        assert names(after) == ["two"]
        assert names(read(admin, f"/system/role/{other['id']}", related=LOOKUPS)) == ["one", "two"]
        path = f"/system/role/{parent['id']}"
        for to, field in ((9999, "role_id"), ("x", "role_id"), (other["id"], "name")):
            fields_refused(admin.patch(path, json={LOOKUPS: [{"id": two["id"], "role_id": to}]}), field)

    def test_another_parents_child_is_not_touched(self, admin: Client, parent: dict[str, Any]) -> None:
        """Checklist 14: an id alone does not reach into another record."""
        other = create_one(admin, "/system/role", name="victim", **{LOOKUPS: [{"name": "kept", "value": "v"}]})
        stolen = other[LOOKUPS][0]["id"]
        patched(admin, parent, **{LOOKUPS: [{"id": stolen, "name": "kept", "value": "changed", "role_id": None}]})
        assert read(admin, f"/system/role/{other['id']}", related=LOOKUPS)[LOOKUPS] == other[LOOKUPS]

    def test_a_child_has_only_the_parent_it_stands_under(self, admin: Client, parent: dict[str, Any]) -> None:
        """Checklist 14."""
        sent = {"name": "three", "value": "3", "user_id": 1, "app_id": 1, "role_id": 1}
        found = patched(admin, parent, **{LOOKUPS: [sent]})[LOOKUPS][-1]
        assert (found["role_id"], found["user_id"], found["app_id"]) == (parent["id"], None, None)

    @pytest.mark.parametrize("wrong", [{"name": "x"}, "x", 5, [5], ["x"], [None]])
    def test_what_is_no_list_of_objects_is_refused(self, admin: Client, parent: dict[str, Any], wrong: Any) -> None:
        told = f"Bad data supplied for {LOOKUPS}. Related data must be supplied as array."
        refused(admin.patch(f"/system/role/{parent['id']}", json={LOOKUPS: wrong}), 400, told)

    def test_a_bad_child_undoes_its_parent(self, admin: Client, parent: dict[str, Any]) -> None:
        bad = {"description": "new", LOOKUPS: [{"name": "three"}, {"value": "nameless"}]}
        fields_refused(admin.patch(f"/system/role/{parent['id']}", json=bad), "name")
        after = read(admin, f"/system/role/{parent['id']}", related=LOOKUPS)
        assert (after["description"], names(after)) == (None, ["one", "two"])
        before = len(read(admin, "/system/role"))
        fields_refused(admin.post("/system/role", json={"resource": [{"name": "new", **bad}]}), "name")
        assert len(read(admin, "/system/role")) == before

    def test_two_children_of_one_name_are_one(self, admin: Client, parent: dict[str, Any]) -> None:
        after = patched(admin, parent, **{LOOKUPS: [{"name": "x", "value": "1"}, {"name": "x", "value": "2"}]})
        assert [one["value"] for one in after[LOOKUPS] if one["name"] == "x"] == ["2"]
        renamed = {LOOKUPS: [{"id": after[LOOKUPS][0]["id"], "name": "x"}]}
        reply = admin.patch(f"/system/role/{parent['id']}", json=renamed)
        refused(reply, 400, "Lookup name can not be modified to one that already exists.")


class TestHasOne:
    DOC = "service_doc_by_service_id"

    def test_an_object_creates_and_updates_and_nothing_deletes(self, admin: Client) -> None:
        def put(doc: Any) -> Any:
            reply = admin.put("/system/service/2", params={"related": self.DOC}, json={self.DOC: doc})
            assert reply.status_code == 200, reply.text
            return reply.json()[self.DOC]

        made = put({"format": 1, "content": "openapi: 3.0.0"})
        assert (made["service_id"], made["format"], made["content"]) == (2, 1, "openapi: 3.0.0")
        changed = put({"content": "changed", "service_id": 1})
        assert (changed["service_id"], changed["format"], changed["content"]) == (2, 1, "changed")
        assert admin.patch("/system/service/2", json={"label": "x"}).status_code == 200
        assert read(admin, "/system/service/2", related=self.DOC)[self.DOC] == changed
        assert put(None) is None
        assert put(None) is None
        assert put({"content": "again"})["format"] == 0
        assert put({}) is None

    @pytest.mark.parametrize("wrong", [[1], "text", 5])
    def test_what_is_no_object_is_refused(self, admin: Client, wrong: Any) -> None:
        refused(admin.patch("/system/service/2", json={self.DOC: wrong}), 400, "must be supplied as object")
        fields_refused(admin.patch("/system/service/2", json={self.DOC: {"format": 7}}), "format")


class TestOtherKinds:
    def test_a_parent_cannot_be_made_by_its_child(self, admin: Client) -> None:
        body = {"resource": [{"name": "app", "role_by_role_id": {"name": "made"}}]}
        refused(admin.post("/system/app", json=body), 400, 'relation type "belongs_to" is not supported')
        entry = admin.post("/system/app", json=body).json()["error"]["context"]["resource"][0]
        assert entry["status_code"] == 501
        assert read(admin, "/system/role") == []

    def test_an_echoed_parent_is_ignored_by_an_update(self, admin: Client) -> None:
        app = create_one(admin, "/system/app", name="plain", role_by_role_id=None)
        path = f"/system/app/{app['id']}"
        assert admin.patch(path, json={"role_by_role_id": {"name": "x"}, "description": "d"}).status_code == 200
        assert read(admin, path)["description"] == "d"
