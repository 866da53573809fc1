"""A memcached server as a store, in threads of its own: one that hangs must not hold those of all services."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from trunkline_cache.errors import too_slow
from trunkline_cache.store import Store
from trunkline_cache_memcached.cells import Cells

T = TypeVar("T")
_THREADS = 8
# Seconds that a call may take, with waiting in line.
_ALL = 6.0


class MemcachedStore(Store):
    """A memcached server."""

    def __init__(self, host: str, port: int, prefix: str) -> None:
        """Remember the server and what keys begin with."""
        self._cells = Cells(host, port, prefix)
        self._threads: ThreadPoolExecutor | None = None

    async def get(self, key: str) -> bytes | None:
        """Answer a value."""
        cell = await self._run(lambda: self._cells.read(key))
        return None if cell is None else cell.data

    async def pull(self, key: str) -> bytes | None:
        """Answer a value and remove it."""
        return await self._run(lambda: self._cells.take(key))

    async def put(self, items: Mapping[str, bytes], ttl: float | None) -> None:
        """Store values, one after the other."""

        def put() -> None:
            for key, value in items.items():
                self._cells.write(key, value, ttl)

        await self._run(put)

    async def add(self, items: Mapping[str, bytes], ttl: float | None) -> list[str]:
        """Store all values or none; memcached takes one key at a time, so others may see the first for a moment."""

        def add() -> list[str]:
            if held := [key for key in items if self._cells.read(key) is not None]:
                return held
            added: list[str] = []
            for key, value in items.items():
                if not self._cells.add(key, value, ttl):
                    for one in added:
                        self._cells.take(one)
                    return [key]
                added.append(key)
            return []

        return await self._run(add)

    async def delete(self, key: str) -> bool:
        """Remove a key."""
        return await self.pull(key) is not None

    async def close(self) -> None:
        """Close the connections, once the threads are done with them."""
        if self._threads is not None:
            threads, self._threads = self._threads, None
            await asyncio.to_thread(threads.shutdown)
        self._cells.close()

    async def _run(self, work: Callable[[], T]) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="memcached")
        try:
            async with asyncio.timeout(_ALL):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError as error:
            raise too_slow() from error
