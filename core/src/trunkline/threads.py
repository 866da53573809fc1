"""Worker threads for blocking work: one bounded pool, one hop per call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

# Bounded: blocking work waits in line rather than multiplying threads.
_POOL = ThreadPoolExecutor(max_workers=32, thread_name_prefix="trunkline")


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run a blocking function in the pool and await its result."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, function, *arguments)


def in_thread_unattended(function: Callable[..., Any], *arguments: Any) -> None:
    """Run a blocking function that can not fail in the pool; nobody waits for it."""
    _POOL.submit(function, *arguments)


async def in_thread_to_the_end(function: Callable[..., T], *arguments: Any) -> T:
    """Run a blocking function as ``in_thread`` does, but be cancelled only when it has ended.

    For what holds things, such as open files, that must not be let go while the thread still uses them.
    """
    running = asyncio.get_running_loop().run_in_executor(_POOL, function, *arguments)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
