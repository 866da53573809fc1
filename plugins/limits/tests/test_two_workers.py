"""Two worker processes and many clients at once: a rate is neither exceeded nor missed by one call."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from processes import TRUNKLINE, answering, clean_environment, free_port

pytestmark = pytest.mark.slow
EMAIL, PASSWORD = "admin@example.com", "a long enough password"
CLIENTS, CALLS = 64, 12


def connect(url: str, **headers: str) -> httpx2.Client:
    """Open a client of one worker: it keeps its connection, which stays with the process that accepted it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Client(base_url=f"{url}/api/v2", headers=named, timeout=60)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway with two workers."""
    storage = tmp_path_factory.mktemp("workers")
    environment = clean_environment(TRUNKLINE_STORAGE=str(storage), LOG_CHANNEL=str(storage / "log"))
    login = ("--admin-email", EMAIL, "--admin-password", PASSWORD)
    subprocess.run([TRUNKLINE, "setup", *login], env=environment, check=True, capture_output=True, cwd=storage)
    port = free_port()
    command = [TRUNKLINE, "serve", "--port", str(port), "--workers", "2"]
    process = subprocess.Popen(command, env=environment, cwd=storage, stderr=subprocess.DEVNULL)
    try:
        answering(f"http://127.0.0.1:{port}").close()
        deadline = time.monotonic() + 60
        while sum(map(_has_built_its_application, _children(process.pid))) < 2:
            assert time.monotonic() < deadline, "there are no two workers"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(30) == 0, (storage / "log").read_text()


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _has_built_its_application(pid: int) -> bool:
    opened = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink()]
    return any(one.endswith("/cache.sqlite") for one in opened)


@pytest.mark.parametrize("others", [[], ["hour", "day"]], ids=["one limit", "three limits"])
def test_exactly_as_many_calls_pass_as_the_rate_says(url: str, others: list[str]) -> None:
    login = {"email": EMAIL, "password": PASSWORD}
    with connect(url) as client:
        token = client.post("/system/admin/session", json=login).json()["session_token"]
    name, rate = f"r{time.time_ns()}", 300 + len(others)
    with connect(url, X_DreamFactory_Session_Token=token) as admin:
        row = {"service_id": 1, "component": "role/*", "verb_mask": 1, "requestor_mask": 3}
        role = {"name": name, "is_active": True, "role_service_access_by_role_id": [row]}
        role_id = admin.post("/system/role", json=[role]).json()["resource"][0]["id"]
        app = {"name": name, "is_active": True, "role_id": role_id}
        api_key = admin.post("/system/app?fields=*", json=[app]).json()["resource"][0]["api_key"]
        common = {"type": "instance.role", "role_id": role_id, "name": name}
        limits = [{**common, "rate": rate, "period": "minute"}]
        limits += [{**common, "rate": 10**6, "period": period} for period in others]
        made = admin.post("/system/limit", json={"resource": limits})
        assert made.status_code == 200, made.text

        def calls(_number: int) -> list[tuple[int, int]]:
            with connect(url, X_DreamFactory_API_Key=api_key) as mine:
                replies = [mine.get("/system/role?fields=id") for _ in range(CALLS)]
            return [(reply.status_code, int(reply.headers["X-RateLimit-Remaining"])) for reply in replies]

        with ThreadPoolExecutor(CLIENTS) as pool:
            replies = [one for found in pool.map(calls, range(CLIENTS)) for one in found]
        assert Counter(status for status, _left in replies) == {200: rate, 429: CLIENTS * CALLS - rate}
        # No two calls were told the same, so none was counted twice or not at all.
        assert sorted(left for status, left in replies if status == 200) == list(range(rate))
        for limit in made.json()["resource"]:
            assert admin.get(f"/system/limit_cache/{limit['id']}").json()["attempts"] == rate
