"""What is known of a database's procedures and functions: learnt when first asked for, and forgotten on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cachetools import LRUCache

from trunkline.errors import NotFound
from trunkline_database.catalogue import Once, natural
from trunkline_database.routine import Routine, RoutineKind, RoutineName
from trunkline_database.store import Store

_MOST_ROUTINES = 4096


class RoutineCatalogue:
    """The routines of one service; another number of ``stamp`` means that somebody changed the structure."""

    def __init__(self, store: Store, stamp: Callable[[], int]) -> None:
        """Know nothing yet."""
        self._store = store
        self._stamp = stamp
        self._known_at = stamp()
        self._generation = 0
        self._names: dict[RoutineKind, dict[str, RoutineName]] = {}
        self._described: LRUCache[tuple[RoutineKind, str], Sequence[Routine]] = LRUCache(_MOST_ROUTINES)
        self._once = Once()

    async def names(self, kind: RoutineKind, *, refresh: bool = False) -> list[RoutineName]:
        """List procedures or functions in natural order."""
        self._follow()
        if refresh:
            self.forget()
        if kind not in self._names:
            await self._once(kind, lambda: self._read_names(kind))
        return sorted(self._names.get(kind, {}).values(), key=lambda one: natural(one.key))

    async def overloads(self, kind: RoutineKind, name: str) -> Sequence[Routine]:
        """Describe the routines of a name in any case; raises NotFound.

        A name that is not known may belong to a routine that was made elsewhere, so the list is read again first.
        """
        self._follow()
        key = name.lower()
        found = self._described.get((kind, key))
        if found is None:
            found = await self._once(f"{kind} {key}", lambda: self._describe(kind, key))
        if not found:
            raise NotFound(f"{kind.capitalize()} '{name}' does not exist in the database.")
        return found

    def forget(self) -> None:
        """Forget everything."""
        # What is being described now may be out of date already when it arrives.
        self._generation += 1
        self._names = {}
        self._described.clear()

    def _follow(self) -> None:
        if (stamp := self._stamp()) != self._known_at:
            self._known_at = stamp
            self.forget()

    async def _describe(self, kind: RoutineKind, key: str) -> Sequence[Routine]:
        generation = self._generation
        if key not in self._names.get(kind, {}):
            await self._once(kind, lambda: self._read_names(kind))
        name = self._names.get(kind, {}).get(key)
        found = await self._store.describe_routine(name, kind) if name is not None else []
        if found and generation == self._generation:
            self._described[kind, key] = found
        return found

    async def _read_names(self, kind: RoutineKind) -> None:
        self._names[kind] = {name.key.lower(): name for name in await self._store.routines(kind)}
