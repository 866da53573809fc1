"""Redis as a cache service; ``shared`` is the gateway's own cache on it."""

from trunkline_cache_redis.service import CacheRedis, CacheRedisConfig

__all__ = ["CacheRedis", "CacheRedisConfig"]
