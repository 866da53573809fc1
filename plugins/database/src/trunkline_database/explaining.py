"""With which statement a call on a table begins: told by the very code that makes it, on a driver that runs nothing."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trunkline.call import Call
from trunkline.errors import TrunklineError
from trunkline_database.sql.driver import Bound, Driver, Ran, RawRow, Values
from trunkline_database.sql.store import SqlStore
from trunkline_database.table import TableResource

if TYPE_CHECKING:
    from trunkline_database.service import DatabaseService


class Reached(Exception):
    """The first statement: its text, and its values."""

    def __init__(self, sql: str, values: Values) -> None:
        super().__init__("a statement was reached")
        self.sql = sql
        self.values = values


class _Recorder(Driver, Bound):
    """Runs nothing: whatever it is asked to run ends the call."""

    def __init__(self, driver: Driver) -> None:
        self.dialect = driver.dialect

    async def fetch(self, sql: str, values: Values, *, small: bool = False) -> list[RawRow]:
        """End the call."""
        raise Reached(sql, values)

    async def run(self, sql: str, values: Values) -> Ran:
        """End the call."""
        raise Reached(sql, values)

    async def run_each(self, sql: str, many: Sequence[Values]) -> list[Ran]:
        """End the call."""
        raise Reached(sql, many[0] if many else ())

    async def stream(self, sql: str, values: Values, size: int) -> AsyncGenerator[Sequence[RawRow], None]:
        """End the call."""
        yield await self.fetch(sql, values)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Bound]:
        """Open nothing."""
        yield self

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Open nothing."""
        yield

    async def close(self) -> None:
        """Have nothing to close."""


async def explained(service: DatabaseService, call: Call) -> dict[str, Any] | None:
    """Answer the first statement of a call on a table, or why it is refused; None where there is no statement to tell.

    ``binds`` are the types of the values in the order of the text, or by name; the values stay untold. The structure is
    looked at where it is not known yet; no rows are read and nothing is written.
    """
    if not isinstance(service.store, SqlStore) or call.path[:1] != ("_table",) or not call.path[1:]:
        return None
    try:
        await TableResource(_recording(service)).handle(replace(call, body=copy.deepcopy(call.body)), call.path[1:])
    except Reached as found:
        return {"statement": found.sql, "binds": _types(found.values), "is_read": call.method == "GET"}
    except TrunklineError as error:
        return {"statement": None, "refused": error.entry()}
    return {"statement": None}


def _recording(service: DatabaseService) -> DatabaseService:
    """Copy a service, with all that is known of its structure, onto a driver that runs nothing."""
    assert isinstance(service.store, SqlStore)  # noqa: S101 - asked before
    known = {"catalogue": service.catalogue, "routines": service.routines}
    store = copy.copy(service.store)
    recorder = _Recorder(store._driver)
    store._driver = store._session = recorder
    found = copy.copy(service)
    found.__dict__ |= {**known, "store": store, "config": service.config.model_copy(update={"cache_enabled": False})}
    return found


def _types(values: Values) -> Any:
    if isinstance(values, Mapping):
        return {name: type(value).__name__ for name, value in values.items()}
    return [type(value).__name__ for value in values]
