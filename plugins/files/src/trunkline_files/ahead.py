"""Both ends busy: work that goes on while its caller does something else, and pieces gathered to a useful size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """At most one coroutine at a time; whoever holds what it uses must ``settle`` before letting that go."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        self._task: asyncio.Task[T] | None = None

    async def begin(self, work: Coroutine[Any, Any, T]) -> None:
        """Begin this as soon as what was begun before has ended; raises what that raised."""
        try:
            await self.end()
        except BaseException:
            work.close()
            raise
        self._task = asyncio.ensure_future(work)

    async def end(self) -> T | None:
        """Wait for what was begun and answer its result; None when nothing was."""
        task, self._task = self._task, None
        return await task if task is not None else None

    async def settle(self) -> None:
        """Wait until nothing goes on any more, whatever comes of it."""
        if self._task is not None:
            task, self._task = self._task, None
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # seen, though nobody wants to know


async def gathered(content: AsyncIterable[bytes], size: int) -> AsyncGenerator[list[bytes], None]:
    """Gather small pieces, as networks bring them, to lists of at least ``size`` bytes; nothing is copied."""
    held: list[bytes] = []
    count = 0
    async for piece in content:
        held.append(piece)
        count += len(piece)
        if count >= size:
            yield held
            held, count = [], 0
    if held:
        yield held
