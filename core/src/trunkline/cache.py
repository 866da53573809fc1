"""The shared cache: revoked tokens, throttles and other short-lived state that every worker must see."""

from __future__ import annotations

import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from trunkline import json
from trunkline.settings import BadSettings, Settings

GROUP = "trunkline.caches"
_WRITES_PER_PURGE = 1000


@dataclass(frozen=True, slots=True)
class Budget:
    """How often something may happen: ``most`` times within ``ttl`` seconds from the first time on."""

    key: str
    most: int
    ttl: float


@dataclass(frozen=True, slots=True)
class Spent:
    """A budget after it was spent from: the count, beyond ``most`` when it refuses, and when it begins anew (epoch)."""

    count: int
    ends: float


class SharedCache(ABC):
    """A key-value store with expiry; all methods block and are called from worker threads.

    Keys are text, values JSON-able, ``ttl`` seconds. Only ``clear`` takes a prefix.
    """

    # Whether several processes of one machine see the same content.
    is_shared: bool = True

    @abstractmethod
    def get(self, key: str) -> Any:
        """Answer the value, or None when absent or expired."""

    @abstractmethod
    def set(self, key: str, value: Any, ttl: float) -> None:
        """Store a value for ``ttl`` seconds."""

    @abstractmethod
    def add(self, key: str, value: Any, ttl: float) -> bool:
        """Store a value unless the key is there; say whether it was stored. Atomic across processes."""

    @abstractmethod
    def increment(self, key: str, ttl: float) -> int:
        """Add one to a counter that lives ``ttl`` seconds from its first increment; answer the new count. Atomic."""

    @abstractmethod
    def spend(self, budgets: Sequence[Budget]) -> list[Spent]:
        """Count one up in all budgets, or, when any is used up, only in those that are. Atomic across processes.

        So whoever is refused by one budget does not use up the others, which may belong to everybody.
        """

    @abstractmethod
    def size(self) -> int:
        """Count the entries that have not expired."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove a key."""

    @abstractmethod
    def clear(self, prefix: str) -> None:
        """Remove all keys that begin with ``prefix``."""

    def close(self) -> None:  # noqa: B027 - a cache without connections has nothing to close
        """Let go of connections."""


class MemoryCache(SharedCache):
    """A dictionary in this process; for tests and for one worker."""

    is_shared = False

    def __init__(self, _settings: Settings) -> None:
        """Start empty."""
        self._items: dict[str, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> Any:
        """Answer the value, or None when absent or expired."""
        found = self._items.get(key)
        return found[1] if found is not None and found[0] > time.time() else None

    def set(self, key: str, value: Any, ttl: float) -> None:
        """Store a value for ``ttl`` seconds; expired ones leave now and then."""
        with self._lock:
            if len(self._items) % 1000 == 999:
                now = time.time()
                self._items = {name: one for name, one in self._items.items() if one[0] > now}
            self._items[key] = (time.time() + ttl, value)

    def add(self, key: str, value: Any, ttl: float) -> bool:
        """Store a value unless the key is there."""
        with self._lock:
            if (found := self._items.get(key)) is not None and found[0] > time.time():
                return False
            self._items[key] = (time.time() + ttl, value)
            return True

    def increment(self, key: str, ttl: float) -> int:
        """Count one up."""
        with self._lock:
            now = time.time()
            ends, count = self._items.get(key, (0.0, 0))
            ends, count = (ends, count + 1) if ends > now else (now + ttl, 1)
            self._items[key] = (ends, count)
            return int(count)

    def spend(self, budgets: Sequence[Budget]) -> list[Spent]:
        """Count up under the lock."""
        with self._lock:
            now = time.time()
            held = [self._items.get(one.key, (0.0, 0)) for one in budgets]
            answer, counted = spent(budgets, [(ends, count) if ends > now else None for ends, count in held], now)
            for key, one in counted.items():
                self._items[key] = (one.ends, one.count)
            return answer

    def size(self) -> int:
        """Count what has not expired."""
        with self._lock:
            now = time.time()
            return sum(ends > now for ends, _value in self._items.values())

    def delete(self, key: str) -> None:
        """Remove a key."""
        with self._lock:
            self._items.pop(key, None)

    def clear(self, prefix: str) -> None:
        """Remove all keys that begin with ``prefix``."""
        with self._lock:
            self._items = {name: one for name, one in self._items.items() if not name.startswith(prefix)}


def spent(
    budgets: Sequence[Budget], held: Sequence[tuple[float, int] | None], now: float
) -> tuple[list[Spent], dict[str, Spent]]:
    """Answer how the budgets stand after one more time, and by key those that have changed.

    ``held`` are end and count of the windows that go on.
    """
    before = [
        Spent(one[1], one[0]) if one else Spent(0, now + budget.ttl) for budget, one in zip(budgets, held, strict=True)
    ]
    over = [one.count >= budget.most for budget, one in zip(budgets, before, strict=True)]
    counts = over if any(over) else [True] * len(over)
    after = [Spent(one.count + 1, one.ends) if takes else one for one, takes in zip(before, counts, strict=True)]
    return after, {budget.key: one for budget, one, takes in zip(budgets, after, counts, strict=True) if takes}


# Count one up, or begin a new window where the old one has ended.
_COUNT = (
    "insert into item values (?, '1', ?) on conflict (key) do update set"
    " value = case when item.ends > ? then cast(cast(item.value as integer) + 1 as text) else '1' end,"
    " ends = case when item.ends > ? then item.ends else excluded.ends end"
)


class FileCache(SharedCache):
    """An SQLite file in the storage folder, shared by all workers of a machine."""

    def __init__(self, settings: Settings) -> None:
        """Open or create the file."""
        settings.storage.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._writes = 0
        self._db = sqlite3.connect(
            settings.storage / "cache.sqlite", timeout=30, isolation_level=None, check_same_thread=False
        )
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        self._db.execute("create table if not exists item (key text primary key, value blob, ends real) without rowid")
        self._purge()

    def _run(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def _write(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a changing statement; what has expired leaves now and then, so that the file does not grow for ever."""
        self._writes += 1
        if self._writes % _WRITES_PER_PURGE == 0:
            self._purge()
        return self._run(sql, *values)

    def _purge(self) -> None:
        self._run("delete from item where ends < ?", time.time())

    def get(self, key: str) -> Any:
        """Answer the value, or None when absent or expired."""
        rows = self._run("select value from item where key = ? and ends > ?", key, time.time())
        return json.loads(rows[0][0]) if rows else None

    def set(self, key: str, value: Any, ttl: float) -> None:
        """Store a value for ``ttl`` seconds."""
        self._write("insert or replace into item values (?, ?, ?)", key, json.dumps(value), time.time() + ttl)

    def add(self, key: str, value: Any, ttl: float) -> bool:
        """Store a value unless the key is there, in one statement."""
        now = time.time()
        rows = self._write(
            "insert into item values (?, ?, ?) on conflict (key)"
            " do update set value = excluded.value, ends = excluded.ends where item.ends <= ? returning 1",
            key, json.dumps(value), now + ttl, now,
        )  # fmt: skip
        return bool(rows)

    def increment(self, key: str, ttl: float) -> int:
        """Count one up, in one statement."""
        now = time.time()
        rows = self._write(_COUNT + " returning cast(value as integer)", key, now + ttl, now, now)
        return int(rows[0][0])

    def spend(self, budgets: Sequence[Budget]) -> list[Spent]:
        """Count up in one transaction; a single budget takes a single statement."""
        now = time.time()
        if len(budgets) == 1:
            (one,) = budgets
            rows = self._write(_COUNT + " returning cast(value as integer), ends", one.key, now + one.ttl, now, now)
            return [Spent(int(rows[0][0]), float(rows[0][1]))]
        with self._lock:
            self._db.execute("begin immediate")
            try:
                held = [
                    self._db.execute(
                        "select ends, cast(value as integer) from item where key = ? and ends > ?", (one.key, now)
                    ).fetchone()
                    for one in budgets
                ]
                answer, counted = spent(budgets, held, now)
                self._db.executemany(
                    "insert or replace into item values (?, ?, ?)",
                    [(key, str(one.count), one.ends) for key, one in counted.items()],
                )
                self._db.execute("commit")
            except BaseException:
                self._db.execute("rollback")
                raise
        return answer

    def size(self) -> int:
        """Count what has not expired."""
        return int(self._run("select count(*) from item where ends > ?", time.time())[0][0])

    def delete(self, key: str) -> None:
        """Remove a key."""
        self._run("delete from item where key = ?", key)

    def clear(self, prefix: str) -> None:
        """Remove all keys that begin with ``prefix``."""
        self._run("delete from item where substr(key, 1, ?) = ?", len(prefix), prefix)

    def close(self) -> None:
        """Close the file, after what a thread still does there: closing under it would crash the process."""
        with self._lock:
            self._db.close()


def open_cache(settings: Settings) -> SharedCache:
    """Open the cache named by ``CACHE_DRIVER``; raises BadSettings with what to install."""
    name = settings.cache_driver
    for point in entry_points(group=GROUP, name=name):
        made: SharedCache = point.load()(settings)
        return made
    raise BadSettings(f"CACHE_DRIVER '{name}' is not installed. Try: pip install trunkline-cache-{name}")
