"""The gateway's own shared cache on Redis: ``CACHE_DRIVER=redis``. All methods are atomic, by commands and scripts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from trunkline import json
from trunkline.cache import Budget, SharedCache, Spent
from trunkline.settings import Settings
from trunkline_cache_redis.store import Server, milliseconds, translated

_SPECIAL = re.compile(rb"([*?\[\]\\^])")
_AT_ONCE = 1000
_INCREMENT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
"""
# ARGV: most and milliseconds of each key. Answers count and end (milliseconds) of each.
_SPEND = """
local counts, over = {}, false
for place, key in ipairs(KEYS) do
  counts[place] = tonumber(redis.call('GET', key) or '0')
  if counts[place] >= tonumber(ARGV[2 * place - 1]) then over = true end
end
local answer = {}
for place, key in ipairs(KEYS) do
  local count, lives = counts[place], ARGV[2 * place]
  if not over or count >= tonumber(ARGV[2 * place - 1]) then
    count = redis.call('INCR', key)
    if count == 1 then redis.call('PEXPIRE', key, lives) end
  end
  answer[#answer + 1] = count
  local ends = redis.pcall('PEXPIRETIME', key)
  if type(ends) ~= 'number' or ends < 0 then
    local now = redis.call('TIME')
    local left = redis.call('PTTL', key)
    if left < 0 then left = tonumber(lives) end
    ends = now[1] * 1000 + math.floor(now[2] / 1000) + left
  end
  answer[#answer + 1] = ends
end
return answer
"""


class RedisCache(SharedCache):
    """Keys on a Redis server that every node reaches; raises Unavailable and GatewayTimeout while that is away."""

    def __init__(self, settings: Settings) -> None:
        """Remember the server; it is connected to when first used."""
        from redis import BlockingConnectionPool, Redis
        from redis.retry import Retry

        server = Server(
            host=settings.cache_host,
            port=settings.cache_port or 6379,
            database=settings.cache_database,
            username=settings.cache_username,
            password=settings.cache_password.get_secret_value(),
        )
        # Cache services may be on the same server, and must not reach what is kept here.
        self._prefix = f"{settings.cache_prefix}shared:".encode()
        options = server.options()
        retry = Retry(options.pop("backoff")(), 0)
        pool: Any = BlockingConnectionPool  # has no annotations
        self._redis = Redis(connection_pool=pool(**options, retry=retry))

    def get(self, key: str) -> Any:
        """Answer the value, or None when absent or expired."""
        with translated():
            found: Any = self._redis.get(self._name(key))
        return None if found is None else json.loads(found)

    def set(self, key: str, value: Any, ttl: float) -> None:
        """Store a value for ``ttl`` seconds."""
        with translated():
            self._redis.set(self._name(key), json.dumps(value), px=milliseconds(ttl))

    def add(self, key: str, value: Any, ttl: float) -> bool:
        """Store a value unless the key is there."""
        with translated():
            return bool(self._redis.set(self._name(key), json.dumps(value), px=milliseconds(ttl), nx=True))

    def increment(self, key: str, ttl: float) -> int:
        """Count one up."""
        with translated():
            count: Any = self._redis.eval(_INCREMENT, 1, self._name(key), milliseconds(ttl))
        return int(count)

    def spend(self, budgets: Sequence[Budget]) -> list[Spent]:
        """Count up in one script."""
        names = [self._name(one.key) for one in budgets]
        bounds = [bound for one in budgets for bound in (one.most, milliseconds(one.ttl))]
        with translated():
            told: Any = self._redis.eval(_SPEND, len(names), *names, *bounds)
        return [Spent(int(told[at]), int(told[at + 1]) / 1000) for at in range(0, len(told), 2)]

    def size(self) -> int:
        """Count the entries, a thousand at a time."""
        with translated():
            return sum(1 for _ in self._named(b""))

    def delete(self, key: str) -> None:
        """Remove a key."""
        with translated():
            self._redis.delete(self._name(key))

    def clear(self, prefix: str) -> None:
        """Remove all keys that begin with ``prefix``, a thousand at a time."""
        with translated():
            some: list[bytes] = []
            for name in self._named(prefix.encode()):
                some.append(name)
                if len(some) == _AT_ONCE:
                    self._redis.unlink(*some)
                    some = []
            if some:
                self._redis.unlink(*some)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()
        self._redis.connection_pool.disconnect()

    def _name(self, key: str) -> bytes:
        return self._prefix + key.encode("utf-8", "surrogatepass")

    def _named(self, prefix: bytes) -> Any:
        pattern = _SPECIAL.sub(rb"\\\1", self._prefix + prefix) + b"*"
        return self._redis.scan_iter(match=pattern, count=_AT_ONCE)
