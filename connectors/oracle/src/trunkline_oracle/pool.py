"""Connections that are lent and come back, and the end of statements that nobody waits for any more.

The driver has a pool of its own, which makes its connections one after another and waits for each as long as it takes:
behind a listener that accepts and then says nothing, it never makes another (tried with 26.1).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from trunkline_database.sql.turns import Turns

log = logging.getLogger(__name__)

# A connection that was idle for longer is asked whether it is still one: firewalls forget silently.
_IDLE_SECONDS = 30.0
_GRACE_SECONDS = 2.0


class Pool:
    """Lends at most ``size`` connections at a time, made when needed; nobody waits longer than ``patience`` seconds."""

    def __init__(self, connect: Callable[[], Awaitable[Any]], size: int, patience: float) -> None:
        """Take what makes a connection; nothing connects yet."""
        self._connect = connect
        self._turns = Turns(size, patience)
        self._idle: list[tuple[Any, float]] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    @contextlib.asynccontextmanager
    async def lent(self) -> AsyncIterator[Any]:
        """Borrow a connection; raises SQLAlchemy's TimeoutError when all are in use for too long."""
        connection = await self._take()
        try:
            yield connection
        except asyncio.CancelledError:
            # Nobody knows what the server is at: it is told to stop, and whoever left goes on meanwhile.
            self._leave(connection)
            raise
        except BaseException:
            self._give(connection)
            raise
        self._give(connection)

    async def close(self) -> None:
        """Close what is idle now, and the rest when it comes back."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection, _ in idle:
            self._end(connection, cancel=False)
        if self._leaving:
            await asyncio.wait(set(self._leaving))

    async def _take(self) -> Any:
        await self._turns.take()
        try:
            return await self._idle_one() or await self._connect()
        except BaseException:
            self._turns.give()
            raise

    def _give(self, connection: Any) -> None:
        """Take a connection back, unless it is lost or in the middle of a transaction that could not be ended."""
        if self._closed or not connection.is_healthy() or connection.transaction_in_progress:
            self._end(connection, cancel=False)
        else:
            self._idle.append((connection, asyncio.get_running_loop().time()))
        self._turns.give()

    def _leave(self, connection: Any) -> None:
        # The slot is free once the server is: whoever leaves again and again costs no more than the others.
        task = self._end(connection, cancel=True)
        task.add_done_callback(lambda _: self._turns.give())

    async def _idle_one(self) -> Any:
        while self._idle:
            connection, since = self._idle.pop()
            if connection.is_healthy() and await self._answers(connection, since):
                return connection
            self._end(connection, cancel=False)
        return None

    async def _answers(self, connection: Any, since: float) -> bool:
        if asyncio.get_running_loop().time() - since < _IDLE_SECONDS:
            return True
        # The driver's own stop-watch: what asyncio's would cancel, the driver ends by waiting for the server.
        allowed, connection.call_timeout = connection.call_timeout, int(_GRACE_SECONDS * 1000)
        try:
            await connection.ping()
        except asyncio.CancelledError:
            self._end(connection, cancel=True)
            raise
        except Exception:
            return False
        connection.call_timeout = allowed
        return True

    def _end(self, connection: Any, *, cancel: bool) -> asyncio.Task[None]:
        task = asyncio.ensure_future(_ended(connection, cancel))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return task


async def _ended(connection: Any, cancel: bool) -> None:
    """Close a connection, which rolls back what was not committed; roughly where a statement was left."""
    try:
        if cancel:
            connection.cancel()
            connection.terminate()
            return
        closing = asyncio.ensure_future(connection.close())
        done, _ = await asyncio.wait({closing}, timeout=_GRACE_SECONDS)
        if done:
            closing.result()
        else:
            closing.cancel()
    except Exception as error:
        # Most often it was lost already.
        log.info("a connection could not be closed properly: %s", type(error).__name__)
