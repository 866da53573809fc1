"""Changing one record at a time inside a transaction, within what the caller's role lets through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trunkline.errors import Forbidden
from trunkline_database import filters
from trunkline_database.access import DENIED
from trunkline_database.documents.names import overlap
from trunkline_database.filters import Function, Node
from trunkline_database.model import Column
from trunkline_database.plan import Select, Target
from trunkline_database.record import Prepared
from trunkline_database.resolve import among, equals
from trunkline_database.store import Row, Rows


class Writer:
    """Writes to one table as one caller may: the role's row filter binds the rows as they were and as they become."""

    def __init__(self, target: Target, rows: Rows) -> None:
        """Write through a transaction, or directly where one statement does it all."""
        self.target = target
        self.rows = rows
        self.table = target.table

    @property
    def returned(self) -> tuple[Column, ...]:
        """The columns to learn of a written row: what identifies it, or everything where nothing does."""
        known = dict.fromkeys((*self.target.identity, *self.table.primary_key))
        return tuple(known) or self.table.stored

    async def insert(self, many: Sequence[Prepared], more: Sequence[Column] = ()) -> list[Row]:
        """Insert records, all or none; raises Forbidden when the role's filter does not hold for what was written."""
        returned = tuple(dict.fromkeys((*self.returned, *more)))
        values = [one.values for one in many]
        if self.target.rows is None or self.checks:
            return await self.rows.insert(self.table, values, returned, self.target.rows)
        made = await self.rows.insert(self.table, values, returned)
        await self._check_new(made, many)
        return made

    async def change(self, where: Node, values: dict[str, Any]) -> int:
        """Change the rows that match and that the caller may see; answers their number, even when nothing changes."""
        visible = self.target.narrowed(where)
        if not values:
            return await self.rows.count(Select(self.table, (), visible))
        if not self.touches_filter(values):
            return await self.rows.update(self.table, visible, values)
        if self.checks:
            return await self.rows.update(self.table, visible, values, self.target.rows)
        # The filter may stop matching, so the rows are held by their keys and looked at again.
        keys = await self.keys(visible)
        if not keys:
            return 0
        changed = await self.rows.update(self.table, among(self._held, keys), values)
        await self._check(among(self._held, keys), changed)
        return changed

    async def replace(self, where: Node, values: dict[str, Any]) -> int:
        """Give the rows that match and that the caller may see these values and no others; answers their number."""
        visible = self.target.narrowed(where)
        if self.target.rows is None:
            return await self.rows.replace(self.table, visible, values)
        # All that the filter looks at may be gone or new.
        keys = await self.keys(visible)
        if keys:
            await self.rows.replace(self.table, among(self._held, keys), values)
            await self._check(among(self._held, keys), len(keys))
        return len(keys)

    async def keys(self, where: Node | None) -> list[tuple[Any, ...]]:
        """Read and hold the keys of rows."""
        held = self._held
        found = await self.rows.select(Select(self.table, held, where, lock=True))
        return [tuple(row[column.key] for column in held) for row in found]

    async def remove(self, where: Node) -> int:
        """Delete the rows that match and that the caller may see; answers their number."""
        return await self.rows.delete(self.table, self.target.narrowed(where))

    async def exists(self, where: Node) -> bool:
        """Say whether there is a row that matches and that the caller may see."""
        return bool(await self.rows.count(Select(self.table, (), self.target.narrowed(where))))

    @property
    def _held(self) -> tuple[Column, ...]:
        """The columns by which rows are held.

        Rows of a table without a key are told apart by all their values, so they cannot be found again once changed:
        there, a change of a filtered column is refused.
        """
        return self.table.primary_key or self.table.stored

    @property
    def checks(self) -> bool:
        """Say whether the statement that writes also refuses what the role's filter does not hold for."""
        return self.rows.checks and not self.table.is_view

    def touches_filter(self, values: Mapping[str, Any]) -> bool:
        """Say whether a change may lead out of what the role's filter lets through."""
        rows = self.target.rows
        if rows is None:
            return False
        tested = filters.fields_of(rows)
        if self.table.is_open:
            return any(overlap(one, other) for one in tested for other in values)
        return not tested.isdisjoint(values)

    async def _check(self, where: Node, expected: int) -> None:
        if await self.rows.count(Select(self.table, (), self.target.narrowed(where))) != expected:
            raise Forbidden(DENIED)

    async def _check_new(self, made: Sequence[Row], many: Sequence[Prepared]) -> None:
        """Ask the database whether the new rows are visible: no other judge knows its collations and defaults."""
        key = self.table.primary_key
        if key:
            await self._check(among(key, [tuple(row[column.key] for column in key) for row in made]), len(made))
            return
        for one in many:
            same = self._same(one)
            await self._check(same, await self.rows.count(Select(self.table, (), same)))

    def _same(self, one: Prepared) -> Node:
        """Build the test for rows that equal one that was written, in a table without a key."""
        given = [
            equals(self.table.by_real_name[name], value)
            for name, value in one.values.items()
            if not isinstance(value, Function)
        ]
        return filters.all_of(*given) or equals(self.table.stored[0], None)
