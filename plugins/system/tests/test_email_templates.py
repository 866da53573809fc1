"""Templates of mails (system-api 7.9)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from asking import create_one, fields_refused, read, refused

from trunkline.testing import Client, Gateway
from trunkline_system.models.email_defaults import ensure_templates

DEFAULTS = ["User Invite Default", "User Registration Default", "Password Reset Default"]


class TestDefaults:
    def test_an_instance_begins_with_three(self, admin: Client) -> None:
        assert read(admin, "/system/email_template", fields="name", order="id") == [{"name": one} for one in DEFAULTS]

    def test_they_have_what_the_senders_fill_in(self, admin: Client) -> None:
        for one in read(admin, "/system/email_template"):
            for body in ("body_text", "body_html"):
                found = set(re.findall(r"\{(\w+)\}", one[body] + one["subject"])) | set(one["defaults"])
                assert found == {"first_name", "link", "confirm_code", "app_name", "content_header"}, one["name"]

    def test_only_those_that_are_missing_are_made_again(self, fresh_gateway: Gateway) -> None:
        admin = fresh_gateway.admin
        first, second, _ = read(admin, "/system/email_template", order="id")
        admin.patch(f"/system/email_template/{first['id']}", json={"subject": "Welcome"})
        assert admin.delete(f"/system/email_template/{second['id']}").status_code == 200
        ensure_templates(fresh_gateway.app)
        known = {one["name"]: one["subject"] for one in read(admin, "/system/email_template")}
        assert sorted(known) == sorted(DEFAULTS)
        assert known[DEFAULTS[0]] == "Welcome"


class TestRecords:
    def test_every_field_is_kept(self, admin: Client) -> None:
        record = {
            "name": "Full", "description": "d", "to": "a@ex.org, b@ex.org", "cc": "c@ex.org", "bcc": "{bcc}",
            "subject": "Hi {first_name}", "body_text": "text\nlines", "body_html": "<b>html</b>", "from_name": "F",
            "from_email": "f@ex.org", "reply_to_name": "R", "reply_to_email": "r@ex.org",
            "attachment": {"service": "files", "path": "a.pdf"}, "defaults": {"first_name": "you"},
        }  # fmt: skip
        made = create_one(admin, "/system/email_template", **record)
        assert {name: made[name] for name in record} == record
        assert read(admin, f"/system/email_template/{made['id']}") == made
        assert set(made) == set(record) | {
            "id", "created_date", "last_modified_date", "created_by_id", "last_modified_by_id",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            ("files/a.pdf", "files/a.pdf"), ("a.pdf, b.pdf", ["a.pdf", "b.pdf"]), (["a.pdf"], ["a.pdf"]), ("", ""),
            ([], []), ([{"service": "files", "path": "a"}], [{"service": "files", "path": "a"}]), (None, None),
        ],
    )  # fmt: skip
    def test_attachments_take_three_forms(self, admin: Client, sent: Any, kept: Any) -> None:
        made = create_one(admin, "/system/email_template", name="With", attachment=sent)
        assert made["attachment"] == kept
        assert admin.delete(f"/system/email_template/{made['id']}").status_code == 200

    @pytest.mark.parametrize(
        ("record", "field"),
        [
            ({"name": "x" * 65}, "name"), ({"name": "user invite default"}, "name"),
            ({"subject": "x" * 81}, "subject"), ({"subject": "a\r\nBcc: x@ex.org"}, "subject"),
            ({"to": "a@ex.org\nBcc: x@ex.org"}, "to"), ({"from_name": "a\rb"}, "from_name"), ({"to": ["a"]}, "to"),
            ({"attachment": [1]}, "attachment"), ({"defaults": 1}, "defaults"), ({"body_html": {}}, "body_html"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_a_template_is_refused(self, admin: Client, record: dict[str, Any], field: str) -> None:
        fields_refused(admin.post("/system/email_template", json={"resource": [{"name": "New", **record}]}), field)
        assert read(admin, "/system/email_template", filter="name=New") == []

    def test_a_template_needs_a_name(self, admin: Client) -> None:
        for record in ({"subject": "s"}, {"name": ""}, {"name": None}):
            reply = admin.post("/system/email_template", json={"resource": [record]})
            error = refused(reply, 400, "The Template Name field is required.")
            assert error["context"] == {"name": ["The Template Name field is required."]}
        key = read(admin, "/system/email_template")[0]["id"]
        refused(admin.patch(f"/system/email_template/{key}", json={"name": ""}), 400, "The Template Name field")

    def test_a_change_keeps_what_is_not_sent(self, admin: Client) -> None:
        made = create_one(admin, "/system/email_template", name="Kept", attachment="a,b", defaults={"a": 1}, to="x@y.z")
        path = f"/system/email_template/{made['id']}"
        assert admin.put(path, json={"subject": "New", "defaults": {"b": None}}).json() == {"id": made["id"]}
        now = read(admin, path)
        changed = {"subject": "New", "defaults": {"b": None}, "last_modified_date": now["last_modified_date"]}
        assert now == {**made, **changed}

    def test_only_who_may_reads_them(self, gateway: Gateway) -> None:
        few = gateway.key_for([{"service": "system", "component": "email_template/*", "verb_mask": 1}])
        assert few.get("/system/email_template").status_code == 200
        refused(few.post("/system/email_template", json={"name": "x"}), 401)
        refused(gateway.anonymous.get("/system/email_template"), 400)
