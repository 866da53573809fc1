"""Connections that are lent and come back, and the end of statements that nobody waits for any more."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from trunkline_database.sql.turns import Turns
from trunkline_mysql.connection import Connection

log = logging.getLogger(__name__)

# A connection that was idle for longer is asked whether it is still one: firewalls forget silently.
_IDLE_SECONDS = 30.0
_CLOSE_SECONDS = 2.0


class Pool:
    """Lends at most ``size`` connections at a time, made when needed; nobody waits longer than ``patience`` seconds."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], size: int, patience: float) -> None:
        """Take what makes a connection; nothing connects yet."""
        self._connect = connect
        self._turns = Turns(size, patience)
        self._idle: list[Connection] = []
        self._killing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def take(self) -> Connection:
        """Borrow a connection; raises SQLAlchemy's TimeoutError when all are in use for too long."""
        await self._turns.take()
        try:
            return await self._idle_one() or await self._connect()
        except BaseException:
            self._turns.give()
            raise

    def give(self, connection: Connection) -> None:
        """Take a connection back. One that was left in the middle of something is ended on the server as well."""
        if connection.is_fit and not self._closed:
            connection.used_at = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            running = connection.is_running
            connection.close()
            if running:
                # The slot is free once the server is: whoever leaves again and again costs no more than the others.
                task = asyncio.ensure_future(self._kill(connection.thread))
                self._killing.add(task)
                task.add_done_callback(self._killed)
                return
        self._turns.give()

    @contextlib.asynccontextmanager
    async def lent(self) -> AsyncIterator[Connection]:
        """Borrow a connection for the length of the block."""
        connection = await self.take()
        try:
            yield connection
        finally:
            self.give(connection)

    async def close(self) -> None:
        """Close what is idle now, and the rest when it comes back."""
        self._closed = True
        idle, self._idle = self._idle, []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                if self._killing:
                    await asyncio.wait(set(self._killing))
                for connection in idle:
                    await connection.leave()
        for connection in idle:
            connection.close()

    async def _idle_one(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fit and await self._answers(connection):
                return connection
            connection.close()
        return None

    async def _answers(self, connection: Connection) -> bool:
        if asyncio.get_running_loop().time() - connection.used_at < _IDLE_SECONDS:
            return True
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await connection.ping()
        except asyncio.CancelledError:
            connection.close()
            raise
        except Exception:
            return False
        return True

    async def _kill(self, thread: int) -> None:
        try:
            other = await self._connect()
            try:
                await other.say(f"KILL {thread}")
            finally:
                other.close()
        except Exception as error:
            # Most often it ended by itself in the meantime.
            log.info("a statement that was left could not be ended: %s", error)

    def _killed(self, task: asyncio.Task[None]) -> None:
        self._killing.discard(task)
        self._turns.give()
