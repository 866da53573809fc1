"""Cache services: values under keys, for a while (connectors 6)."""

from trunkline_cache.service import CacheConfig, CacheService
from trunkline_cache.store import Store

__all__ = ["CacheConfig", "CacheService", "Store"]
