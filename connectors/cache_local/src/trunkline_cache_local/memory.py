"""Values in the memory of this process, within bounds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import inf

from cachetools import TLRUCache

from trunkline_cache.errors import too_large
from trunkline_cache.store import Store

# Bytes of all values; those that nobody has asked for the longest make room.
_MOST = 64 * 2**20
# Bytes that an entry costs beside its key and value.
_EACH = 200


class MemoryStore(Store):
    """A dictionary whose entries expire; all calls come from one event loop and none waits, so each is atomic."""

    def __init__(self, most: int = _MOST) -> None:
        """Start empty, with room for so many bytes."""
        self._items: TLRUCache[str, tuple[bytes, float, int]] = TLRUCache(
            maxsize=most,
            ttu=lambda _key, held, now: now + held[1],
            timer=time.monotonic,
            getsizeof=lambda held: held[2],
        )

    async def get(self, key: str) -> bytes | None:
        """Answer a value."""
        held = self._items.get(key)
        return held[0] if held is not None else None

    async def pull(self, key: str) -> bytes | None:
        """Answer a value and remove it."""
        held = self._items.pop(key, None)
        return held[0] if held is not None else None

    async def put(self, items: Mapping[str, bytes], ttl: float | None) -> None:
        """Store values; raises TooLarge for what has no room, and then stores none."""
        sizes = [len(key) + len(value) + _EACH for key, value in items.items()]
        if sum(sizes) > self._items.maxsize:
            raise too_large()
        for (key, value), size in zip(items.items(), sizes, strict=True):
            self._items[key] = (value, inf if ttl is None else ttl, size)

    async def add(self, items: Mapping[str, bytes], ttl: float | None) -> list[str]:
        """Store all values or none."""
        if held := [key for key in items if key in self._items]:
            return held
        await self.put(items, ttl)
        return []

    async def delete(self, key: str) -> bool:
        """Remove a key."""
        return self._items.pop(key, None) is not None
