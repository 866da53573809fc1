"""Values that clients keep by name (system-api 7.10)."""

from __future__ import annotations

from typing import Any

import pytest
from asking import fields_refused, read, refused

from trunkline.testing import Client, Gateway

VALUES = [
    {"dark": True, "nested": [{"a": None}]}, [1, 2.5, "x"], [], {}, "5", "", 5, 0, 1.5, True, False, None,
    "text \u00fc \U0001f600", "{user.email}", {"resource": [1]},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_any_value_comes_back_as_it_was_sent(gateway: Gateway, value: Any) -> None:
    """The original decoded texts that look like JSON: "5" came back as a number."""
    admin = gateway.admin
    reply = admin.post("/system/custom", json={"resource": [{"name": "kept", "value": value}]})
    assert (reply.status_code, reply.json()) == (201, {"resource": [{"name": "kept"}]})
    found = admin.get("/system/custom/kept").json()
    assert (found, type(found)) == (value, type(value))
    assert {one["name"]: one["value"] for one in read(admin, "/system/custom")}["kept"] == value
    assert admin.patch("/system/custom/kept", json={"value": [value]}).json() == {"name": "kept"}
    assert admin.get("/system/custom/kept").json() == [value]
    assert admin.delete("/system/custom/kept").json() == {"name": "kept"}
    refused(admin.get("/system/custom/kept"), 404, "Record with identifier 'kept' not found.")


class TestRecords:
    def test_a_record_has_name_value_and_stamps(self, admin: Client) -> None:
        admin.post("/system/custom", json={"resource": [{"name": "theme", "value": 1}]})
        (shown,) = read(admin, "/system/custom", filter="name=theme")
        stamps = {"created_date", "last_modified_date", "created_by_id", "last_modified_by_id"}
        assert set(shown) == {"name", "value"} | stamps
        assert read(admin, "/system/custom", filter="name=theme", fields="name") == [{"name": "theme"}]
        assert "theme" in read(admin, "/system/custom", as_list="true")

    def test_a_name_is_taken_once_and_stays(self, admin: Client) -> None:
        admin.post("/system/custom", json={"name": "once", "value": 1})
        batch = {"resource": [{"name": "once", "value": 2}]}
        error = admin.post("/system/custom", json=batch).json()["error"]
        assert (error["code"], error["status_code"], error["context"]["error"]) == (1000, 400, [0])
        fields_refused(admin.post("/system/custom", json=batch), "name")
        assert admin.put("/system/custom/once", json={"name": "other", "value": 3}).json() == {"name": "once"}
        assert admin.get("/system/custom/once").json() == 3

    @pytest.mark.parametrize("record", [{"value": 1}, {"name": "", "value": 1}, {"name": "x" * 256}, {"name": {}}])
    def test_what_has_no_name_is_refused(self, admin: Client, record: dict[str, Any]) -> None:
        fields_refused(admin.post("/system/custom", json={"resource": [record]}), "name")

    def test_a_change_is_a_record_with_a_value(self, admin: Client) -> None:
        admin.post("/system/custom", json={"name": "plain", "value": 1})
        fields_refused(admin.patch("/system/custom/plain", json={"dark": True}), "value")
        refused(admin.patch("/system/custom/plain", json=[1, 2]), 400, "No record(s) detected")
        refused(admin.patch("/system/custom/nothing", json={"value": 1}), 404)
        assert admin.get("/system/custom/plain").json() == 1

    def test_names_may_have_any_characters(self, admin: Client) -> None:
        for name in ("a b", "a/b", "ä.ö", "x'; drop table custom; --", "7"):
            admin.post("/system/custom", json={"name": name, "value": name})
            path = "/system/custom/" + name.replace("/", "%2F")
            assert admin.get(path).json() == name
            assert admin.delete(path).json() == {"name": name}

    def test_several_at_once(self, admin: Client) -> None:
        named = [{"name": f"n{number}", "value": number} for number in range(3)]
        admin.post("/system/custom", json={"resource": named})
        changes = {"resource": [{"name": "n0", "value": 7}, {"name": "n1", "value": 8}]}
        assert admin.patch("/system/custom", json=changes).json() == {"resource": [{"name": "n0"}, {"name": "n1"}]}
        found = read(admin, "/system/custom", ids="n0,n1,n2", fields="name,value")
        assert [one["value"] for one in found] == [7, 8, 2]
        assert len(admin.delete("/system/custom", params={"ids": "n0,n1"}).json()["resource"]) == 2
        refused(admin.get("/system/custom", params={"ids": "n0,n2"}), 400, "'n0' not found")

    def test_rights(self, gateway: Gateway) -> None:
        reader = gateway.key_for([{"service": "system", "component": "custom/*", "verb_mask": 1}])
        assert reader.get("/system/custom").status_code == 200
        refused(reader.post("/system/custom", json={"name": "x"}), 401)
