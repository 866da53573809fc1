"""Memcached as a cache service; ``shared`` is the gateway's own cache on it."""

from trunkline_cache_memcached.service import CacheMemcached, CacheMemcachedConfig

__all__ = ["CacheMemcached", "CacheMemcachedConfig"]
