"""The narrow thing that a database driver must do: run SQL text with values, on its own or in a transaction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

T = TypeVar("T")
# A sequence or a mapping, as the dialect's parameter style wants it.
Values = Sequence[Any] | Mapping[str, Any]
RawRow = Sequence[Any]


@dataclass(slots=True)
class Ran:
    """What a statement left: rows that it returned, how many rows it touched, the key that it made."""

    rows: list[RawRow]
    count: int
    last_id: Any = None


class TooSlow(Exception):
    """A read that promised to be small was not: run it again without the promise."""


class Session(ABC):
    """Runs statements. Errors are the driver's own; the store translates them."""

    @abstractmethod
    async def fetch(self, sql: str, values: Values, *, small: bool = False) -> list[RawRow]:
        """Run a reading statement; when it is said to be small, a driver may try a shorter way and raise TooSlow."""

    @abstractmethod
    async def run(self, sql: str, values: Values) -> Ran:
        """Run a changing statement."""

    @abstractmethod
    async def run_each(self, sql: str, many: Sequence[Values]) -> list[Ran]:
        """Run a changing statement for each of many values: all or none."""


class Bound(Session):
    """A session inside a transaction."""

    @abstractmethod
    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Open a part that is undone alone when it raises."""


class Driver(Session):
    """Keeps connections to one database; statements of its own commit at once."""

    dialect: sa.Dialect

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[Bound]:
        """Open a transaction: committed at the end, rolled back when it raises."""

    @abstractmethod
    def stream(self, sql: str, values: Values, size: int) -> AsyncGenerator[Sequence[RawRow], None]:
        """Run a reading statement and answer its rows a few at a time, without holding them all anywhere."""

    async def inspect(self, function: Callable[[sa.Connection], T]) -> T:
        """Run a function that reads the structure on a SQLAlchemy connection, which not every driver has."""
        raise NotImplementedError

    async def alter(self, function: Callable[[sa.Connection], T]) -> T:
        """Run a function that changes the structure on a SQLAlchemy connection, all or nothing."""
        raise NotImplementedError

    async def define(self, statements: Sequence[str]) -> None:
        """Run statements that change the structure: all or none, where the engine can."""

        def work(connection: sa.Connection) -> None:
            for statement in statements:
                connection.exec_driver_sql(statement)

        await self.alter(work)

    @abstractmethod
    async def close(self) -> None:
        """Close the connections."""
