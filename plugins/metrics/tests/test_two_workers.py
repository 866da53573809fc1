"""Several workers: whichever is asked, it answers for all of them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from processes import TRUNKLINE, answering, clean_environment, free_port
from scraping import samples

pytestmark = pytest.mark.slow
CLIENTS, CALLS = 16, 10


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A gateway with two workers: its address and the process that started them."""
    environment = clean_environment(
        TRUNKLINE_STORAGE=str(tmp_path), LOG_CHANNEL=str(tmp_path / "log"), METRICS_ENABLED="true"
    )
    # Of a run before this one, with a process that is gone.
    left = tmp_path / "metrics" / "1-1"
    left.mkdir(parents=True)
    port = free_port()
    command = [TRUNKLINE, "serve", "--port", str(port), "--workers", "2"]
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        answering(f"http://127.0.0.1:{port}").close()
        yield f"http://127.0.0.1:{port}", process.pid
        assert not left.exists()
    finally:
        process.terminate()
        assert process.wait(30) == 0, (tmp_path / "log").read_text()


def test_every_request_is_counted_once_whoever_is_asked(served: tuple[str, int]) -> None:
    url, pid = served

    def calls(_number: int) -> None:
        with httpx2.Client(base_url=url, timeout=30) as client:
            for _ in range(CALLS):
                assert client.get("/api/v2/system/environment").status_code == 200

    folder = Path(f"/proc/{pid}/cwd").resolve() / "metrics"

    def workers() -> set[str]:
        return {file.stem.rpartition("_")[2] for file in folder.glob(f"{pid}-*/counter_*.db")}

    deadline, made = time.monotonic() + 60, 0
    while len(workers()) < 2:
        assert time.monotonic() < deadline, "only one worker has answered"
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(calls, range(CLIENTS)))
        made += CLIENTS * CALLS
    label = ("system", "GET", "2xx")
    for _ in range(10):
        text = httpx2.get(f"{url}/metrics").text
        assert samples(text, "trunkline_requests_total")[label] == made
        assert samples(text, "trunkline_request_duration_seconds_count")[label] == made
        assert samples(text, "trunkline_requests_in_flight") == {(): 0.0}
        assert set(samples(text, "trunkline_revision")) == {("config",), ("sessions",)}
    assert [one.name.partition("-")[0] for one in folder.iterdir()] == [str(pid)]
    deadline = time.monotonic() + 10
    while not samples(httpx2.get(f"{url}/metrics").text, "trunkline_event_loop_lag_seconds"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
