"""Two workers on one machine: what one of them changes, the other one knows (checklist 15)."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import TRUNKLINE, clean_environment, free_port

pytestmark = pytest.mark.slow
EMAIL, PASSWORD = "admin@example.com", "a long enough password"
# The promise is one second; logging out counts at once.
WITHIN = 1.0


class Worker:
    """One keep-alive connection, which stays with the worker process that accepted it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Send a request; answer status and content."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body)
        if data is not None:
            named["Content-Type"] = "application/json"
        self._connection.request(method, f"/api/v2{path}", data, named)
        reply = self._connection.getresponse()
        return reply.status, json.loads(reply.read() or b"null")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    @property
    def address(self) -> tuple[str, int]:
        """Our end of the connection."""
        found: tuple[str, int] = self._connection.sock.getsockname()
        return found


def holder(port: int, ours: tuple[str, int], pids: list[int]) -> int:
    """Find which of the processes holds the other end of a connection."""
    wanted = f"0100007F:{port:04X} 0100007F:{ours[1]:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    inode = next(fields[9] for line in lines if " ".join((fields := line.split())[1:3]) == wanted)
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if str(link.readlink()) == f"socket:[{inode}]":
                    return pid
            except FileNotFoundError:
                continue
    raise AssertionError("nobody holds the connection")


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worker, Worker]]:
    """Connections to two different workers of one gateway."""
    storage = tmp_path_factory.mktemp("workers")
    environment = clean_environment(TRUNKLINE_STORAGE=str(storage), LOG_CHANNEL=str(storage / "log"))
    login = ("--admin-email", EMAIL, "--admin-password", PASSWORD)
    subprocess.run([TRUNKLINE, "setup", *login], env=environment, check=True, capture_output=True, cwd=storage)
    port = free_port()
    command = [TRUNKLINE, "serve", "--port", str(port), "--workers", "2"]
    process = subprocess.Popen(command, env=environment, cwd=storage, stderr=subprocess.DEVNULL)
    workers: list[Worker] = []
    try:
        workers += _connected(process, port)
        yield workers[0], workers[1]
    finally:
        for worker in workers:
            worker.close()
        process.terminate()
        assert process.wait(30) == 0, (storage / "log").read_text()


def _connected(process: subprocess.Popen[bytes], port: int) -> tuple[Worker, Worker]:
    """Open connections until two different processes have accepted one."""
    deadline = time.monotonic() + 60
    found: dict[int, Worker] = {}
    while len(found) < 2:
        assert time.monotonic() < deadline, "two workers do not answer"
        worker = Worker(port)
        try:
            worker.call("GET", "/system/environment")
        except OSError:
            worker.close()
            time.sleep(0.1)
            continue
        pid = holder(port, worker.address, children(process.pid))
        if found.setdefault(pid, worker) is not worker:
            worker.close()
    one, other = found.values()
    return one, other


def until(refused: Callable[[], int], status: int) -> float:
    """Repeat a call until it gets the status; answer the seconds it took."""
    started = time.monotonic()
    while (got := refused()) != status:
        assert time.monotonic() < started + 5, f"still {got} instead of {status}"
    return time.monotonic() - started


class Prepared:
    """An admin's session, and a key whose role may read roles."""

    def __init__(self, worker: Worker) -> None:
        _status, session = worker.call("POST", "/system/admin/session", {"email": EMAIL, "password": PASSWORD})
        self.session = {"X_DreamFactory_Session_Token": session["session_token"]}
        row = {"service_id": 1, "component": "role/*", "verb_mask": 1, "requestor_mask": 3}
        name = f"r{time.time_ns()}"
        role = {"name": name, "is_active": True, "role_service_access_by_role_id": [row]}
        status, made = worker.call("POST", "/system/role", [role], **self.session)
        assert status == 201, made
        self.role = made["resource"][0]["id"]
        app = {"name": name, "is_active": True, "role_id": self.role}
        _status, made = worker.call("POST", "/system/app?fields=*", [app], **self.session)
        self.app = made["resource"][0]["id"]
        self.key = {"X_DreamFactory_API_Key": made["resource"][0]["api_key"]}


@pytest.fixture
def prepared(two: tuple[Worker, Worker]) -> Prepared:
    found = Prepared(two[0])
    assert two[1].call("GET", "/system/role", **found.key)[0] == 200
    return found


def test_a_logout_counts_at_once(two: tuple[Worker, Worker], prepared: Prepared) -> None:
    one, other = two
    assert other.call("GET", "/system/role", **prepared.session)[0] == 200
    assert one.call("DELETE", "/system/admin/session", **prepared.session)[0] == 200
    status, content = other.call("GET", "/system/role", **prepared.session)
    assert (status, "blacklisted" in content["error"]["message"]) == (403, True)


def test_a_role_that_loses_a_row_is_refused_within_a_second(two: tuple[Worker, Worker], prepared: Prepared) -> None:
    one, other = two
    _status, role = one.call(
        "GET", f"/system/role/{prepared.role}?related=role_service_access_by_role_id", **prepared.session
    )
    row = {"id": role["role_service_access_by_role_id"][0]["id"], "role_id": None}
    change = {"role_service_access_by_role_id": [row]}
    assert one.call("PATCH", f"/system/role/{prepared.role}", change, **prepared.session)[0] == 200
    assert until(lambda: other.call("GET", "/system/role", **prepared.key)[0], 401) < WITHIN


def test_a_role_that_is_switched_off_is_refused_within_a_second(two: tuple[Worker, Worker], prepared: Prepared) -> None:
    one, other = two
    assert one.call("PATCH", f"/system/role/{prepared.role}", {"is_active": False}, **prepared.session)[0] == 200
    assert until(lambda: other.call("GET", "/system/role", **prepared.key)[0], 403) < WITHIN


def test_a_deleted_key_is_refused_within_a_second(two: tuple[Worker, Worker], prepared: Prepared) -> None:
    one, other = two
    assert one.call("DELETE", f"/system/app/{prepared.app}", **prepared.session)[0] == 200
    assert until(lambda: other.call("GET", "/system/role", **prepared.key)[0], 400) < WITHIN


def test_a_user_who_is_switched_off_is_refused_within_a_second(two: tuple[Worker, Worker], prepared: Prepared) -> None:
    one, other = two
    user = {"email": f"u{time.time_ns()}@example.com", "password": PASSWORD, "is_active": True}
    _status, made = one.call("POST", "/system/user", [user], **prepared.session)
    user_id = made["resource"][0]["id"]
    _status, session = one.call("POST", "/user/session", {"email": user["email"], "password": PASSWORD})
    token = {"X_DreamFactory_Session_Token": session["session_token"]}
    assert other.call("GET", "/user/session", **token)[0] == 200
    assert one.call("PATCH", f"/system/user/{user_id}", {"is_active": False}, **prepared.session)[0] == 200
    assert until(lambda: other.call("GET", "/user/session", **token)[0], 403) < WITHIN


def test_failed_logins_are_counted_together(two: tuple[Worker, Worker]) -> None:
    """D2: a throttle that each worker kept for itself would allow twice as much."""
    name = f"victim{time.time_ns()}@example.com"
    wrong = {"email": name, "password": "wrong wrong wrong"}
    statuses = [two[turn % 2].call("POST", "/user/session", wrong)[0] for turn in range(12)]
    assert statuses[:10] == [401] * 10
    assert statuses[10:] == [429, 429]
