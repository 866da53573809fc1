"""What of a table a role's response filters take out of replies (D33).

What is left out or masked can not be asked for either: a filter, an order or a group would tell what is behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from trunkline_database.documents.veil import OpenVeil
from trunkline_database.model import Column, Table

if TYPE_CHECKING:
    from trunkline.call import Call
    from trunkline.response_filter import Mask, Masker, ResponseFilter
    from trunkline.service import Service


@dataclass(frozen=True, slots=True)
class Veil:
    """The columns of one table that are left out, and those that are masked, for one role."""

    hidden: frozenset[Column]
    masks: tuple[tuple[str, Mask], ...]
    covered: frozenset[Column]
    _keys: tuple[str, ...]
    _masker: Masker

    def hides(self, column: Column) -> bool:
        """Say whether a column is left out."""
        return column in self.hidden

    def covers(self, column: Column) -> bool:
        """Say whether a column is left out or masked."""
        return column in self.covered

    def put_on(self, row: dict[str, Any]) -> None:
        """Take out of a row what is not for the caller; relations keep their places."""
        for key in self._keys:
            row.pop(key, None)
        for key, mask in self.masks:
            if key in row:
                row[key] = self._masker(mask, row[key])


# By the ids of table and filter, which cannot be given to others while the entry keeps both.
_known: LRUCache[tuple[int, int], tuple[Table, ResponseFilter, Veil | OpenVeil]] = LRUCache(1024)


def veil_of(service: Service, call: Call, table: Table, component: str) -> Veil | OpenVeil | None:
    """Answer what is between a caller and a table; None when nothing is."""
    found = call.caller.response_filter(service.record, component)
    if found is None:
        return None
    known = _known.get((id(table), id(found)))
    if known is None:
        make = OpenVeil if table.is_open else _veil
        known = _known[id(table), id(found)] = (table, found, make(table, found, service.app.masker))
    return known[2]


def _veil(table: Table, found: ResponseFilter, masker: Masker) -> Veil:
    """Find the columns by alias and by name: giving a field an alias opens nothing."""
    hidden = frozenset(one for one in table.columns if _any(found.hides, one, all_names=found.allowed is not None))
    masks = {one: mask for one in table.columns if (mask := found.mask_of(one.key) or found.mask_of(one.name))}
    return Veil(
        hidden,
        tuple((one.key, mask) for one, mask in masks.items() if one not in hidden),
        hidden | frozenset(masks),
        tuple(one.key for one in hidden),
        masker,
    )


def _any(hides: Any, column: Column, *, all_names: bool) -> bool:
    """Say whether a column is left out: by either name; where only some are allowed, either name lets it through."""
    names: Iterable[str] = {column.key, column.name}
    return all(map(hides, names)) if all_names else any(map(hides, names))
