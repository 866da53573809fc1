"""Reading through a junction table in two steps, for engines that join nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from trunkline_database import filters
from trunkline_database.documents.values import comparable, rank
from trunkline_database.plan import PARENT, Select
from trunkline_database.resolve import among
from trunkline_database.store import Row


async def through(plan: Select, select: Callable[[Select], Awaitable[list[Row]]], most_keys: int) -> list[Row]:
    """Read the rows of a plan with ``via``, each with its parent's key, by plans without."""
    via = plan.via
    if via is None:
        raise ValueError("The plan leads through no junction.")
    links: dict[Any, list[Any]] = {}
    wanted: dict[Any, Any] = {}
    for start in range(0, len(via.keys), most_keys):
        where = filters.all_of(among((via.parent,), [(key,) for key in via.keys[start : start + most_keys]]), via.where)
        for row in await select(Select(via.table, tuple(dict.fromkeys((via.parent, via.ref))), where)):
            if (key := row[via.ref.key]) is not None:
                links.setdefault(rank(comparable(via.joined, key)), []).append(row[via.parent.key])
                wanted.setdefault(rank(comparable(via.joined, key)), key)
    fields = tuple(dict.fromkeys((*plan.fields, via.joined)))
    hidden = not any(one is via.joined or getattr(one, "is_everything", False) for one in plan.fields)
    keys, rows = list(wanted.values()), list[Row]()
    plain = replace(plan, via=None, limit=None, offset=0, fields=fields)
    for start in range(0, len(keys), most_keys):
        there = among((via.joined,), [(key,) for key in keys[start : start + most_keys]])
        rows += await select(replace(plain, where=filters.all_of(plan.where, there)))
    found: dict[Any, list[Row]] = {}
    for row in rows:
        key = row.pop(via.joined.key) if hidden else row[via.joined.key]
        for parent in links.get(rank(comparable(via.joined, key)), ()):
            found.setdefault(parent, []).append({**row, PARENT: parent})
    last = None if plan.limit is None else plan.offset + plan.limit
    return [row for some in found.values() for row in some[plan.offset : last]]
