"""Large results: read while they are sent, so that memory does not grow with them (database-api 22.8).

A service's ``max_records`` is the most that a read answers, however it goes out. The instance's own maximum is there to
bound memory, so it does not bind formats that have nothing but records: NDJSON and CSV.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any

from trunkline import render
from trunkline.call import Records
from trunkline_database import related, shape
from trunkline_database.plan import Select, Target
from trunkline_database.store import Row

# So many records are read at a time; what is no longer than that is not worth it.
PART = 1000


def is_due(target: Target) -> bool:
    """Say whether a read by filter is to be a stream."""
    query, service = target.query, target.service
    if _most(target) <= PART or (query.limit or PART + 1) <= PART or query.as_list or service.config.cache_enabled:
        return False
    return render.streams(service.app, target.call)


async def records(target: Target, plan: Select, relations: Sequence[related.Wanted]) -> Records:
    """Begin to read, so that what is wrong is still told as an error; the rest is read when it is asked for."""
    has_meta = render.has_envelope(target.service.app, target.call)
    most = target.service.max_records if has_meta else _most(target)
    limit = min(target.query.limit or most, most)
    reading = _Reading(target, replace(plan, limit=limit), relations)
    parts = reading.parts()
    first = await anext(parts, None)
    return Records(_with(first, parts), reading.meta if has_meta else None)


def _most(target: Target) -> int:
    return target.service.config.max_records or target.service.max_records


class _Reading:
    def __init__(self, target: Target, plan: Select, relations: Sequence[related.Wanted]) -> None:
        self._target = target
        self._plan = plan
        self._relations = relations
        self._shown = 0

    async def parts(self) -> AsyncGenerator[list[Row], None]:
        store = self._target.service.store
        async with contextlib.aclosing(store.stream(self._plan, PART)) as parts:
            async for rows in parts:
                if self._relations:
                    await related.attach(store, rows, self._relations)
                self._target.seen(rows)
                self._shown += len(rows)
                yield rows

    async def meta(self) -> dict[str, Any]:
        """Tell what is behind the last record, as for short lists."""
        target, plan, limit = self._target, self._plan, self._plan.limit or 0
        meta: dict[str, Any] = {}
        if target.query.include_count or target.query.limit != limit:
            known = self._shown < limit and (self._shown or not plan.offset)
            count = plan.offset + self._shown if known else await target.service.store.count(plan)
            if target.query.include_count or count > target.service.max_records:
                meta = shape.meta_of(count, plan.offset, self._shown, limit)
        return meta | shape.schema_asked(target)


async def _with(first: list[Row] | None, rest: AsyncGenerator[list[Row], None]) -> AsyncGenerator[list[Row], None]:
    async with contextlib.aclosing(rest) as parts:
        if first is not None:
            yield first
        async for rows in parts:
            yield rows
