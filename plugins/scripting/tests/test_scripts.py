"""Scripts beside calls, script services, and their records, over HTTP (system-api 15 and 16)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from trunkline.testing import Client, Gateway

BOOK = "/shop/_table/book"


@pytest.fixture
def admin(gateway: Gateway) -> Iterator[Client]:
    """An administrator, a service with books and notes, and no script."""
    file = gateway.storage / "databases" / "shop.sqlite"
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file)) as database:
        database.executescript(
            "drop table if exists book; create table book (id integer primary key, title varchar(40), pages integer);"
            "insert into book values (1, 'Dune', 412), (2, 'Emma', 320);"
            "drop table if exists note; create table note (id integer primary key, text varchar(400))"
        )
    if "shop" not in gateway.app.directory.snapshot.services:
        gateway.create_service("shop", "sqlite", {"database": "shop.sqlite"})
    yield gateway.admin
    gateway.admin.delete("/system/event_script", params={"force": "true"})


def script(admin: Client, name: str, content: str, status: int = 201, **more: Any) -> None:
    record = {"type": "python3", "is_active": True, "content": content, "allow_event_modification": True, **more}
    reply = admin.post(f"/system/event_script/{name}", json=record)
    assert reply.status_code == status, reply.text


class TestRecords:
    def test_a_script_is_created_and_changed_under_its_name(self, admin: Client) -> None:
        script(admin, "shop.get.pre_process", "return 1", config={"a": 1})
        script(admin, "shop.get.pre_process", "return 2", status=200)
        found = admin.get("/system/event_script/shop.get.pre_process").json()
        assert (found["content"], found["config"], found["storage_path"]) == ("return 2", '{"a":1}', None)
        assert admin.get("/system/event_script", params={"as_list": "true"}).json() == {
            "resource": ["shop.get.pre_process"]
        }
        assert admin.delete("/system/event_script/shop.get.pre_process").json() == {"name": "shop.get.pre_process"}
        assert admin.get("/system/event_script/shop.get.pre_process").status_code == 404

    @pytest.mark.parametrize(
        ("bad", "says"),
        [({"type": "cobol"}, "type"), ({"content": "x = = 1"}, "line 1"), ({"type": None}, "type"),
         ({"content": "yield 1\nreturn 2 +"}, "line 2")],
    )  # fmt: skip
    def test_what_cannot_run_is_refused(self, admin: Client, bad: dict[str, Any], says: str) -> None:
        record = {"name": "shop.get", "type": "python3", "content": "return 1", **bad}
        reply = admin.post("/system/event_script", json={"resource": [record]})
        assert reply.status_code == 400
        assert says in reply.text

    def test_languages_are_listed_and_can_be_switched_off(self, admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        known = admin.get("/system/script_type").json()["resource"]
        assert [(one["name"], one["sandboxed"]) for one in known] == [("python3", True), ("python", True)]
        assert admin.get("/system/script_type/ruby").status_code == 404
        monkeypatch.setenv("DF_SCRIPTING_DISABLE", "python3")
        script(admin, "shop.get", "return 1", status=503)
        monkeypatch.setenv("DF_SCRIPTING_DISABLE", "all")
        script(admin, "shop.get", "return 1", status=503, type="python")


class TestBefore:
    def test_a_request_is_changed(self, admin: Client) -> None:
        script(admin, "shop._table.book.get.pre_process", "event.request.parameters.filter = 'pages > 400'")
        assert [one["title"] for one in admin.get(BOOK).json()["resource"]] == ["Dune"]
        script(
            admin, "shop._table.{table_name}.post.pre_process", "event.request.payload.resource[0].title = 'Changed'"
        )
        made = admin.post(BOOK, json={"resource": [{"title": "x"}]}, params={"fields": "title"})
        assert made.json() == {"resource": [{"title": "Changed"}]}

    def test_a_record_by_id_is_told_at_its_table(self, admin: Client) -> None:
        script(
            admin, "shop._table.{table_name}.get.pre_process", "event.response = {'content': {'seen': event.resource}}"
        )
        assert admin.get(f"{BOOK}/1").json() == {"seen": "book"}
        assert admin.get("/shop/_table").json()["resource"][0]["name"] == "book"

    def test_a_script_answers_itself(self, admin: Client) -> None:
        answer = "event.response = {'status_code': 202, 'content': {'a': 1}, 'headers': {'X-Made-By': 'script'}}"
        script(admin, "shop._table.book.get.pre_process", answer)
        reply = admin.get(BOOK)
        assert (reply.status_code, reply.json(), reply.headers["x-made-by"]) == (202, {"a": 1}, "script")

    def test_a_script_refuses(self, admin: Client, gateway: Gateway) -> None:
        script(
            admin,
            "shop._table.book.delete.pre_process",
            "event.exception = {'status_code': 403, 'message': 'Not today.'}",
        )
        reply = admin.delete(f"{BOOK}/1")
        assert reply.status_code == 403
        assert reply.json()["error"]["message"] == "Not today."
        assert len(admin.get(BOOK).json()["resource"]) == 2

    def test_what_may_change_nothing_changes_nothing(self, admin: Client) -> None:
        script(
            admin, "shop._table.book.get.pre_process",
            "event.request.parameters.filter = 'pages > 400'\nevent.response = {'content': 1}",
            allow_event_modification=False,
        )  # fmt: skip
        assert len(admin.get(BOOK).json()["resource"]) == 2

    def test_a_script_that_fails_prevents_the_call_and_tells_why(self, admin: Client) -> None:
        script(admin, "shop._table.book.delete.pre_process", "x = 1\nraise ValueError('no good')")
        reply = admin.delete(f"{BOOK}/1")
        assert reply.status_code == 500
        told = "Script 'shop._table.book.delete.pre_process' failed. ValueError: no good (line 2)"
        assert reply.json()["error"]["message"] == told
        assert admin.get(f"{BOOK}/1").status_code == 200

    def test_who_may_not_call_runs_no_script(self, admin: Client, gateway: Gateway) -> None:
        script(admin, "shop._table.book.get.pre_process", "event.response = {'content': 1}")
        assert gateway.anonymous.get(BOOK).status_code == 400

    def test_a_script_that_is_switched_off_does_not_run(self, admin: Client) -> None:
        script(admin, "shop._table.book.get.pre_process", "event.response = {'content': 1}")
        admin.patch("/system/event_script/shop._table.book.get.pre_process", json={"is_active": False})
        assert len(admin.get(BOOK).json()["resource"]) == 2


class TestAfter:
    def test_a_reply_is_changed_or_replaced(self, admin: Client) -> None:
        name = "shop._table.book.get.post_process"
        script(admin, name, "for row in event.response.content.resource: row.title = row.title.upper()")
        assert [one["title"] for one in admin.get(BOOK).json()["resource"]] == ["DUNE", "EMMA"]
        script(admin, name, "return {'content': len(event.response.content.resource), 'status_code': 203}", status=200)
        assert (admin.get(BOOK).status_code, admin.get(BOOK).json()) == (203, 2)
        assert admin.get(BOOK, params={"limit": 5000}).json() == 2

    def test_failures_are_told_too(self, admin: Client) -> None:
        content = "return {'status': event.response.status_code, 'said': event.response.content.error.message}"
        script(admin, "shop._table.book.get.post_process", content)
        reply = admin.get(f"{BOOK}/99")
        assert reply.json() == {"status": 404, "said": "Record with identifier '99' not found."}

    @pytest.mark.parametrize("phase", ["", ".queued"])
    def test_scripts_beside_a_call_run_and_change_nothing(self, admin: Client, phase: str) -> None:
        content = (
            "title = event.response.content.resource[0].id\n"
            "platform.api.post('shop/_table/note', {'resource': [{'text': str(title)}]})\nevent.response = 1"
        )
        script(admin, f"shop._table.book.post{phase}", content)
        made = admin.post(BOOK, json={"resource": [{"title": "Ulysses"}]}).json()
        deadline = time.monotonic() + 10
        while not (rows := admin.get("/shop/_table/note").json()["resource"]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert rows[0]["text"] == str(made["resource"][0]["id"])


class TestRights:
    def test_calls_of_a_script_have_the_rights_of_its_caller_as_a_script(self, admin: Client, gateway: Gateway) -> None:
        content = (
            "one = platform.api.get('shop/_table/note')\ntwo = platform.api.get('system/user')\n"
            "event.response = {'content': [one.status_code, two.status_code]}"
        )
        script(admin, "shop._table.book.get.pre_process", content)
        rows = [
            {"service": "shop", "component": "_table/book/*", "verb_mask": 1, "requestor_mask": 1},
            {"service": "shop", "component": "_table/note/*", "verb_mask": 1, "requestor_mask": 2},
        ]
        client = gateway.key_for(rows)
        assert client.get(BOOK).json() == [200, 401]
        assert client.get("/shop/_table/note").status_code == 401

    def test_a_script_knows_who_asks_and_what_they_may_look_up(self, admin: Client, gateway: Gateway) -> None:
        admin.post("/system/lookup", json={"resource": [{"name": "secret_word", "value": "pst", "private": True}]})
        content = (
            "s = platform.session\nwords = [s.lookup_secret.secret_word, '{secret_word}', event.request.parameters.a]\n"
            "event.response = {'content': [s.user.email, s.role.name, *words]}"
        )
        script(admin, "shop._table.book.get.pre_process", content)
        found = admin.get(BOOK, params={"a": "b"}).json()
        assert found == [gateway.admin.get("/system/admin/profile").json()["email"], None, "pst", "pst", "b"]


class TestServices:
    def test_a_service_can_be_a_script(self, gateway: Gateway, admin: Client) -> None:
        content = (
            "if event.request.method == 'GET': return {'path': event.resource, 'args': event.request.parameters}\n"
            "event.response = {'status_code': 201, 'content': event.request.payload, 'headers': {'X-A': 'b'}}"
        )
        gateway.create_service("script", "python3", {"content": content})
        assert admin.get("/script/a/b", params={"x": "1"}).json() == {"path": "a/b", "args": {"x": "1"}}
        reply = admin.patch("/script", json={"n": 1})
        assert (reply.status_code, reply.json(), reply.headers["x-a"]) == (201, {"n": 1}, "b")
        assert (
            gateway.key_for([{"service": "script", "component": "ok/*", "verb_mask": 1}]).get("/script/no").status_code
            == 401
        )

    def test_a_service_may_queue_and_keep(self, gateway: Gateway, admin: Client) -> None:
        note = "platform.api.post('shop/_table/note', {'resource': [{'text': 'x'}]})\nreturn {'made': 1}"
        gateway.create_service("later", "python3", {"content": note, "queued": True})
        reply = admin.post("/later", json={})
        assert (reply.status_code, reply.json()) == (202, {"success": True})
        gateway.create_service("kept", "python", {"content": note, "cache_enabled": True})
        deadline = time.monotonic() + 10
        while len(admin.get("/shop/_table/note").json()["resource"]) < 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for _ in range(3):
            assert admin.get("/kept/a").json() == {"made": 1}
        assert len(admin.get("/shop/_table/note").json()["resource"]) == 2
        admin.delete("/system/cache/kept")
        admin.get("/kept/a")
        assert len(admin.get("/shop/_table/note").json()["resource"]) == 3
