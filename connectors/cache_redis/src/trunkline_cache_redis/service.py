"""The type cache_redis: which server, and how to log in."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

from trunkline import Field, Secret
from trunkline_cache import CacheConfig, CacheService
from trunkline_cache_redis.store import RedisStore, Server

log = logging.getLogger(__name__)
_TLS_WORDS = frozenset({"tls", "rediss", "ssl"})
_OPTIONS = frozenset({"timeout", "read_write_timeout", "username", "scheme"})


class CacheRedisConfig(CacheConfig):
    """Configuration of Redis (connectors 6.4)."""

    after: ClassVar = ("options",)

    host: str = Field(default="127.0.0.1", min_length=1, title="Host", description="Name or address of the server.")
    port: int = Field(default=6379, ge=1, le=65535, title="Port", description="Its port.")
    password: Secret | None = Field(default=None, title="Password", description="Its password; empty for none.")
    database_index: int = Field(default=0, ge=0, title="Database Index", description="Number of the database.")
    options: dict[str, Any] | None = Field(
        default=None,
        title="Options",
        description="timeout and read_write_timeout (seconds), username, scheme (tls); others are ignored.",
    )


class CacheRedis(CacheService):
    """Values on a Redis server."""

    label = "Redis"
    description = "Keeps values on a Redis server, or on one that speaks its protocol."
    config: CacheRedisConfig

    def open_store(self) -> RedisStore:
        """Make the store; it connects when first used."""
        config, options = self.config, self.config.options or {}
        if unknown := sorted(set(options) - _OPTIONS):
            log.warning("options of service %s are ignored: %s", self.name, ", ".join(unknown))
        server = Server(
            host=config.host,
            port=config.port,
            database=config.database_index,
            username=str(options.get("username") or ""),
            password=config.password.get_secret_value() if config.password else "",
            tls=str(options.get("scheme", "")).lower() in _TLS_WORDS,
        )
        connect = _seconds(options.get("timeout"), server.connect)
        answer = _seconds(options.get("read_write_timeout"), server.answer)
        return RedisStore(server.within(connect, answer), self.prefix)


def _seconds(given: Any, usual: float) -> float:
    """Read a time-out; what is none, or below zero as where clients wait for ever, is the usual one."""
    try:
        found = float(given)
    except (TypeError, ValueError):
        return usual
    return found if 0 < found <= 60 else usual
