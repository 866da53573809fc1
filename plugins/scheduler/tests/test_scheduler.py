"""Tasks as records, and their runs: by whom, once, whatever happens (system-api 23)."""

from __future__ import annotations

import asyncio
import http.client
import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from processes import TRUNKLINE, clean_environment, free_port

from trunkline.call import Reply
from trunkline.testing import Client, Gateway
from trunkline_scheduler.runner import Runner, answer, take
from trunkline_scheduler.table import run, scheduler

EVERY_SECOND = "* * * * * *"


@pytest.fixture
def shop(gateway: Gateway) -> int:
    """A service with a table ``run``, and its id."""
    file = gateway.storage / "databases" / "shop.sqlite"
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file)) as database:
        database.executescript("drop table if exists run; create table run (id integer primary key, word varchar(40))")
    services = gateway.app.directory.snapshot.services
    if "shop" not in services:
        return int(gateway.create_service("shop", "sqlite", {"database": "shop.sqlite"})["id"])
    return services["shop"].id


def task(admin: Client, service: int, **more: Any) -> dict[str, Any]:
    record = {"name": f"task {time.monotonic_ns()}", "service_id": service, "component": "_table/run", "verb_mask": 2,
              "payload": {"resource": [{"word": "done"}]}, **more}  # fmt: skip
    reply = admin.post("/system/scheduler", json={"resource": [record]}, params={"fields": "*", "related": "*"})
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()["resource"][0]
    return found


def stored(gateway: Gateway, key: int) -> Any:
    query = sa.select(scheduler).where(scheduler.c.id == key)
    return gateway.app.database.read(lambda connection: connection.execute(query).mappings().one())


def made(gateway: Gateway, key: int) -> Reply:
    """Make the call of a task now."""

    async def call() -> Reply:
        reply = await answer(gateway.app, stored(gateway, key))
        await gateway.app.services.close()
        return reply

    return asyncio.run(call())


class TestRecords:
    def test_a_task_has_its_defaults_and_relations(self, gateway: Gateway, shop: int) -> None:
        found = task(gateway.admin, shop, verb_mask="2", frequency="15")
        shown = {name: found[name] for name in ("is_active", "verb_mask", "verb", "frequency", "schedule")}
        expected = {"is_active": False, "verb_mask": 2, "verb": "POST", "frequency": 15, "schedule": None}
        assert shown == expected
        assert json.loads(found["payload"]) == {"resource": [{"word": "done"}]}
        assert found["task_log_by_task_id"] == []
        assert found["service_by_service_id"]["name"] == "shop"
        assert gateway.admin.delete(f"/system/scheduler/{found['id']}").json() == {"id": found["id"]}

    @pytest.mark.parametrize(
        ("bad", "field"),
        [
            ({"service_id": None}, "service_id"), ({"service_id": 9999}, "service_id"), ({"user_id": 9999}, "user_id"),
            ({"verb_mask": 3}, "verb_mask"), ({"verb_mask": 0}, "verb_mask"), ({"frequency": 0}, "frequency"),
            ({"schedule": "every day"}, "schedule"), ({"name": None}, "name"),
        ],
    )  # fmt: skip
    def test_what_could_never_run_is_refused(self, gateway: Gateway, shop: int, bad: Any, field: str) -> None:
        record = {"name": "bad", "service_id": shop, **bad}
        error = gateway.admin.post("/system/scheduler", json={"resource": [record]}).json()["error"]
        assert field in error["context"]["resource"][0]["context"]


class TestCalls:
    def test_nobody_named_has_all_rights(self, gateway: Gateway, shop: int) -> None:
        reply = made(gateway, task(gateway.admin, shop)["id"])
        assert (reply.status, reply.content) == (200, {"resource": [{"id": 1}]})

    def test_the_rights_are_those_of_user_and_app(self, gateway: Gateway, shop: int) -> None:
        rows = [{"service": "shop", "component": "_table/run/*", "verb_mask": 1}]
        app = gateway.create_app(gateway.create_role(rows))
        user = gateway.create_user("somebody@example.com")
        for owner in ({"app_id": app["id"]}, {"app_id": app["id"], "user_id": user.id}):
            assert made(gateway, task(gateway.admin, shop, **owner)["id"]).status in (401, 403)
            assert made(gateway, task(gateway.admin, shop, verb_mask=1, payload=None, **owner)["id"]).status == 200
        assert made(gateway, task(gateway.admin, shop, user_id=user.id)["id"]).status == 400
        gateway.admin.patch(f"/system/user/{user.id}", json={"is_active": False})
        assert made(gateway, task(gateway.admin, shop, user_id=user.id)["id"]).status == 403

    def test_a_component_may_have_a_query(self, gateway: Gateway, shop: int) -> None:
        made(gateway, task(gateway.admin, shop)["id"])
        one = task(gateway.admin, shop, verb="GET", verb_mask=1, component="_table/run?fields=word", payload="")
        assert made(gateway, one["id"]).content == {"resource": [{"word": "done"}]}

    def test_what_fails_is_told_and_not_raised(self, gateway: Gateway, shop: int) -> None:
        assert made(gateway, task(gateway.admin, shop, payload="{no json")["id"]).status == 400
        assert made(gateway, task(gateway.admin, shop, component="nope/at/all")["id"]).status == 404


class TestTurns:
    def test_of_all_that_try_one_gets_a_run(self, gateway: Gateway, shop: int) -> None:
        key = task(gateway.admin, shop)["id"]
        for due in (100.0, 200.0, 300.0):
            with ThreadPoolExecutor(8) as pool:
                assert sum(pool.map(lambda _, due=due: take(gateway.app, key, due), range(16))) == 1
            self._set(gateway, key, 0.0)
        assert not take(gateway.app, key, 300.0)

    def test_a_run_that_goes_on_is_not_joined_and_a_dead_one_forgotten(self, gateway: Gateway, shop: int) -> None:
        key = task(gateway.admin, shop)["id"]
        assert take(gateway.app, key, 100.0)
        assert not take(gateway.app, key, 200.0)
        self._set(gateway, key, time.time() - 1)  # no sign of life for too long
        assert take(gateway.app, key, 200.0)

    def test_a_task_that_is_gone_is_nobodys(self, gateway: Gateway) -> None:
        assert not take(gateway.app, 999_999, 100.0)

    def test_a_task_made_now_makes_up_for_nothing(self, gateway: Gateway, shop: int) -> None:
        key = task(gateway.admin, shop, is_active=True, frequency=60 * 24 * 366)["id"]
        runner = Runner()
        asyncio.run(runner.look(gateway.app))
        assert not gateway.app.database.read(
            lambda connection: connection.execute(sa.select(run).where(run.c.task_id == key)).first()
        )

    def _set(self, gateway: Gateway, key: int, until: float) -> None:
        change = sa.update(run).where(run.c.task_id == key).values(busy_until=until)
        gateway.app.database.change(lambda connection: connection.execute(change), which=None)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A gateway with two workers and an administrator."""
    storage, port = tmp_path_factory.mktemp("scheduler"), free_port()
    environment = clean_environment(TRUNKLINE_STORAGE=str(storage), LOG_CHANNEL=str(storage / "log"))
    login = ("--admin-email", "admin@example.com", "--admin-password", "a long enough password")
    subprocess.run([TRUNKLINE, "setup", *login], env=environment, check=True, capture_output=True, cwd=storage)
    command = [TRUNKLINE, "serve", "--port", str(port), "--workers", "2"]
    with subprocess.Popen(command, env=environment, cwd=storage) as process:
        try:
            yield storage, port
        finally:
            process.terminate()


@pytest.mark.slow
def test_two_workers_make_each_call_once(served: tuple[Path, int]) -> None:
    storage, port = served
    file = storage / "databases" / "shop.sqlite"
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file)) as database:
        database.executescript(
            "create table run (id integer primary key, at datetime default current_timestamp, w text)"
        )
    headers: dict[str, str] = {"Content-Type": "application/json"}

    def ask(method: str, path: str, body: Any = None) -> Any:
        deadline = time.monotonic() + 30
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            try:
                connection.request(method, f"/api/v2{path}", json.dumps(body) if body else None, headers)
                reply = connection.getresponse()
                return json.loads(reply.read())
            except ConnectionRefusedError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            finally:
                connection.close()

    login = {"email": "admin@example.com", "password": "a long enough password"}
    headers["X-DreamFactory-Session-Token"] = ask("POST", "/system/admin/session", login)["session_token"]
    shop = {"name": "shop", "type": "sqlite", "is_active": True, "config": {"database": "shop.sqlite"}}
    service = ask("POST", "/system/service", [shop])["resource"][0]["id"]
    tasks = [
        {"name": name, "is_active": True, "service_id": service, "component": "_table/run", "verb_mask": 2,
         "payload": {"resource": [{"w": name}]}, "schedule": EVERY_SECOND}
        for name in ("a", "b")
    ]  # fmt: skip
    ids = [one["id"] for one in ask("POST", "/system/scheduler", {"resource": tasks})["resource"]]
    time.sleep(6)
    for key in ids:
        ask("PATCH", f"/system/scheduler/{key}", {"is_active": False})
    time.sleep(1.5)
    with closing(sqlite3.connect(file)) as database:
        counts = dict(database.execute("select w, count(*) from run group by w").fetchall())
        twice = database.execute("select w, at, count(*) from run group by w, at having count(*) > 2").fetchall()
    assert twice == []
    assert set(counts) == {"a", "b"}
    assert all(4 <= count <= 9 for count in counts.values()), counts
    logged = ask("GET", f"/system/scheduler/{ids[0]}?related=task_log_by_task_id")["task_log_by_task_id"]
    assert len(logged) == counts["a"]
    assert {one["status_code"] for one in logged} == {200}
