"""Packages: what can be exported, and that secrets stay secret (system-api 20.1)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asking import read, refused
from packing import PATH, SEAL, SECRETS, documents, exported, kept

from trunkline.testing import Gateway


class TestManifest:
    def test_it_lists_what_can_be_exported(self, full: Gateway) -> None:
        found = read(full.admin, PATH)
        assert {name: found[name] for name in ("version", "secured", "description")} == {
            "version": "0.1", "secured": False, "description": "",
        }  # fmt: skip
        system = found["service"]["system"]
        assert (system["role"], system["app"], system["custom"]) == (["reader"], ["shop"], ["theme"])
        assert system["lookup"] == ["chest_port", "chest_word"]
        assert system["cors"] == [1]
        assert {"system", "user", "api_docs", "chest", "shop"} == set(system["service"])
        account = {"username": "ana@ex.org", "email": "ana@ex.org", "first_name": "Ana", "last_name": None}
        assert system["user"] == [account]
        assert found["service"]["shop"] == {"reachable": True, "_schema": ["item"], "_table": ["item"]}
        assert "chest" not in found["service"]
        assert set(read(full.admin, PATH, system_only="true")["service"]) == {"system"}

    def test_callers_see_what_they_may_read(self, full: Gateway) -> None:
        client = full.key_for([{"service": "system", "component": "package", "verb_mask": 3},
                               {"service": "system", "component": "role", "verb_mask": 1}])  # fmt: skip
        assert set(read(client, PATH)["service"]["system"]) == {"role"}
        assert set(read(client, PATH)["service"]) == {"system"}
        refused(exported(client, {"system": {"user": ["ana@ex.org"]}}), 403, "not allowed by this user's role")
        assert exported(client, {"system": {"role": ["reader"]}}).status_code == 200
        refused(exported(client, {"system": {"role": ["reader"]}}, password=SEAL), 403, "Only administrators")
        refused(exported(client, {"shop": {"_table": ["item"]}}), 401)


class TestExport:
    def test_without_a_password_no_secret_leaves(self, full: Gateway) -> None:
        reply = exported(full.admin)
        assert (reply.status_code, reply.headers["content-type"]) == (200, "application/zip")
        assert reply.headers["content-disposition"].startswith("attachment; filename=")
        found = documents(reply.content)
        text = json.dumps(found)
        key = read(full.admin, "/system/app")[0]["api_key"]
        for secret in (*SECRETS, key, "argon2", "tl1:"):
            assert secret not in text
        chest = next(one for one in found["system/service.json"]["resource"] if one["name"] == "chest")
        assert chest["config"] == {
            "host": "{chest_host}", "port": "{chest_port}", "default_app_id": {"app": "shop"},
            "password": "**********", "token": "env:CHEST_TOKEN",
        }  # fmt: skip
        (role,) = found["system/role.json"]["resource"]
        services = [row["service_id"] for row in role["role_service_access_by_role_id"]]
        assert services == [{"service": "chest"}, None, {"service": "shop"}]

    def test_with_a_password_secrets_are_sealed(self, full: Gateway) -> None:
        found = documents(exported(full.admin, password=SEAL).content)
        text = json.dumps(found)
        key = read(full.admin, "/system/app")[0]["api_key"]
        for secret in (*SECRETS, key, "argon2", "**********", SEAL):
            assert secret not in text
        assert found["package.json"]["secured"] is True
        assert text.count("tl1:") == 6

    def test_it_is_kept_by_a_file_service_that_is_named_or_is_there(self, full: Gateway) -> None:
        wanted = {"system": {"role": ["reader"]}}
        assert exported(full.admin, wanted, storage={"name": "nothing"}).status_code == 404
        full.create_service("store", "store", {})
        storage = {"name": "store", "folder": "a/b", "filename": "mine.zip"}
        reply = exported(full.admin, wanted, storage=storage)
        path = "http://testserver/store/a/b/mine.zip"
        assert (reply.status_code, reply.json()) == (200, {"success": True, "path": path, "is_public": False})
        method, media_type, content = kept["a", "b", "mine.zip"]
        assert (method, media_type) == ("POST", "application/zip")
        assert "system/role.json" in documents(content)
        assert full.admin.post(PATH, json={"service": wanted}).headers["content-type"] == "application/zip"
        unreadable = full.admin.post(
            PATH, json={"service": wanted, "storage": storage}, headers={"Accept": "application/zip"}
        )
        refused(unreadable, 400, "No response format is known")
        refused(full.admin.post("/system/role", json={"name": "x"}, headers={"Accept": "application/zip"}), 400)
        assert [one["name"] for one in read(full.admin, "/system/role")] == ["reader"]
        full.create_service("files", "store", {})
        kept.clear()
        assert full.admin.post(PATH, json={"service": wanted}).json()["success"] is True
        asked = full.admin.post(PATH, json={"service": wanted}, params={"file": "true"})
        assert asked.headers["content-type"] == "application/zip"
        ((folder, name),) = kept
        assert folder == "__EXPORTS"
        assert name.endswith(".zip")
        for wrong in ({"folder": "../x"}, {"filename": "a/b"}, "files"):
            refused(exported(full.admin, wanted, storage=wrong), 400, "storage")

    @pytest.mark.parametrize(
        ("body", "part"),
        [
            ({}, "No items found in package manifest."), ({"service": {}}, "No items found"),
            ({"service": {"system": {}}}, "No items found"), ({"service": {"system": {"role": []}}}, "No items found"),
            ({"service": []}, "No items found"), ({"service": {"system": {"role": "reader"}}}, "must list"),
            ({"service": {"system": ["role"]}}, "by resource"),
            ({"service": {"shop": {"_table": [1]}}}, "by their names"),
            ({"service": {"system": {"role": ["nobody"]}}}, "There is no role 'nobody'"),
            ({"service": {"system": {"role": [None]}}}, "There is no role"),
            ({"service": {"system": {"nothing": ["x"]}}}, "There is no resource 'nothing'"),
            ({"service": {"system": {"role": ["reader"]}}, "secured": True}, "Password is required"),
            ({"service": {"system": {"role": ["reader"]}}, "password": "short"}, "at least 6 characters"),
            ({"service": {"system": {"role": ["reader"]}}, "password": ["x" * 9]}, "Password is required"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_exported_is_refused(self, full: Gateway, body: dict[str, Any], part: str) -> None:
        refused(full.admin.post(PATH, json=body), 400, part)
