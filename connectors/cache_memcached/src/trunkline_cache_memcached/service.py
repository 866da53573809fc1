"""The type cache_memcached: which server."""

from __future__ import annotations

from trunkline import Field
from trunkline_cache import CacheConfig, CacheService
from trunkline_cache_memcached.store import MemcachedStore


class CacheMemcachedConfig(CacheConfig):
    """Configuration of memcached (connectors 6.4)."""

    host: str = Field(default="127.0.0.1", min_length=1, title="Host", description="Name or address of the server.")
    port: int = Field(default=11211, ge=1, le=65535, title="Port", description="Its port.")


class CacheMemcached(CacheService):
    """Values on a memcached server."""

    label = "Memcached"
    description = "Keeps values on a memcached server, which forgets the oldest when it is full."
    config: CacheMemcachedConfig

    def open_store(self) -> MemcachedStore:
        """Make the store; it connects when first used."""
        return MemcachedStore(self.config.host, self.config.port, self.prefix)
