"""A cache on the gateway's own machine."""

from trunkline_cache_local.service import CacheLocal, CacheLocalConfig

__all__ = ["CacheLocal", "CacheLocalConfig"]
