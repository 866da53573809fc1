"""A Redis server as a store, through redis-py; each change is one command or one script, so it is atomic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from trunkline.errors import TrunklineError
from trunkline_cache.errors import refused, too_large, too_slow, unavailable
from trunkline_cache.store import Store

if TYPE_CHECKING:
    from redis.asyncio import Redis

_CONNECTIONS = 50
# ARGV: milliseconds (0 for ever), then the values of KEYS. Answers the places of keys that are there.
_ADD = """
local held = {}
for place, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 1 then held[#held + 1] = place end
end
if #held > 0 then return held end
for place, key in ipairs(KEYS) do
  if ARGV[1] == '0' then redis.call('SET', key, ARGV[place + 1])
  else redis.call('SET', key, ARGV[place + 1], 'PX', ARGV[1]) end
end
return held
"""
_PULL = "local value = redis.call('GET', KEYS[1]); redis.call('DEL', KEYS[1]); return value"


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is, and how long to wait for a connection and for an answer; the password is not shown."""

    host: str
    port: int = 6379
    database: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    connect: float = 3.0
    answer: float = 5.0

    def within(self, connect: float, answer: float) -> Self:
        """Answer the same server with other time-outs."""
        return replace(self, connect=connect, answer=answer)

    def options(self) -> dict[str, Any]:
        """Answer what redis-py's pools take.

        Nothing is tried twice: what an unanswered command has done nobody knows. A connection that the server has
        closed is noticed before it is used.
        """
        from redis.backoff import NoBackoff

        return {
            "host": self.host, "port": self.port, "db": self.database, "username": self.username or None,
            "password": self.password or None, "socket_connect_timeout": self.connect, "socket_timeout": self.answer,
            "max_connections": _CONNECTIONS, "timeout": self.answer, "protocol": 2, "backoff": NoBackoff,
        }  # fmt: skip


class RedisStore(Store):
    """A database of a Redis server."""

    def __init__(self, server: Server, prefix: str) -> None:
        """Remember the server and what keys begin with."""
        self._server = server
        self._prefix = prefix
        self._made: Redis | None = None

    async def get(self, key: str) -> bytes | None:
        """Answer a value."""
        with translated():
            return _bytes(await self._client().get(self._name(key)))

    async def pull(self, key: str) -> bytes | None:
        """Answer a value and remove it."""
        with translated():
            return _bytes(await self._client().eval(_PULL, 1, self._name(key)))

    async def put(self, items: Mapping[str, bytes], ttl: float | None) -> None:
        """Store values, several in a transaction."""
        with translated():
            async with self._client().pipeline(transaction=True) as pipeline:
                for key, value in items.items():
                    pipeline.set(self._name(key), value, px=milliseconds(ttl) or None)
                await pipeline.execute()

    async def add(self, items: Mapping[str, bytes], ttl: float | None) -> list[str]:
        """Store all values or none."""
        keys = list(items)
        with translated():
            names = list(map(self._name, keys))
            places = await self._client().eval(_ADD, len(names), *names, milliseconds(ttl), *items.values())
        return [keys[int(place) - 1] for place in places]

    async def delete(self, key: str) -> bool:
        """Remove a key."""
        with translated():
            return bool(await self._client().delete(self._name(key)))

    async def close(self) -> None:
        """Close the connections."""
        if self._made is not None:
            await self._made.aclose()
            await self._made.connection_pool.disconnect()
            self._made = None

    def _name(self, key: str) -> bytes:
        return (self._prefix + key).encode("utf-8", "surrogatepass")

    def _client(self) -> Redis:
        if self._made is None:
            from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
            from redis.asyncio.retry import Retry

            options = self._server.options()
            retry = Retry(options.pop("backoff")(), 0)
            if self._server.tls:
                options["connection_class"] = SSLConnection
            self._made = Redis(connection_pool=BlockingConnectionPool(**options, retry=retry))
        return self._made


def milliseconds(ttl: float | None) -> int:
    """Write a lifetime as Redis takes it; 0 for ever."""
    return 0 if ttl is None else max(1, round(ttl * 1000))


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


@contextmanager
def translated() -> Iterator[None]:
    """Tell in our words what goes wrong on the way or on the server (D10)."""
    import redis

    try:
        yield
    except redis.RedisError as error:
        raise _told(error) from error
    except TimeoutError as error:
        raise too_slow() from error
    except OSError as error:
        raise unavailable() from error


def _told(error: Exception) -> TrunklineError:
    from redis import exceptions

    if isinstance(error, exceptions.TimeoutError):
        return too_slow()
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
        return refused()
    if isinstance(error, exceptions.ConnectionError | exceptions.OutOfMemoryError | exceptions.ReadOnlyError):
        return unavailable()
    if "string exceeds maximum" in str(error):
        return too_large()
    return refused()
