"""The gateway's own shared cache on memcached: ``CACHE_DRIVER=memcached``.

What cannot hold: memcached forgets when it is full or is started anew, and then a revoked token counts again and a
counter begins anew. ``size`` counts all that is on the server.
"""

from __future__ import annotations

import contextlib
import random
import secrets
import time
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from trunkline import json
from trunkline.cache import Budget, SharedCache, Spent, spent
from trunkline.settings import Settings
from trunkline_cache.errors import unavailable
from trunkline_cache_memcached.cells import Cell, Cells

# Colons in a key at which its beginning can be cleared.
_DEPTH = 6
# Locks for spending, the seconds that one may be held, and those that are waited for one.
_STRIPES, _HELD, _PATIENCE = 256, 10.0, 2.0
_FOREVER = None


class MemcachedCache(SharedCache):
    """Keys on a memcached server that every node reaches.

    A value carries the generations of all beginnings of its key, and counts while these are the current ones: clearing
    a beginning only gives it a new generation. Raises Unavailable and GatewayTimeout while the server is away.
    """

    def __init__(self, settings: Settings) -> None:
        """Remember the server; it is connected to when first used."""
        # Cache services may be on the same server, and must not reach what is kept here.
        prefix = f"{settings.cache_prefix}shared:"
        self._cells = Cells(settings.cache_host, settings.cache_port or 11211, prefix)

    def get(self, key: str) -> Any:
        """Answer the value, or None when absent or expired."""
        held, generations = self._read([key])
        return _value(held.get(key), generations[key])

    def set(self, key: str, value: Any, ttl: float) -> None:
        """Store a value for ``ttl`` seconds."""
        self._cells.write(key, _packed(value, self._read([key])[1][key]), ttl)

    def add(self, key: str, value: Any, ttl: float) -> bool:
        """Store a value unless the key is there."""
        generations: list[str] = self._read([key])[1][key]

        def new(held: Cell | None) -> tuple[bytes, float] | None:
            if _value(held, generations) is not None:
                return None
            return _packed(value, generations), time.time() + ttl

        return self._cells.change(key, new)

    def increment(self, key: str, ttl: float) -> int:
        """Count one up."""
        return self._increment(key, ttl, self._read([key])[1][key]).count

    def _increment(self, key: str, ttl: float, generations: list[str]) -> Spent:
        last = Spent(0, 0.0)

        def new(held: Cell | None) -> tuple[bytes, float]:
            nonlocal last
            before = _window(held, generations)
            last = Spent(before[1] + 1, before[0]) if before else Spent(1, time.time() + ttl)
            return _packed(last.count, generations), last.ends

        self._cells.change(key, new)
        return last

    def spend(self, budgets: Sequence[Budget]) -> list[Spent]:
        """Count up while the locks of all budgets are held."""
        keys = [one.key for one in budgets]
        with self._locked(keys):
            held, generations = self._read(keys)
            now = time.time()
            windows = [_window(held.get(key), generations[key]) for key in keys]
            answer, counted = spent(budgets, windows, now)
            for place, budget in enumerate(budgets):
                new = counted.get(budget.key)
                if new is None:
                    continue
                packed = _packed(new.count, generations[budget.key])
                if not self._cells.swap(budget.key, held.get(budget.key), packed, new.ends):
                    # It was forgotten meanwhile, or counted by somebody who takes no locks.
                    answer[place] = self._increment(budget.key, budget.ttl, generations[budget.key])
            return answer

    def size(self) -> int:
        """Count the entries of the whole server, those that were cleared or have just expired with them."""
        return self._cells.count()

    def delete(self, key: str) -> None:
        """Remove a key."""
        self._cells.remove(key)

    def clear(self, prefix: str) -> None:
        """Remove all keys that begin with ``prefix``, which ends with one of their first colons; else ValueError."""
        if prefix not in _beginnings(prefix):
            raise ValueError(f"memcached can only clear what ends with one of the first {_DEPTH} colons, not {prefix}")
        self._cells.write(_generation(prefix), secrets.token_hex(8).encode(), _FOREVER)

    def close(self) -> None:
        """Close the connections."""
        self._cells.close()

    def _read(self, keys: Sequence[str]) -> tuple[dict[str, Cell], dict[str, list[str]]]:
        """Answer what is under keys, also what has ended, and the current generations of each; in one question."""
        names = {one for key in keys for one in _beginnings(key)}
        found = self._cells.read_many([*keys, *map(_generation, names)], ended=True)
        now = {name: cell.data.decode() if (cell := found.get(_generation(name))) else "" for name in names}
        return found, {key: [now[name] for name in _beginnings(key)] for key in keys}

    @contextlib.contextmanager
    def _locked(self, keys: Sequence[str]) -> Iterator[None]:
        """Hold the locks of keys, taken in one order by all; raises Unavailable when others hold one for too long."""
        stripes = sorted({zlib.crc32(key.encode("utf-8", "replace")) % _STRIPES for key in keys})
        names = [f"\0lock{stripe}" for stripe in stripes]
        held: list[str] = []
        began = time.monotonic()
        try:
            for name in names:
                while not self._cells.add(name, b"", _HELD):
                    if time.monotonic() - began > _PATIENCE:
                        raise unavailable()
                    time.sleep(random.uniform(0.0002, 0.002))  # noqa: S311 - only spreads the attempts
                held.append(name)
            yield
        finally:
            # One that may have ended could be somebody else's by now.
            if time.monotonic() - began < _HELD / 2:
                for name in held:
                    self._cells.remove(name)


def _beginnings(key: str) -> list[str]:
    """List the beginnings of a key that can be cleared: up to each of the first colons."""
    parts = key.split(":")[:-1][:_DEPTH]
    return [":".join(parts[: place + 1]) + ":" for place in range(len(parts))]


def _generation(beginning: str) -> str:
    return f"\0generation{beginning}"


def _packed(value: Any, generations: list[str]) -> bytes:
    return json.dumps([generations, value])


def _value(held: Cell | None, generations: list[str]) -> Any:
    if held is None or held.ends <= time.time():
        return None
    seen, value = json.loads(held.data)
    return value if seen == generations else None


def _window(held: Cell | None, generations: list[str]) -> tuple[float, int] | None:
    """Answer end and count of a counter that goes on."""
    count = _value(held, generations)
    return None if held is None or count is None else (held.ends, int(count))
