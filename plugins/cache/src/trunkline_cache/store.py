"""Store: what a cache service needs of what is behind it; connectors implement it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping


class Store(ABC):
    """Values under keys, for ``ttl`` seconds, or for ever where that is None.

    Keys are text with any characters, values any bytes. Raises the errors of ``trunkline_cache.errors``.
    """

    @abstractmethod
    async def get(self, key: str) -> bytes | None:
        """Answer a value, or None where there is none."""

    @abstractmethod
    async def pull(self, key: str) -> bytes | None:
        """Answer a value and remove it; only one of those who ask at once gets it."""

    @abstractmethod
    async def put(self, items: Mapping[str, bytes], ttl: float | None) -> None:
        """Store values, whatever is there."""

    @abstractmethod
    async def add(self, items: Mapping[str, bytes], ttl: float | None) -> list[str]:
        """Store all values unless one of the keys is there; answer those that are. One at a time wins a key."""

    @abstractmethod
    async def delete(self, key: str) -> bool:
        """Remove a key; say whether it was there."""

    async def close(self) -> None:
        """Let go of connections."""
        return
