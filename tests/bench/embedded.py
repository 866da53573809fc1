"""SQLite: what Trunkline adds to a hand-written route over sqlite3."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import statistics
import tempfile
from pathlib import Path

from bench.load import Asked
from bench.stand import APP_KEY, Contender, median_of, ratio_of, rounds, serving

CASES = {"1 row": ("/{id}", 3000), "25 rows": ("?limit=25", 2000), "1000 rows": ("?limit=1000", 150)}
ROUNDS = 5
TARGET = 150.0


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


async def compare(ours: Contender, base: Contender) -> float:
    """Measure every case, print the medians, and answer what ours adds to the first one."""
    added = []
    print(f"{'SQLite':10} {'':12} {'CPU µs/request':>16} {'requests/s':>12}")
    for name, (suffix, requests) in CASES.items():
        path = suffix.format(id=4711)
        pairs = ((ours, Asked(f"/api/v2/bench/_table/contact{path}")), (base, Asked(f"/contact{path}")))
        found = await rounds(pairs, requests, 8, ROUNDS)
        added.append(statistics.median(turn[0].cpu - turn[1].cpu for turn in found))
        print(f"{name:10} {base.name:12} {median_of(found, 1, 'cpu'):16.0f} {median_of(found, 1, 'rate'):12.0f}")
        print(
            f"{'':10} {ours.name:12} {median_of(found, 0, 'cpu'):16.0f} {median_of(found, 0, 'rate'):12.0f}"
            f"   x{ratio_of(found, 0, 1):.2f}, {added[-1]:+.0f} µs"
        )
    return added[0]


def main(server: str) -> bool:
    """Run the comparison; answer whether the target holds."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        storage = folder / "storage"
        key = prepare(storage)
        settings = {"TRUNKLINE_STORAGE": str(storage), "APP_KEY": APP_KEY}
        ours = stack.enter_context(serving(server, "trunkline.asgi:app", settings))
        database = {"BENCH_DATABASE": str(storage / "databases" / "bench.sqlite")}
        base = stack.enter_context(serving(server, "bench.baseline:app", database))
        headers = {"X-DreamFactory-API-Key": key}
        added = asyncio.run(compare(Contender("trunkline", *ours, headers), Contender("baseline", *base)))
    print(f"Target: at most {TARGET:.0f} µs added to the 1-row case; it is {added:.0f} µs.\n")
    return added <= TARGET
