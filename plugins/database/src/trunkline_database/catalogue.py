"""What is known of a database's structure: learnt when first asked for, once, and forgotten on demand."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from cachetools import LRUCache

from trunkline.errors import NotFound
from trunkline_database.decorate import decorated
from trunkline_database.extras import Extras
from trunkline_database.model import Table, TableName
from trunkline_database.store import BrokenView, StaleSchema, Store

T = TypeVar("T")
_MOST_TABLES = 4096
_DIGITS = re.compile(r"(\d+)")
# What is under way, when it is not about a table; no table is called so.
_NAMES, _EXTRAS = "", "\0extras"


async def _no_extras() -> Extras:
    return Extras()


class Once:
    """What many ask for at the same time is done once for all of them."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._pending: dict[str, asyncio.Future[Any]] = {}

    async def __call__(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run work unless the same is under way; then wait for that. Who waits may leave, the work goes on."""
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = asyncio.ensure_future(work())
            pending.add_done_callback(lambda _: self._pending.pop(key, None))
        result: T = await asyncio.shield(pending)
        return result


class Catalogue:
    """The tables of one service. What many ask for at once is read once.

    ``stamp`` answers a number that another one means: somebody, perhaps in another worker, changed the structure.
    ``remembered`` reads what is kept of the tables beside the database.
    """

    def __init__(
        self,
        store: Store,
        service_id: int,
        stamp: Callable[[], int] = lambda: 0,
        remembered: Callable[[], Awaitable[Extras]] = _no_extras,
    ) -> None:
        """Know nothing yet."""
        self._store = store
        self._service_id = service_id
        self._stamp = stamp
        self._remembered = remembered
        self._extras: Extras | None = None
        self._known_at = stamp()
        self._generation = 0
        self._names: dict[str, TableName] | None = None
        self._tables: LRUCache[str, Table] = LRUCache(_MOST_TABLES)
        self._once = Once()

    @property
    def generation(self) -> int:
        """Another number as soon as tables were forgotten."""
        return self._generation

    async def names(self, *, refresh: bool = False) -> list[TableName]:
        """List tables and views in natural order."""
        await self._follow()
        if refresh or self._names is None:
            await self._once(_NAMES, self._read_names)
        return sorted((self._names or {}).values(), key=lambda one: natural(one.key))

    async def table(self, name: str, *, refresh: bool = False) -> Table:
        """Describe a table by its name in any case; raises NotFound.

        A name that is not known may belong to a table that was made elsewhere, so the list is read again first.
        """
        if self._stamp() != self._known_at:
            await self._follow()
        key = name.lower()
        known = self._tables.get(key)
        if known is not None and not refresh:
            return known
        if refresh:
            await self._store.flush()
        found = await self._once(key, lambda: self._describe(key, refresh))
        if found is None:
            raise _missing(name)
        return found

    async def records_of(self, name: str) -> Table:
        """Describe a table by the name that its records have: the alias where there is one; raises NotFound."""
        real = (await self.extras()).real_name(name)
        if real is None:
            raise _missing(name)
        return await self.table(real)

    async def extras(self) -> Extras:
        """Answer what is kept of the tables beside the database."""
        if self._stamp() != self._known_at:
            await self._follow()
        known = self._extras
        return known if known is not None else await self._once(_EXTRAS, self._read_extras)

    async def find(self, name: str) -> TableName | None:
        """Find a table's name without describing it, as fresh as the database."""
        await self._once(_NAMES, self._read_names)
        return (self._names or {}).get(name.lower())

    async def changed(self) -> None:
        """Forget everything after a change of structure: relations lead to other tables."""
        self._names = self._extras = None
        self._forget_tables()
        await self._store.flush()

    async def _follow(self) -> None:
        if (stamp := self._stamp()) != self._known_at:
            self._known_at = stamp
            await self.changed()

    def _forget_tables(self) -> None:
        # What is being described now may be out of date already when it arrives.
        self._generation += 1
        self._tables.clear()

    async def _describe(self, key: str, refresh: bool) -> Table | None:
        if refresh or self._names is None or key not in self._names:
            await self._once(_NAMES, self._read_names)
        name = (self._names or {}).get(key)
        generation = self._generation
        described = await self._described(name) if name is not None else None
        if described is None:
            self._tables.pop(key, None)
            return None
        described = decorated(described, await self.extras())
        if generation == self._generation:
            self._tables[key] = described
        return described

    async def _described(self, name: TableName) -> Table | None:
        try:
            return await self._store.describe(name, self._service_id)
        except StaleSchema as error:
            if not name.is_view:
                raise
            # Trying again would never help.
            raise BrokenView(f"The view '{name.key}' refers to something that is not there.") from error

    async def _read_extras(self) -> Extras:
        generation = self._generation
        found = await self._remembered()
        if generation == self._generation:
            self._extras = found
        return found

    async def _read_names(self) -> None:
        found = {name.key.lower(): name for name in await self._store.tables()}
        if self._names is not None and found.keys() != self._names.keys():
            # A new or lost table changes what others are related to.
            self._forget_tables()
            await self._store.flush()
        self._names = found


def _missing(name: str) -> NotFound:
    return NotFound(f'Table "{name}" does not exist in the database.')


def natural(name: str) -> list[tuple[int, str]]:
    """Build the key of natural, case-insensitive order: ``t2`` before ``t10``."""
    return [(int(part), "") if part.isdigit() else (-1, part.lower()) for part in _DIGITS.split(name) if part]
