"""Lists of records where some may fail: stop, carry on, or undo everything (database-api 10)."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NoReturn, TypeVar

from trunkline.errors import BadRequest, BatchError, TrunklineError
from trunkline_database.params import Query
from trunkline_database.store import Row, Store, Transaction

T = TypeVar("T")
# A failure of the server is not one record's: it fails the request.
SERVER_FAULT = 500


def check(query: Query) -> None:
    """Refuse modes that exclude each other."""
    if query.proceed and query.rollback:
        raise BadRequest("Rollback and continue operations can not be requested at the same time.")


def collect(items: Iterable[T], step: Callable[[T], Row], query: Query, word: str) -> list[Row]:
    """Take a step for each item that changes nothing; raises BatchError when some failed."""
    check(query)
    results = _Results()
    for item in items:
        try:
            results.add(step(item))
        except TrunklineError as error:
            results.fail(error)
            if not query.proceed:
                break
    return results.done(word)


def fail_first(error: TrunklineError, query: Query, word: str) -> NoReturn:
    """Raise what it means that the only record failed: a BatchError, or the server's fault as it is."""
    results = _Results()
    results.fail(error)
    results.done(word, " All changes rolled back." if query.rollback else "")
    raise error


async def write(
    store: Store,
    items: Sequence[T],
    step: Callable[[Transaction, T], Awaitable[Row]],
    query: Query,
    word: str,
    together: Callable[[Transaction, Sequence[T]], Awaitable[list[Row]]] | None = None,
) -> list[Row]:
    """Write each item in turn; raises BatchError when some failed, with what the mode asks for undone.

    First all are tried ``together``, which costs least; only when that fails, one by one to learn which. By default
    what stands before a failure stays written, so the failing part alone is undone. It is one transaction in any mode:
    whoever kills the process in the middle leaves nothing half done. Only where parts cannot be undone alone, each is a
    transaction of its own unless all of them stand or fall together.
    """
    check(query)
    if together is not None and len(items) > 1:
        try:
            async with store.transaction() as transaction:
                return await together(transaction, items)
        except TrunklineError as error:
            if error.status >= SERVER_FAULT:
                raise
    if not store.savepoints:
        return await _write_without_savepoints(store, items, step, query, word)
    results = _Results()
    try:
        async with store.transaction() as transaction:
            for item in items:
                try:
                    async with transaction.savepoint():
                        results.add(await step(transaction, item))
                except TrunklineError as error:
                    results.fail(error)
                    if not query.proceed:
                        break
            if query.rollback and results.failed:
                raise _Undo
    except _Undo:
        return results.done(word, " All changes rolled back.")
    return results.done(word)


async def _write_without_savepoints(
    store: Store, items: Sequence[T], step: Callable[[Transaction, T], Awaitable[Row]], query: Query, word: str
) -> list[Row]:
    results = _Results()
    if query.rollback:
        with contextlib.suppress(_Undo):
            async with store.transaction() as transaction:
                for item in items:
                    try:
                        results.add(await step(transaction, item))
                    except TrunklineError as error:
                        results.fail(error)
                        raise _Undo from error
        return results.done(word, " All changes rolled back.")
    for item in items:
        try:
            async with store.transaction() as transaction:
                results.add(await step(transaction, item))
        except TrunklineError as error:
            results.fail(error)
            if not query.proceed:
                break
    return results.done(word)


class _Undo(Exception):
    """Leave the transaction without its changes."""


class _Results:
    """Results in order, and which of them are failures."""

    def __init__(self) -> None:
        self.failed: list[int] = []
        self._entries: list[Row] = []

    def add(self, row: Row) -> None:
        self._entries.append(row)

    def fail(self, error: TrunklineError) -> None:
        if error.status >= SERVER_FAULT:
            raise error
        self.failed.append(len(self._entries))
        self._entries.append(error.entry())

    def done(self, word: str, more: str = "") -> list[Row]:
        if self.failed:
            raise BatchError(
                f"Batch Error: Not all requested records could be {word}.{more}",
                errors=self.failed,
                results=self._entries,
            )
        return self._entries
