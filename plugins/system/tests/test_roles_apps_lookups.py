"""Roles, apps and lookups (system-api 7.3, 7.4 and 7.7)."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from asking import create, create_one, fields_refused, read, refused

from trunkline.db import tables
from trunkline.directory import digest_of
from trunkline.testing import Client, Gateway

ROWS = "role_service_access_by_role_id"
ROW = {"service_id": 1, "component": "role/*", "verb_mask": 3, "requestor_mask": 1}


def stored(gateway: Gateway, table: sa.Table, key: int) -> dict[str, Any]:
    query = sa.select(table).where(table.c.id == key)
    return dict(gateway.app.database.read(lambda connection: connection.execute(query).mappings().one()))


class TestRoles:
    def test_a_role_is_off_until_it_is_switched_on(self, admin: Client) -> None:
        assert create_one(admin, "/system/role", name="fresh")["is_active"] is False

    def test_a_long_description_is_cut(self, admin: Client) -> None:
        assert len(create_one(admin, "/system/role", name="long", description="x" * 999)["description"]) == 255

    def test_access_rows_have_their_defaults(self, admin: Client) -> None:
        row = create_one(admin, "/system/role", name="bare", **{ROWS: [{"service_id": None, "component": "*"}]})[ROWS][
            0
        ]
        shown = {name: row[name] for name in ("service_id", "component", "verb_mask", "filters", "filter_op")}
        assert shown == {"service_id": None, "component": "*", "verb_mask": 0, "filters": [], "filter_op": "and"}

    def test_response_filters_are_kept_and_checked(self, admin: Client) -> None:
        """D33."""
        entries = [{"name": "ssn", "action": "mask", "value": "last4"}, {"name": "pay", "action": "exclude"}]
        made = create_one(admin, "/system/role", name="veiled", **{ROWS: [{**ROW, "response_filters": entries}]})
        assert made[ROWS][0]["response_filters"] == entries
        for bad in ("x", ["x"], [{"name": "a"}], [{"name": "a", "action": "mask", "value": "rot13"}]):
            changed = {ROWS: [{"id": made[ROWS][0]["id"], "response_filters": bad}]}
            refused(admin.patch(f"/system/role/{made['id']}", json=changed), 400, "response filters")
        plain = create_one(admin, "/system/role", name="unveiled", **{ROWS: [ROW]})
        assert plain[ROWS][0]["response_filters"] == []

    def test_a_role_may_be_that_of_a_group(self, admin: Client) -> None:
        """A has-one relation: written over, left alone where it is not named, deleted where it is empty."""
        group = "role_adldap_by_role_id"
        role = create_one(admin, "/system/role", name="grouped", **{group: {"dn": "CN=staff,DC=example,DC=org"}})
        path = f"/system/role/{role['id']}"

        def told() -> Any:
            return read(admin, path, related=group)[group]

        assert told() == role[group] == {"role_id": role["id"], "dn": "CN=staff,DC=example,DC=org"}
        assert admin.patch(path, json={group: {"dn": "CN=crew,DC=example,DC=org"}}).status_code == 200
        assert admin.patch(path, json={"description": "x"}).status_code == 200
        assert told()["dn"] == "CN=crew,DC=example,DC=org"
        refused(admin.patch(path, json={group: {"dn": ""}}), 400, "dn field is required")
        refused(admin.patch(path, json={group: ["x"]}), 400, "must be supplied as object")
        assert admin.patch(path, json={group: {}}).status_code == 200
        assert told() is None
        other = create_one(admin, "/system/role", name="regrouped", **{group: {"dn": "CN=a", "role_id": role["id"]}})
        assert other[group]["role_id"] == other["id"]
        assert admin.delete(f"/system/role/{other['id']}").status_code == 200

    def test_filters_are_kept_as_a_list(self, admin: Client) -> None:
        filters = [
            {"name": "region", "operator": "=", "value": "{user.id}"},
            {"name": "id", "operator": "in", "value": "1,2"},
        ]
        sent = {**ROW, "filters": [{**filters[0], "noise": 1}, filters[1]], "filter_op": "OR"}
        role = create_one(admin, "/system/role", name="filtered", **{ROWS: [sent]})
        assert (role[ROWS][0]["filters"], role[ROWS][0]["filter_op"]) == (filters, "or")
        path = f"/system/role/{role['id']}"
        admin.patch(path, json={ROWS: [{"id": role[ROWS][0]["id"], "verb_mask": 1}]})
        after = read(admin, path, related=ROWS)[ROWS][0]
        assert (after["verb_mask"], after["filters"]) == (1, filters)

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"verb_mask": -1}, "verb_mask"),
            ({"verb_mask": 4096}, "verb_mask"),
            ({"verb_mask": "GET"}, "verb_mask"),
            ({"verb_mask": 1.5}, "verb_mask"),
            ({"requestor_mask": 4}, "requestor_mask"),
            ({"requestor_mask": -1}, "requestor_mask"),
            ({"service_id": 999}, "service_id"),
            ({"service_id": "system"}, "service_id"),
            ({"component": "x" * 300}, "component"),
            ({"filter_op": "xor"}, "filter_op"),
            ({"filters": "id=1"}, "filters"),
            ({"filters": {"name": "id"}}, "filters"),
            ({"filters": [1]}, "filters"),
            ({"filters": [{"name": "id"}]}, "filters"),
            ({"filters": [{"name": "", "operator": "=", "value": 1}]}, "filters"),
            ({"filters": [{"name": "id", "operator": "; drop", "value": 1}]}, "filters"),
            ({"filters": [{"name": "id", "operator": "=", "value": {"$ne": 1}}]}, "filters"),
            ({"filters": [{"name": "id", "operator": "in", "value": []}]}, "filters"),
        ],
    )
    def test_a_row_that_cannot_work_is_refused(self, admin: Client, change: dict[str, Any], field: str) -> None:
        """Checklist 9: the original checked nothing, and such rows denied, or were passed over, at every call."""
        fields_refused(admin.post("/system/role", json={"name": "wrong", ROWS: [{**ROW, **change}]}), field)
        assert read(admin, "/system/role", filter="name=wrong") == []

    def test_rows_count_from_the_next_request_on(self, gateway: Gateway, admin: Client) -> None:
        """Checklist 15."""
        role = create_one(admin, "/system/role", name="live", is_active=True, **{ROWS: [{**ROW, "component": "role"}]})
        app = create_one(admin, "/system/app", name="live", is_active=True, role_id=role["id"])
        client, path = gateway.with_key(app["api_key"]), f"/system/role/{role['id']}"
        row = role[ROWS][0]["id"]

        def after(change: Any) -> int:
            assert admin.patch(path, json=change).status_code == 200
            return int(client.get("/system/role").status_code)

        assert client.get("/system/role").status_code == 200
        assert after({ROWS: [{"id": row, "verb_mask": 2}]}) == 401
        assert after({ROWS: [{"id": row, "verb_mask": 1, "requestor_mask": 2}]}) == 401
        assert after({ROWS: [{"id": row, "requestor_mask": 3}]}) == 200
        assert after({"is_active": False}) == 403
        assert after({"is_active": True}) == 200
        assert after({ROWS: [{"id": row, "role_id": None}]}) == 401
        admin.delete(path)
        assert client.get("/system/role").status_code == 400


class TestApps:
    def test_a_key_is_made_when_none_is_sent(self, admin: Client) -> None:
        keys = [
            create_one(admin, "/system/app", name=name, api_key=sent)["api_key"]
            for name, sent in (("a", None), ("b", ""))
        ]
        assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys)
        assert keys[0] != keys[1]

    def test_a_key_that_is_sent_is_taken_unless_it_is_in_use(self, admin: Client) -> None:
        mine = "K" * 64
        assert create_one(admin, "/system/app", name="given", api_key=mine)["api_key"] == mine
        assert create_one(admin, "/system/app", name="second", api_key=mine)["api_key"] != mine

    @pytest.mark.parametrize("key", ["short", "x" * 63, "x" * 64 + "-", "x" * 300, ["x" * 64], 1, "ü" * 64])
    def test_a_weak_key_is_refused(self, admin: Client, key: Any) -> None:
        fields_refused(admin.post("/system/app", json={"name": "weak", "api_key": key}), "api_key")

    def test_a_key_is_stored_encrypted_and_found_by_its_digest(self, gateway: Gateway, admin: Client) -> None:
        """Checklist 17."""
        app = create_one(admin, "/system/app", name="sealed")
        row = stored(gateway, tables.app, app["id"])
        assert app["api_key"] not in str(row)
        assert row["api_key_digest"] == digest_of(app["api_key"])
        assert gateway.app.vault.decrypt(row["api_key"]) == app["api_key"]
        assert "api_key_digest" not in app
        for params in ({"filter": "api_key_digest is not null"}, {"order": "api_key_digest"}):
            refused(admin.get("/system/app", params=params), 400, "api_key_digest")

    @pytest.mark.parametrize("body", [None, {}, {"description": "d"}])
    def test_regenerating_changes_the_key_of_that_app_only(self, gateway: Gateway, admin: Client, body: Any) -> None:
        """system-api 26: the original changed the key of the first app, and the old one went on working for hours."""
        role = gateway.create_role([{"service": "system", "component": "role", "verb_mask": 1}])
        first, second = (gateway.create_app(role) for _ in range(2))
        path = f"/system/app/{second['id']}"
        reply = admin.patch(path, params={"regenerate": "true", "fields": "*"}, json=body)
        assert reply.status_code == 200, reply.text
        assert read(admin, f"/system/app/{first['id']}")["api_key"] == first["api_key"]
        assert reply.json()["api_key"] != second["api_key"]
        assert gateway.with_key(second["api_key"]).get("/system/role").status_code == 400
        assert gateway.with_key(reply.json()["api_key"]).get("/system/role").status_code == 200

    def test_a_patch_keeps_the_key(self, admin: Client) -> None:
        app = create_one(admin, "/system/app", name="kept")
        for sent in (
            {"description": "x"},
            {"api_key": None},
            {"api_key": ""},
            {"api_key": app["api_key"]},
            {"type": "0"},
        ):
            assert admin.patch(f"/system/app/{app['id']}", json=sent).status_code == 200
            assert read(admin, f"/system/app/{app['id']}")["api_key"] == app["api_key"]

    def test_defaults_and_computed_fields(self, admin: Client) -> None:
        app = create_one(admin, "/system/app", name="defaults", type=2, url="https://example.com/")
        shown = {
            name: app[name]
            for name in ("is_active", "requires_fullscreen", "allow_fullscreen_toggle", "toggle_location", "launch_url")
        }
        assert shown == {
            "is_active": False, "requires_fullscreen": False, "allow_fullscreen_toggle": True,
            "toggle_location": "top", "launch_url": "https://example.com/",
        }  # fmt: skip
        assert read(admin, f"/system/app/{app['id']}", fields="id,launch_url")["launch_url"] == "https://example.com/"

    @pytest.mark.parametrize(
        ("fields", "launched"),
        [
            ({"type": 0, "url": "https://example.com"}, ""), ({"type": 2}, ""), ({"type": 3}, ""),
            ({"type": 3, "path": "/console/index.html"}, "http://localhost/console/index.html"),
            ({"type": 1, "storage_container": "c/", "path": "i.html", "storage_service_id": 2},
             "http://localhost/user/c/i.html"),
            ({"type": 1, "path": "i.html"}, ""),
        ],
    )  # fmt: skip
    def test_where_it_begins(self, admin: Client, fields: dict[str, Any], launched: str) -> None:
        (made,) = create(admin, "/system/app", {"name": "launched", **fields})
        assert made["launch_url"] == launched
        assert admin.patch(f"/system/app/{made['id']}", json={"launch_url": "x"}).status_code == 200
        assert admin.delete(f"/system/app/{made['id']}").status_code == 200

    @pytest.mark.parametrize(
        ("record", "field"),
        [
            ({"type": 4}, "type"), ({"type": -1}, "type"), ({"type": "web"}, "type"), ({"name": "x" * 65}, "name"),
            ({"url": "javascript:alert(1)"}, "url"), ({"url": " JavaScript :x"}, "url"), ({"url": "data:,x"}, "url"),
            ({"toggle_location": "x" * 65}, "toggle_location"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_an_app_is_refused(self, admin: Client, record: dict[str, Any], field: str) -> None:
        fields_refused(admin.post("/system/app", json={"resource": [{"name": "wrong", **record}]}), field)

    def test_what_it_points_to_must_be_there(self, admin: Client) -> None:
        fields_refused(admin.post("/system/app", json={"name": "x", "role_id": 99}), "role_id")
        refused(admin.post("/system/app", json={"name": "x", "storage_service_id": 99}), 400)
        fields_refused(admin.post("/system/app", json={"api_key": "x" * 64}), "name")

    def test_a_deleted_app_opens_nothing_from_the_next_request_on(self, gateway: Gateway, admin: Client) -> None:
        app = gateway.create_app(gateway.create_role([{"service": "system", "component": "*", "verb_mask": 1}]))
        client = gateway.with_key(app["api_key"])
        assert client.get("/system/role").status_code == 200
        assert admin.delete(f"/system/app/{app['id']}").status_code == 200
        refused(client.get("/system/role"), 400, "No session token (JWT) provided")


class TestLookups:
    def test_values_are_encrypted_and_private_ones_masked(self, gateway: Gateway, admin: Client) -> None:
        """Checklist 27."""
        public = create_one(admin, "/system/lookup", name="zone", value="canary one", description="where")
        private = create_one(admin, "/system/lookup", name="pin", value="canary two", private=True)
        assert (public["value"], private["value"]) == ("canary one", "**********")
        assert not {"app_id", "role_id", "user_id"} & public.keys()
        for one in (public, private):
            assert "canary" not in stored(gateway, tables.lookup, one["id"])["value"]
        assert create_one(admin, "/system/lookup", name="empty", private=True)["value"] is None
        assert read(admin, "/system/lookup", filter="value = 'canary one'") == []

    def test_a_masked_value_sent_back_is_kept(self, gateway: Gateway, admin: Client) -> None:
        one = create_one(admin, "/system/lookup", name="kept", value="the secret", private=True)
        admin.put(f"/system/lookup/{one['id']}", json={**one, "description": "changed"})
        row = stored(gateway, tables.lookup, one["id"])
        assert gateway.app.vault.decrypt(row["value"]) == "the secret"
        assert row["description"] == "changed"

    def test_a_name_is_there_once_for_an_owner(self, admin: Client) -> None:
        create_one(admin, "/system/lookup", name="once", value="1")
        other = create_one(admin, "/system/lookup", name="other", value="1")
        told = "Lookup name can not be modified to one that already exists."
        refused(admin.post("/system/lookup", json={"name": "once", "value": "2"}), 400, told)
        refused(admin.patch(f"/system/lookup/{other['id']}", json={"name": "once"}), 400, told)
        create_one(admin, "/system/role", name="owner", lookup_by_role_id=[{"name": "once", "value": "3"}])
        fields_refused(admin.post("/system/lookup", json={"value": "x"}), "name")
        fields_refused(admin.patch(f"/system/lookup/{other['id']}", json={"name": ""}), "name")

    def test_lookups_of_others_are_not_among_the_global_ones(self, admin: Client) -> None:
        role = create_one(admin, "/system/role", name="r", lookup_by_role_id=[{"name": "hidden", "value": "x"}])
        inner = role["lookup_by_role_id"][0]["id"]
        assert inner not in read(admin, "/system/lookup", as_list="true")
        assert admin.get(f"/system/lookup/{inner}").status_code == 404
        assert admin.delete(f"/system/lookup/{inner}").status_code == 404
        made = create_one(admin, "/system/lookup", name="global", value="x", role_id=role["id"], user_id=1)
        assert made["id"] in read(admin, "/system/lookup", as_list="true")

    @pytest.mark.parametrize(("sent", "kept"), [(5, "5"), (True, "true"), ("", ""), ("{x}", "{x}"), (" ü ", " ü ")])
    def test_values_are_text(self, admin: Client, sent: Any, kept: str) -> None:
        assert create_one(admin, "/system/lookup", name=f"text {sent!r}", value=sent)["value"] == kept

    def test_a_filter_may_use_them_as_data(self, admin: Client) -> None:
        """Checklist 12: a value that looks like a filter is compared, never parsed; private ones are not used here."""
        create_one(admin, "/system/lookup", name="wanted", value="x' or (id > 0) or name='x")
        create_one(admin, "/system/lookup", name="plain", value="some role")
        create_one(admin, "/system/lookup", name="veiled", value="some role", private=True)
        create_one(admin, "/system/role", name="some role")
        assert read(admin, "/system/role", filter="name = '{wanted}'") == []
        assert len(read(admin, "/system/role", filter="name = '{plain}'")) == 1
        assert len(read(admin, "/system/role", filter="name = {strtolower(plain)}")) == 1
        assert read(admin, "/system/role", filter="name = '{veiled}'") == []
