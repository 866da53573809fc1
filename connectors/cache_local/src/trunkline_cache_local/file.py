"""Values in an SQLite file, shared by all workers of a machine."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from trunkline.threads import in_thread
from trunkline_cache.errors import too_large, unavailable
from trunkline_cache.store import Store

T = TypeVar("T")
_WRITES_PER_PURGE = 1000
# Seconds that a writer waits for another process.
_PATIENCE = 5.0
_PREPARE = (
    "pragma journal_mode=wal",
    "pragma synchronous=normal",
    "create table if not exists item (key text primary key, value blob, ends real) without rowid",
)
_PUT = "insert or replace into item values (?, ?, ?)"


class FileStore(Store):
    """A file; each change is a transaction."""

    def __init__(self, path: Path, prefix: str) -> None:
        """Remember the file, which is opened when first used, and what keys begin with."""
        self._path = path
        self._prefix = prefix
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None
        self._writes = 0

    async def get(self, key: str) -> bytes | None:
        """Answer a value."""

        def read(db: sqlite3.Connection) -> bytes | None:
            query = "select value from item where key = ? and (ends is null or ends > ?)"
            return _first(db.execute(query, (self._name(key), time.time())))

        return await in_thread(self._run, read)

    async def pull(self, key: str) -> bytes | None:
        """Answer a value and remove it, in one statement."""

        def take(db: sqlite3.Connection) -> bytes | None:
            query = "delete from item where key = ? and (ends is null or ends > ?) returning value"
            return _first(db.execute(query, (self._name(key), time.time())))

        return await in_thread(self._change, take)

    async def put(self, items: Mapping[str, bytes], ttl: float | None) -> None:
        """Store values."""
        await in_thread(self._change, lambda db: db.executemany(_PUT, self._rows(items, ttl)) and None)

    async def add(self, items: Mapping[str, bytes], ttl: float | None) -> list[str]:
        """Store all values or none."""

        def add(db: sqlite3.Connection) -> list[str]:
            now = time.time()
            query = "select 1 from item where key = ? and (ends is null or ends > ?)"
            held = [key for key in items if db.execute(query, (self._name(key), now)).fetchone()]
            if not held:
                db.executemany(_PUT, self._rows(items, ttl))
            return held

        return await in_thread(self._change, add)

    async def delete(self, key: str) -> bool:
        """Remove a key."""
        return await self.pull(key) is not None

    async def close(self) -> None:
        """Close the file, after what a thread still does there."""
        await in_thread(self._close)

    def _close(self) -> None:
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None

    def _name(self, key: str) -> str:
        # SQLite compares text as it is stored, and has no place for half characters.
        return (self._prefix + key).encode("utf-8", "replace").decode()

    def _rows(self, items: Mapping[str, bytes], ttl: float | None) -> list[tuple[str, bytes, float | None]]:
        ends = None if ttl is None else time.time() + ttl
        return [(self._name(key), value, ends) for key, value in items.items()]

    def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock, _translated():
            return work(self._connection())

    def _change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a change in a transaction of its own; what has expired leaves now and then."""
        with self._lock, _translated():
            db = self._connection()
            self._writes += 1
            db.execute("begin immediate")
            try:
                if self._writes % _WRITES_PER_PURGE == 1:
                    db.execute("delete from item where ends < ?", (time.time(),))
                answer = work(db)
                db.execute("commit")
            except BaseException:
                db.execute("rollback")
                raise
            return answer

    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            opened = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            try:
                self._path.chmod(0o600)
                for statement in _PREPARE:
                    opened.execute(statement)
            except BaseException:
                opened.close()
                raise
            self._open = opened
        return self._open


def _first(rows: sqlite3.Cursor) -> bytes | None:
    found = rows.fetchall()
    return bytes(found[0][0]) if found else None


@contextmanager
def _translated() -> Iterator[None]:
    """Tell in our words what goes wrong with the file."""
    try:
        yield
    except sqlite3.DataError as error:
        raise too_large() from error
    except (sqlite3.Error, OSError) as error:
        raise unavailable() from error
