"""Transactions for engines that have none: what was there before each write is kept, and put back when it fails.

That is the best that can be done, and no more: others see what is written before the end, what they write meanwhile to
the same records is lost when those are put back, and a process that dies in the middle puts nothing back.
"""

from __future__ import annotations

import contextlib
import logging
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from trunkline_database.filters import Node
from trunkline_database.model import Column, Table
from trunkline_database.plan import Select
from trunkline_database.store import Row, Store, Transaction

log = logging.getLogger(__name__)


class CompensatingStore(Store):
    """A store whose transactions are compensated; an engine says how records are kept, put back and taken out."""

    @abstractmethod
    async def keep(self, table: Table, where: Node | None) -> list[Any]:
        """Read the records that match, whole and as the engine has them; raises BadRequest for too many."""

    @abstractmethod
    async def put_back(self, table: Table, kept: Sequence[Any]) -> None:
        """Store records as they were kept, whatever has become of them."""

    @abstractmethod
    async def take_out(self, table: Table, rows: Sequence[Row]) -> None:
        """Delete records that were inserted, known by the columns of the primary key."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a compensated transaction."""
        return compensated(self)


@contextlib.asynccontextmanager
async def compensated(store: CompensatingStore) -> AsyncIterator[CompensatingTransaction]:
    """Open a transaction that undoes its writes when it raises."""
    transaction = CompensatingTransaction(store)
    async with transaction.savepoint():
        yield transaction


class CompensatingTransaction(Transaction):
    """Writes at once, and remembers how to undo it."""

    def __init__(self, store: CompensatingStore) -> None:
        """Remember nothing yet."""
        self._store = store
        self._undo: list[Callable[[], Awaitable[None]]] = []
        self.checks = store.checks

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Open a part that is undone alone when it raises."""
        before = len(self._undo)
        try:
            yield
        except BaseException:
            await self._undone(before)
            raise

    async def _undone(self, before: int) -> None:
        while len(self._undo) > before:
            try:
                await self._undo.pop()()
            except Exception:
                log.exception("a write could not be undone")

    async def select(self, plan: Select) -> list[Row]:
        """Read rows."""
        return await self._store.select(plan)

    async def count(self, plan: Select) -> int:
        """Count rows, or groups."""
        return await self._store.count(plan)

    async def insert(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        returning: Sequence[Column],
        check: Node | None = None,
    ) -> list[Row]:
        """Insert rows; undone by their keys."""
        known = tuple(dict.fromkeys((*returning, *table.primary_key)))
        made = await self._store.insert(table, rows, known, check)
        self._undo.append(lambda: self._store.take_out(table, made))
        return made

    async def update(
        self, table: Table, where: Node | None, values: Mapping[str, Any], check: Node | None = None
    ) -> int:
        """Change rows; undone by what they were."""
        kept = await self._store.keep(table, where)
        self._undo.append(lambda: self._store.put_back(table, kept))
        return await self._store.update(table, where, values, check)

    async def replace(self, table: Table, where: Node | None, values: Mapping[str, Any]) -> int:
        """Replace rows; undone by what they were."""
        kept = await self._store.keep(table, where)
        self._undo.append(lambda: self._store.put_back(table, kept))
        return await self._store.replace(table, where, values)

    async def delete(self, table: Table, where: Node | None) -> int:
        """Delete rows; undone by what they were."""
        kept = await self._store.keep(table, where)
        self._undo.append(lambda: self._store.put_back(table, kept))
        return await self._store.delete(table, where)
