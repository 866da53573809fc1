"""Values with the moment of their end, on memcached through pymemcache.

Memcached counts in whole seconds of a clock of its own, so the end stands before the value, and is judged here. What
depends on what is there is changed by compare-and-swap.
"""

from __future__ import annotations

import hashlib
import math
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trunkline_cache.errors import refused, too_large, too_slow, unavailable

if TYPE_CHECKING:
    from pymemcache.client.base import PooledClient

_CONNECT, _ANSWER = 2.0, 3.0
# Stale connections that may be met before one is new, and rounds in which others may be faster.
_STALE, _ROUNDS = 40, 200
_LONGEST_NAME = 200
_END = struct.Struct(">d")
# Beyond these seconds memcached takes a lifetime for a date; dates are 32 bits.
_MONTH, _LAST = 30 * 86400, 2**31 - 1


@dataclass(frozen=True, slots=True)
class Cell:
    """What is under a key: the data, when it ends (epoch), and by what it is swapped."""

    data: bytes
    ends: float
    token: bytes


class Cells:
    """Values under keys of any text; methods block. Raises the errors of ``trunkline_cache.errors``."""

    def __init__(self, host: str, port: int, prefix: str) -> None:
        """Remember the server, which is connected to when first used, and what keys begin with."""
        self._server = (host, port)
        self._prefix = prefix
        self._made: PooledClient | None = None

    def name(self, key: str) -> bytes:
        """Write a key as memcached takes it: at most 250 bytes without spaces; longer ones by their digest."""
        plain = self._prefix + "k:" + key
        if len(plain) <= _LONGEST_NAME and plain.isascii() and plain.isprintable() and " " not in plain:
            return plain.encode()
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        short = self._prefix if self._prefix.isascii() and len(self._prefix) < 100 else ""
        return f"{''.join(short.split())}h:{digest}".encode()

    def read(self, key: str) -> Cell | None:
        """Answer what has not ended."""
        return self.read_many([key]).get(key)

    def read_many(self, keys: Sequence[str], *, ended: bool = False) -> dict[str, Cell]:
        """Answer what is there, at once; with ``ended`` also what only waits for being replaced."""
        names = {self.name(key): key for key in keys}
        found = self._call(lambda client: client.gets_many(list(names)))
        now = time.time()
        cells = {}
        for name, (value, token) in found.items():
            if len(value) >= _END.size:
                (ends,) = _END.unpack_from(value)
                if ended or ends > now:
                    cells[names[name]] = Cell(value[_END.size :], ends, token)
        return cells

    def write(self, key: str, data: bytes, ttl: float | None) -> None:
        """Store a value, whatever is there."""
        ends = _end(ttl)
        self._call(
            lambda client: client.set(self.name(key), _END.pack(ends) + data, expire=_expiry(ends), noreply=False)
        )

    def add(self, key: str, data: bytes, ttl: float | None) -> bool:
        """Store a value unless one is there that has not ended."""
        return self.change(key, lambda cell: None if cell is not None else (data, _end(ttl)))

    def change(self, key: str, answer: Callable[[Cell | None], tuple[bytes, float] | None]) -> bool:
        """Replace what is there by what ``answer`` makes of it, which may be asked again; False where that is None."""
        for _ in range(_ROUNDS):
            held = self.read_many([key], ended=True).get(key)
            new = answer(held if held is not None and held.ends > time.time() else None)
            if new is None:
                return False
            if self.swap(key, held, *new):
                return True
        raise unavailable()

    def swap(self, key: str, held: Cell | None, data: bytes, ends: float) -> bool:
        """Store a value if what is there is still ``held``; say whether it was."""
        value, expiry = _END.pack(ends) + data, _expiry(ends)
        if held is None:
            return bool(
                self._call(lambda client: client.add(self.name(key), value, expire=expiry, noreply=False), again=False)
            )
        return bool(
            self._call(
                lambda client: client.cas(self.name(key), value, held.token, expire=expiry, noreply=False), again=False
            )
        )

    def take(self, key: str) -> bytes | None:
        """Answer a value and remove it; only one gets it."""
        for _ in range(_ROUNDS):
            held = self.read(key)
            if held is None:
                return None
            # What has ended before it is stored is gone at once.
            cas = self._cas_gone(key, held)
            if cas:
                return held.data
        raise unavailable()

    def _cas_gone(self, key: str, held: Cell) -> bool:
        return bool(
            self._call(
                lambda client: client.cas(self.name(key), b"", held.token, expire=-1, noreply=False), again=False
            )
        )

    def remove(self, key: str) -> None:
        """Remove a key."""
        self._call(lambda client: client.delete(self.name(key), noreply=False))

    def count(self) -> int:
        """Count all entries of the server, as far as it has noticed that some have ended."""
        return int(self._call(lambda client: client.stats())[b"curr_items"])

    def close(self) -> None:
        """Close the connections."""
        if self._made is not None:
            self._made.close()
            self._made = None

    def _call(self, work: Callable[[PooledClient], Any], *, again: bool = True) -> Any:
        """Run a command; on a connection that was closed meanwhile it is sent again on another one.

        Not where it is told apart by a token, which a server that was started anew could give to something else.
        """
        from pymemcache.exceptions import MemcacheUnexpectedCloseError

        lost = (MemcacheUnexpectedCloseError, BrokenPipeError, ConnectionResetError)
        with _translated():
            client = self._client()
            for _ in range(_STALE if again else 0):
                try:
                    return work(client)
                except lost:
                    continue
            return work(client)

    def _client(self) -> PooledClient:
        if self._made is None:
            from pymemcache.client.base import PooledClient

            self._made = PooledClient(
                self._server, connect_timeout=_CONNECT, timeout=_ANSWER, no_delay=True, default_noreply=False
            )
        return self._made


def _end(ttl: float | None) -> float:
    return math.inf if ttl is None else time.time() + ttl


def _expiry(ends: float) -> int:
    """Answer when memcached may let go of a value: a little after its end."""
    if ends == math.inf:
        return 0
    seconds = max(1, math.ceil(ends - time.time()) + 1)
    return seconds if seconds < _MONTH else min(math.ceil(ends) + 1, _LAST)


@contextmanager
def _translated() -> Iterator[None]:
    """Tell in our words what goes wrong on the way or on the server (D10)."""
    from pymemcache.exceptions import MemcacheError, MemcacheServerError, MemcacheUnexpectedCloseError

    try:
        yield
    except TimeoutError as error:
        raise too_slow() from error
    except (MemcacheUnexpectedCloseError, OSError) as error:
        raise unavailable() from error
    except MemcacheServerError as error:
        raise (too_large() if b"too large" in error.args[0] else unavailable()) from error
    except (MemcacheError, ValueError) as error:
        raise refused() from error
