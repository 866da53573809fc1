"""Killing and stopping: nothing is lost, a second run completes, requests under way are finished (checklist 33)."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from processes import TRUNKLINE, answering, clean_environment, free_port, log_in

pytestmark = pytest.mark.slow
LOGIN = ("--admin-email", "admin@example.com", "--admin-password", "a long enough password")
# About two seconds of work for SQLite.
SLOW_VIEW = """create view slow as with recursive c(x) as (select 1 union all select x + 1 from c where x < 6000000)
select count(*) as n from c"""


@pytest.mark.parametrize("seconds", [0.3, 0.6, 0.8, 0.9, 1.0, 1.2])
def test_a_setup_that_was_killed_is_completed_by_the_next(tmp_path: Path, seconds: float) -> None:
    environment = clean_environment(TRUNKLINE_STORAGE=str(tmp_path / "storage"))
    first = subprocess.Popen([TRUNKLINE, "setup", *LOGIN], env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        first.wait(seconds)
    except subprocess.TimeoutExpired:
        first.kill()
        first.wait()
    again = subprocess.run([TRUNKLINE, "setup", *LOGIN], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 0 or "There is an administrator already" in again.stderr, again.stderr
    with _serving(tmp_path, environment) as (_process, url), answering(url) as client:
        log_in(client, LOGIN[1], LOGIN[3])


class _serving:
    """Serve in a process until the block ends."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._port = free_port()
        command = [TRUNKLINE, "serve", "--port", str(self._port)]
        self.process = subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.DEVNULL)

    def __enter__(self) -> tuple[subprocess.Popen[bytes], str]:
        return self.process, f"http://127.0.0.1:{self._port}"

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.wait()


def test_several_setups_at_once_make_one_administrator(tmp_path: Path) -> None:
    """Checklist 30."""
    environment = clean_environment(TRUNKLINE_STORAGE=str(tmp_path / "storage"))

    def setup(number: int) -> subprocess.Popen[str]:
        login = ("--admin-email", f"admin{number}@example.com", "--admin-password", "a long enough password")
        return subprocess.Popen(
            [TRUNKLINE, "setup", *login], env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    running = [setup(number) for number in range(4)]
    told = [process.communicate(timeout=60)[1] for process in running]
    assert sorted(process.returncode for process in running) == [0, 1, 1, 1], told
    with closing(sqlite3.connect(tmp_path / "storage" / "system.sqlite")) as database:
        assert database.execute('select count(*) from "user" where is_sys_admin').fetchone() == (1,)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_requests_under_way_are_finished_when_it_is_stopped(tmp_path: Path, how: signal.Signals) -> None:
    storage = tmp_path / "storage"
    environment = clean_environment(TRUNKLINE_STORAGE=str(storage))
    subprocess.run([TRUNKLINE, "setup", *LOGIN], env=environment, cwd=tmp_path, check=True, capture_output=True)
    (storage / "databases").mkdir()
    with closing(sqlite3.connect(storage / "databases" / "slow.sqlite")) as database:
        database.execute(SLOW_VIEW)
    add = [TRUNKLINE, "service", "add", "slow", "sqlite", "database=slow.sqlite"]
    subprocess.run(add, env=environment, cwd=tmp_path, check=True, capture_output=True)
    with _serving(tmp_path, environment) as (process, url), answering(url) as client:
        log_in(client, LOGIN[1], LOGIN[3])
        assert client.get("/api/v2/slow/_table").json() == {"resource": [{"name": "slow"}]}
        replies: list[httpx2.Response] = []
        asking = threading.Thread(target=lambda: replies.append(client.get("/api/v2/slow/_table/slow")))
        asking.start()
        time.sleep(0.4)
        process.send_signal(how)
        asking.join(20)
        assert [reply.json() for reply in replies] == [{"resource": [{"n": 6000000}]}]
        assert process.wait(20) == 0


def test_a_write_that_was_answered_survives_a_kill(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    environment = clean_environment(TRUNKLINE_STORAGE=str(storage))
    subprocess.run([TRUNKLINE, "setup", *LOGIN], env=environment, cwd=tmp_path, check=True, capture_output=True)
    add = [TRUNKLINE, "service", "add", "shop", "sqlite", "database=shop.sqlite"]
    subprocess.run(add, env=environment, cwd=tmp_path, check=True, capture_output=True)
    table = {"resource": [{"name": "t", "field": [{"name": "id", "type": "id"}, {"name": "n", "type": "integer"}]}]}
    with _serving(tmp_path, environment) as (process, url), answering(url) as client:
        log_in(client, LOGIN[1], LOGIN[3])
        assert client.post("/api/v2/shop/_schema", json=table).status_code == 200
        for n in range(50):
            assert client.post("/api/v2/shop/_table/t", json={"n": n}).status_code == 200
        process.kill()
    with _serving(tmp_path, environment) as (_process, url), answering(url) as client:
        log_in(client, LOGIN[1], LOGIN[3])
        assert client.get("/api/v2/shop/_table/t", params={"count_only": "true"}).json() == 50
