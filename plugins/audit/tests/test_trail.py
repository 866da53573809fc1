"""The trail as a whole: searching, the file, the end, what does not fit, what is too old."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from reading import records, trail_of

from trunkline.settings import BadSettings
from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for
from trunkline_audit.settings import load
from trunkline_audit.table import audit
from trunkline_audit.trail import purge


def test_the_trail_is_searched_as_all_records_are(fresh_gateway: Gateway) -> None:
    for name in ("a", "b", "c"):
        fresh_gateway.admin.post("/system/role", json=[{"name": name}])
    fresh_gateway.admin.delete("/system/app/4711")
    reply = fresh_gateway.admin.get(
        "/system/audit",
        params={"filter": "(verb='POST') and (status=201)", "order": "id desc", "limit": 2, "include_count": True,
                "fields": "id,verb"},
    ).json()  # fmt: skip
    assert reply["meta"]["count"] == 3
    assert [one["verb"] for one in reply["resource"]] == ["POST", "POST"]
    ids = [one["id"] for one in reply["resource"]]
    assert ids == sorted(ids, reverse=True)
    assert fresh_gateway.admin.get(f"/system/audit/{ids[0]}").json()["resource"] == "role"
    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert len(records(fresh_gateway, filter=f"time < '{soon}'")) == 4
    assert records(fresh_gateway, filter=f"time > '{soon}'") == []
    assert fresh_gateway.admin.get("/system/audit?filter=nothing=1").status_code == 400


def test_nobody_writes_in_it_and_only_roles_that_may_read_it(fresh_gateway: Gateway) -> None:
    fresh_gateway.admin.post("/system/role", json=[{"name": "a"}])
    stored = records(fresh_gateway)[0]
    for method in ("POST", "PATCH", "PUT", "DELETE"):
        for path in ("/system/audit", f"/system/audit/{stored['id']}", "/system/audit?force=true"):
            reply = fresh_gateway.admin.request(method, path, json={"resource": [{"id": stored["id"]}]})
            assert reply.status_code == 400, (method, path)
    assert records(fresh_gateway, ids=stored["id"]) == [stored]
    other = fresh_gateway.key_for([{"service": "system", "component": "role/*", "verb_mask": 31}])
    assert other.get("/system/audit").status_code == 401
    reader = fresh_gateway.key_for([{"service": "system", "component": "audit/*", "verb_mask": 1}])
    assert reader.get("/system/audit").status_code == 200


def test_the_file_has_a_json_line_for_each_record(logged_gateway: Gateway, audit_log: Path) -> None:
    logged_gateway.admin.post("/system/role", json=[{"name": "a\nb"}])
    logged_gateway.admin.delete("/system/role/4711")
    records(logged_gateway)
    first, second = [json.loads(line) for line in audit_log.read_text().splitlines()]
    assert (first["verb"], first["status"], first["fields"]) == ("POST", 201, ["name"])
    assert (second["verb"], second["status"], "fields" in second) == ("DELETE", 404, False)
    assert datetime.fromisoformat(first["time"]).tzinfo is not None
    assert audit_log.stat().st_mode & 0o077 == 0
    # A file that was moved away is made anew.
    audit_log.rename(audit_log.with_suffix(".1"))
    logged_gateway.admin.delete("/system/role/4711")
    records(logged_gateway)
    assert len(audit_log.read_text().splitlines()) == 1


def test_without_a_file_records_are_logged(fresh_gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "trunkline.audit")
    fresh_gateway.admin.post("/system/role", json=[{"name": "a"}])
    records(fresh_gateway)
    (line,) = [vars(one) for one in caplog.records if one.name == "trunkline.audit"]
    assert (line["verb"], line["status"], line["fields"]) == ("POST", 201, ["name"])


def test_a_file_that_cannot_be_written_hinders_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AUDIT_LOG", str(tmp_path / "nowhere" / "audit.jsonl"))
    with Gateway(settings_for(tmp_path / "storage")) as gateway:
        assert gateway.admin.post("/system/role", json=[{"name": "a"}]).status_code == 201
        assert len(records(gateway)) == 1
    assert "1 audit records are not in the file of AUDIT_LOG" in caplog.text


def test_records_are_stored_in_the_background(fresh_gateway: Gateway) -> None:
    fresh_gateway.admin.post("/system/role", json=[{"name": "a"}])
    deadline = time.monotonic() + 10
    while not _stored(fresh_gateway):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _stored(gateway: Gateway) -> int:
    query = sa.select(sa.func.count()).select_from(audit)
    return int(gateway.app.database.read(lambda connection: connection.scalar(query)) or 0)


def test_what_waits_is_stored_at_the_end(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    with Gateway(settings) as gateway:
        for number in range(20):
            gateway.admin.post("/system/role", json=[{"name": f"r{number}"}])
    with Gateway(settings) as gateway:
        assert len(records(gateway, filter="verb='POST'")) == 20


def test_a_database_that_is_away_fails_no_request_and_drops_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AUDIT_QUEUE", "3")
    with Gateway(settings_for(tmp_path)) as gateway:
        rename = "alter table audit rename to elsewhere"
        assert gateway.admin.get("/system/role").status_code == 200
        trail = trail_of(gateway)
        monkeypatch.setattr("trunkline_audit.trail._COLLECT", 60.0)
        for _ in range(5):
            assert gateway.admin.delete("/system/role/4711").status_code == 404
        assert trail.dropped == 2
        gateway.app.database.change(lambda connection: connection.exec_driver_sql(rename), which=None)
        assert gateway.admin.delete("/system/role/4711").status_code == 404
        assert trail.dropped == 3
    assert "audit records could not be stored" in caplog.text
    assert "6 audit records were dropped, 6 in all" in caplog.text


def test_one_record_that_cannot_be_stored_keeps_no_other_from_it(fresh_gateway: Gateway) -> None:
    refuse = (
        "create trigger refuse before insert on audit when new.resource = 'role/13'"
        " begin select raise(abort, 'never'); end"
    )
    fresh_gateway.app.database.change(lambda connection: connection.exec_driver_sql(refuse), which=None)
    for number in (12, 13, 14):
        fresh_gateway.admin.delete(f"/system/role/{number}")
    assert [one["resource"] for one in records(fresh_gateway)] == ["role/12", "role/14"]
    assert trail_of(fresh_gateway).dropped == 1


def test_starting_and_stopping_at_once_leaves_no_thread_behind(tmp_path: Path) -> None:
    """What is too old is looked for at the start, in a thread; closing the cache under it would crash the process."""
    for _ in range(20):
        with Gateway(settings_for(tmp_path)):
            pass


def test_what_is_too_old_is_deleted(fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline_audit.trail._PURGE_AT_ONCE", 2)
    for _ in range(7):
        fresh_gateway.admin.delete("/system/role/4711")
    ids = [one["id"] for one in records(fresh_gateway)]
    old = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=91)
    change = sa.update(audit).where(audit.c.id <= ids[4]).values(time=old)
    fresh_gateway.app.database.change(lambda connection: connection.execute(change), which=None)
    assert purge(fresh_gateway.app, 92) == 0
    assert [purge(fresh_gateway.app, 90) for _ in range(4)] == [2, 2, 1, 0]
    assert [one["id"] for one in records(fresh_gateway)] == ids[5:]


def test_old_records_go_when_the_gateway_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_for(tmp_path, cache_driver="memory")
    with Gateway(settings) as gateway:
        for _ in range(5):
            gateway.admin.delete("/system/role/4711")
        records(gateway)
        old = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=3)
        change = sa.update(audit).values(time=old)
        gateway.app.database.change(lambda connection: connection.execute(change), which=None)
    monkeypatch.setenv("AUDIT_RETENTION_DAYS", "2")
    monkeypatch.setattr("trunkline_audit.trail._PURGE_AT_ONCE", 2)
    with Gateway(settings) as gateway:
        deadline = time.monotonic() + 10
        while _stored(gateway):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_it_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_ENABLED", "false")
    with Gateway(settings_for(tmp_path)) as gateway:
        gateway.admin.post("/system/role", json=[{"name": "a"}])
        assert records(gateway) == []


@pytest.mark.parametrize(("name", "value"), [("AUDIT_QUEUE", "0"), ("AUDIT_RETENTION_DAYS", "soon")])
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: Any) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings, match=name):
        load()
