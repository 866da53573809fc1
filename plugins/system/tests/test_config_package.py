"""The configuration as one readable object (system-api 20.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import create_one, read, refused
from packing import SECRETS

from trunkline.testing import Client, Gateway

PATH = "/system/config_package"
NONE = {"services": 0, "roles": 0, "apps": 0}


def sent(client: Client, package: dict[str, Any], **params: str) -> dict[str, Any]:
    reply = client.post(PATH, json=package, params=params)
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()
    return found


def package(**parts: Any) -> dict[str, Any]:
    return {"format": "dreamfactory.config/v1", **parts}


class TestExport:
    def test_it_has_the_recorded_form(self, full: Gateway) -> None:
        found = read(full.admin, PATH)
        assert set(found) == {"format", "exported_at", "services", "roles", "apps"}
        assert found["format"] == "dreamfactory.config/v1"
        assert found["exported_at"].endswith("+00:00")
        assert [one["name"] for one in found["services"]] == ["chest", "shop"]
        chest = found["services"][0]
        assert set(chest) == {"name", "label", "description", "type", "is_active", "config"}
        assert (chest["config"]["password"], chest["config"]["host"]) == ("**********", "{chest_host}")
        (role,) = found["roles"]
        assert [(one["service"], one["component"], one["verb_mask"]) for one in role["service_access"]] == [
            ("chest", "*", 1), (None, "", 1), ("shop", "_table/*", 3),
        ]  # fmt: skip
        assert role["service_access"][2]["filters"] == [{"name": "id", "operator": "<", "value": 3}]
        (app,) = found["apps"]
        assert (app["name"], app["role"], app["url"]) == ("shop", "reader", "https://example.com")
        assert "api_key" not in app

    def test_no_secret_leaves(self, full: Gateway) -> None:
        text = full.admin.get(PATH).text
        key = read(full.admin, "/system/app")[0]["api_key"]
        for secret in (*SECRETS, key, "tl1:", "ana@ex.org"):
            assert secret not in text

    def test_callers_get_what_they_may_read(self, full: Gateway) -> None:
        client = full.key_for([{"service": "system", "component": "config_package", "verb_mask": 1},
                               {"service": "system", "component": "app", "verb_mask": 1}])  # fmt: skip
        found = read(client, PATH)
        assert (found["services"], found["roles"]) == ([], [])
        assert "shop" in [one["name"] for one in found["apps"]]


class TestImport:
    def test_what_was_exported_is_taken_over(self, full: Gateway, empty: Gateway) -> None:
        found = read(full.admin, PATH)
        create_one(empty.admin, "/system/lookup", name="chest_port", value="8081")
        result = sent(empty.admin, found)
        assert result["success"] is True
        assert result["created"] == {"services": 2, "roles": 1, "apps": 1}
        assert (result["updated"], result["skipped"]) == (NONE, NONE)
        assert len(result["errors"]) == 1
        assert "not in the package: password" in result["errors"][0]
        again = read(empty.admin, PATH)
        # A secret that was not in the package is empty, and shown as that.
        for one in (found, again):
            del one["exported_at"]
            one["services"][0]["config"].pop("password")
        assert again == found
        assert len(read(empty.admin, "/system/app")[0]["api_key"]) == 64

    def test_what_is_there_is_skipped_or_overwritten(self, full: Gateway) -> None:
        found = read(full.admin, PATH)
        key = read(full.admin, "/system/app")[0]["api_key"]
        found["roles"][0]["description"] = "new"
        skipped = sent(full.admin, {"manifest": found})
        assert skipped["skipped"] == {"services": 2, "roles": 1, "apps": 1}
        assert read(full.admin, "/system/role")[0]["description"] is None
        updated = sent(full.admin, {"manifest": found}, overwrite="true")
        assert updated["updated"] == {"services": 2, "roles": 1, "apps": 1}
        assert updated["errors"] == []
        assert read(full.admin, "/system/role")[0]["description"] == "new"
        # Masks keep what is stored, and keys stay.
        assert read(full.admin, "/chest/look")["password"] == "open sesame"
        assert read(full.admin, "/system/app")[0]["api_key"] == key
        assert len(read(full.admin, "/system/role", related="*")[0]["role_service_access_by_role_id"]) == 3

    def test_what_fails_is_told_and_the_rest_counts(self, empty: Gateway) -> None:
        result = sent(
            empty.admin,
            package(
                services=[{"type": "chest"}, {"name": "a b", "type": "chest", "config": {"host": "h", "password": "p"}},
                          {"name": "odd", "type": "not_installed"}, {"name": "good", "type": "chest", "is_active": True,
                                                                     "config": {"host": "h", "password": "p"}}],
                roles=[{"name": "r", "is_active": True, "service_access": [
                    {"service": "good"}, {"service": "nowhere"}, {}, {"service": "", "verb_mask": 31}]}],
                apps=[{"name": "a", "role": "nobody"}, {"name": "b", "role": "r", "is_active": True}, {"name": ""}],
            ),
        )  # fmt: skip
        assert result["created"] == {"services": 1, "roles": 1, "apps": 2}
        told = " | ".join(result["errors"])
        for part in (
            "entry 1 of services has no name", "Service 'a b': ", "service 'odd' is left out", "app 'a' refers",
            "entry 3 of apps has no name", "row of role 'r' has no service", "its service is not here",
        ):  # fmt: skip
            assert part in told, part
        (role,) = read(empty.admin, "/system/role", related="*")
        (row,) = role["role_service_access_by_role_id"]
        assert (row["component"], row["verb_mask"], row["requestor_mask"]) == ("*", 31, 3)
        assert row["service_id"] == read(empty.admin, "/system/service/good")["id"]
        roles = {one["name"]: one["role_id"] for one in read(empty.admin, "/system/app")}
        assert roles == {"a": None, "b": role["id"]}

    @pytest.mark.parametrize(
        "body",
        [{}, [], {"format": "other"}, {"manifest": {}}, {"manifest": []}, {"format": None}, {"services": []}],
    )
    def test_another_format_is_refused(self, empty: Gateway, body: Any) -> None:
        refused(empty.admin.post(PATH, json=body), 400, "Unsupported config package format.")

    def test_parts_that_are_no_lists_are_refused(self, empty: Gateway) -> None:
        for parts in ({"services": {}}, {"roles": ["x"]}, {"roles": [{"name": "r", "service_access": {}}]}):
            refused(empty.admin.post(PATH, json=package(**parts)), 400, "must be a list of objects")
        refused(empty.admin.get(f"{PATH}/x"), 404)

    def test_nobody_gains_rights_by_it(self, empty: Gateway) -> None:
        client = empty.key_for([{"service": "system", "component": "config_package", "verb_mask": 2}])
        rows = [{"service": None, "component": "*", "verb_mask": 31}]
        result = sent(client, package(roles=[{"name": "all", "is_active": True, "service_access": rows}]))
        assert result["created"] == NONE
        assert "is not allowed by this user's role" in json.dumps(result["errors"])
        assert "all" not in read(empty.admin, "/system/role", as_list="true", id_field="name")
