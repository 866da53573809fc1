"""The driver's cluster, asked from asyncio: its futures call back, so no query needs a thread."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cachetools import LRUCache

from trunkline.threads import in_thread, in_thread_unattended
from trunkline_cassandra.errors import translated

# Statements of one service under way at once; more wait in line.
MOST_AT_ONCE = 256
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the cluster is and how to talk to it; secrets are not shown."""

    hosts: tuple[str, ...]
    port: int
    username: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None
    consistency: str
    datacenter: str | None
    connect_timeout: float
    timeout: float


class Connection:
    """One cluster with a session; both are made when first needed, and anew after that or all nodes failed."""

    def __init__(self, settings: Settings) -> None:
        """Remember the settings; nothing connects yet."""
        self.settings = settings
        self._cluster: Any = None
        self._session: Any = None
        self._opening: asyncio.Future[Any] | None = None
        self._prepared: LRUCache[str, asyncio.Future[Any]] = LRUCache(_REMEMBERED)
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def execute(self, text: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and answer all its rows; raises the typed errors."""
        rows: list[tuple[Any, ...]] = []
        async for part in self.pages(text, values, 5000):
            rows += part
        return rows

    async def pages(self, text: str, values: Sequence[Any], size: int) -> AsyncGenerator[list[tuple[Any, ...]], None]:
        """Run a statement and answer its rows as they come, ``size`` at a time; the driver keeps its paging state."""
        with translated():
            session = await self._opened()
            with self._abandoning(session):
                statement = (await self._prepare(session, text)).bind(values)
                statement.fetch_size = size
                async with self._turns:
                    answer = session.execute_async(statement)
                    rows = await _answered(answer)
                yield rows
                while answer.has_more_pages:
                    async with self._turns:
                        rows = await _answered(answer, again=True)
                    yield rows

    async def define(self, text: str) -> None:
        """Change structure; the driver waits until all nodes agree on it."""
        from cassandra.query import SimpleStatement

        with translated("define"):
            session = await self._opened()
            with self._abandoning(session):
                await _answered(session.execute_async(SimpleStatement(text)))
        self.forget()

    def forget(self) -> None:
        """Forget the prepared statements: their tables are others now."""
        self._prepared.clear()

    def texts(self) -> list[str]:
        """List the texts that are prepared, for whoever wants to see what is in them."""
        return list(self._prepared)

    async def close(self) -> None:
        """Close all connections."""
        if self._opening is not None:
            await asyncio.wait([self._opening])
        cluster, self._cluster, self._session = self._cluster, None, None
        if cluster is not None:
            await in_thread(cluster.shutdown)

    async def _prepare(self, session: Any, text: str) -> Any:
        known = self._prepared.get(text)
        if known is None:
            known = self._prepared[text] = asyncio.ensure_future(in_thread(session.prepare, text))
        try:
            return await asyncio.shield(known)
        except asyncio.CancelledError:
            raise
        except Exception:
            if self._prepared.get(text) is known:
                del self._prepared[text]
            raise

    async def _opened(self) -> Any:
        """Answer the session; whoever needs it while it is being made waits for the same attempt."""
        if self._session is not None:
            return self._session
        if self._opening is None:
            self._opening = asyncio.ensure_future(in_thread(open_cluster, self.settings))
            self._opening.add_done_callback(self._keep)
        _, session = await asyncio.shield(self._opening)
        return session

    def _keep(self, opening: asyncio.Future[Any]) -> None:
        self._opening = None
        if not opening.cancelled() and opening.exception() is None:
            self._prepared.clear()
            self._cluster, self._session = opening.result()

    @contextlib.contextmanager
    def _abandoning(self, session: Any) -> Iterator[None]:
        """Give a session up with which no node can be reached, so that the next statement connects anew.

        The driver would find nodes that come back only when it looks for them again.
        """
        from cassandra.cluster import NoHostAvailable

        try:
            yield
        except NoHostAvailable:
            if self._session is session:
                cluster, self._cluster, self._session = self._cluster, None, None
                in_thread_unattended(cluster.shutdown)
            raise


def open_cluster(settings: Settings) -> tuple[Any, Any]:
    """Connect, which blocks; what was begun is ended when it fails."""
    from cassandra import ConsistencyLevel
    from cassandra.auth import PlainTextAuthProvider
    from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
    from cassandra.policies import ConstantReconnectionPolicy, DCAwareRoundRobinPolicy, TokenAwarePolicy
    from cassandra.query import tuple_factory

    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(settings.datacenter or "")),
        consistency_level=ConsistencyLevel.name_to_value[settings.consistency],
        request_timeout=settings.timeout,
        row_factory=tuple_factory,
    )
    login = None
    if settings.username:
        login = PlainTextAuthProvider(settings.username, settings.password or "")
    cluster = Cluster(
        list(settings.hosts),
        port=settings.port,
        auth_provider=login,
        ssl_context=settings.tls,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=settings.connect_timeout,
        control_connection_timeout=settings.connect_timeout,
        # A node that comes back is found within a second.
        reconnection_policy=ConstantReconnectionPolicy(1.0, max_attempts=None),
    )
    try:
        return cluster, cluster.connect()
    except BaseException:
        cluster.shutdown()
        raise


async def _answered(answer: Any, *, again: bool = False) -> list[tuple[Any, ...]]:
    """Wait for the rows of a page; the driver's thread only passes them on."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[list[tuple[Any, ...]]] = loop.create_future()

    def settle(rows: Any, error: BaseException | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
            loop.call_soon_threadsafe(_settle, waiting, rows, error)

    answer.clear_callbacks()
    if again:
        # Callbacks that are there already would be called for the page before.
        answer.start_fetching_next_page()
    answer.add_callbacks(lambda rows: settle(rows, None), lambda error: settle(None, error))
    return await waiting


def _settle(waiting: asyncio.Future[Any], rows: Any, error: BaseException | None) -> None:
    if waiting.done():
        return  # whoever waited has left
    if error is not None:
        waiting.set_exception(error)
    else:
        waiting.set_result(list(rows or ()))
