"""``nox -s bench``: what Trunkline costs beside a hand-written route, both under the same server, in one run."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.load import Measured, measure
from processes import free_port

CASES = {"1 row": ("/{id}", 3000), "25 rows": ("?limit=25", 2000), "1000 rows": ("?limit=1000", 150)}
ROUNDS = 5
TARGET = 150.0
SERVER = "from trunkline.serving import Bind, hypercorn; hypercorn({app!r}, Bind(port={port}))"


def fill(path: Path) -> None:
    """Make a table of 10,000 contacts."""
    with sqlite3.connect(path) as database:
        database.execute(
            "create table contact (id integer primary key, first_name varchar(40), last_name varchar(40),"
            " email varchar(80), age integer, balance decimal(12,2), score double, is_active boolean,"
            " country_code char(2), born date, created_at datetime, notes text)"
        )
        database.executemany(
            "insert into contact values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (i, "Ann", f"Last{i:05}", f"u{i}@example.com", 18 + i % 60, i * 7919 % 1_000_000 / 100, i**0.5,
                 i % 3 != 0, "DE", "1950-01-02", "2024-01-01 00:01:00", f"note {i}")
                for i in range(1, 10_001)
            ),
        )  # fmt: skip
    database.close()


def prepare(storage: Path) -> str:
    """Set up a service, a role with a row per table, and an app; answer its key."""
    from trunkline.testing import Gateway
    from trunkline.testing.fixtures import settings_for

    (storage / "databases").mkdir(parents=True)
    fill(storage / "databases" / "bench.sqlite")
    with Gateway(settings_for(storage)) as gateway:
        gateway.create_service("bench", "sqlite", {"database": "bench.sqlite"})
        role = gateway.create_role([{"service": "bench", "component": "_table/*", "verb_mask": 1}])
        return str(gateway.create_app(role)["api_key"])


def serve(application: str, environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server in a process of its own."""
    port = free_port()
    code = SERVER.format(app=application, port=port)
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **environment})
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/nothing")
        except urllib.error.HTTPError:
            return process, port
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{application} does not start")


async def compare(ours: tuple[int, int, str], theirs: tuple[int, int]) -> list[float]:
    """Measure every case in turn, ours and theirs, and print the medians; answer what ours adds in each."""
    added = []
    (our_pid, our_port, key), (their_pid, their_port) = ours, theirs
    headers = {"X-DreamFactory-API-Key": key}
    print(f"{'case':10} {'':12} {'CPU µs/request':>16} {'requests/s':>12}")
    for name, (suffix, requests) in CASES.items():
        path = suffix.format(id=4711)
        rounds: list[tuple[Measured, Measured]] = []
        for _ in range(ROUNDS + 1):
            mine = await measure(our_pid, our_port, f"/api/v2/bench/_table/contact{path}", headers, requests, 8)
            base = await measure(their_pid, their_port, f"/contact{path}", {}, requests, 8)
            rounds.append((mine, base))
        del rounds[0]  # the first warms up
        mine_cpu, base_cpu = (statistics.median(pair[side].cpu for pair in rounds) for side in (0, 1))
        mine_rate, base_rate = (statistics.median(pair[side].rate for pair in rounds) for side in (0, 1))
        ratio = statistics.median(pair[0].cpu / pair[1].cpu for pair in rounds)
        added.append(statistics.median(pair[0].cpu - pair[1].cpu for pair in rounds))
        print(f"{name:10} {'baseline':12} {base_cpu:16.0f} {base_rate:12.0f}")
        print(f"{'':10} {'trunkline':12} {mine_cpu:16.0f} {mine_rate:12.0f}   x{ratio:.2f}, {added[-1]:+.0f} µs")
    return added


def main() -> int:
    """Run the benchmark; the exit status says whether the target holds."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    processes = []
    try:
        storage = folder / "storage"
        key = prepare(storage)
        settings = {"TRUNKLINE_STORAGE": str(storage), "APP_KEY": "base64:dHJ1bmtsaW5lLXRlc3RzLXRydW5rbGluZS10ZXN0cy0="}
        ours, our_port = serve("trunkline.asgi:app", settings)
        processes.append(ours)
        database = {"BENCH_DATABASE": str(storage / "databases" / "bench.sqlite")}
        theirs, their_port = serve("bench.baseline:app", {**database, "PYTHONPATH": str(Path(__file__).parents[1])})
        processes.append(theirs)
        added = asyncio.run(compare((ours.pid, our_port, key), (theirs.pid, their_port)))
    finally:
        for process in processes:
            process.terminate()
            process.wait(20)
        shutil.rmtree(folder)
    print(f"Target: at most {TARGET:.0f} µs added to the 1-row case; it is {added[0]:.0f} µs.")
    return int(added[0] > TARGET)


if __name__ == "__main__":
    sys.exit(main())
