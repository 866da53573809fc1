"""A service with many tables: its document is made quickly, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import time
from typing import Any

import pytest

from trunkline.authorize import AccessRow, Role
from trunkline.call import SYSTEM, Caller
from trunkline.testing import Gateway
from trunkline_apidocs.documents import Asked, Documents
from trunkline_apidocs.options import rendered

TABLES = 500
# Seconds; this machine may be a small one, and busy.
MOST, MOST_PAUSE = 1.0, 0.2


async def longest_pause(work: Any) -> tuple[float, float, bytes]:
    """Do the work, and answer how long it took and how long nothing else had its turn."""
    longest, done = 0.0, False

    async def watch() -> None:
        nonlocal longest
        while not done:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    watching = asyncio.ensure_future(watch())
    await asyncio.sleep(0)
    started = time.perf_counter()
    content = await work
    took = time.perf_counter() - started
    done = True
    await watching
    return took, longest, content


@pytest.mark.slow
def test_a_document_of_many_tables(fresh_gateway: Gateway) -> None:
    file = fresh_gateway.storage / "many.db"
    with sqlite3.connect(file) as database:
        for number in range(TABLES):
            columns = ", ".join(f"c{one} varchar(20)" for one in range(12))
            parent = f", parent integer references t{number - 1}(id)" if number else ""
            database.execute(f"create table t{number} (id integer primary key, {columns}{parent})")
    database.close()
    record = fresh_gateway.create_service("many", "sqlite", {"database": str(file)})
    rows = tuple(AccessRow(record["id"], f"_table/t{number}/*", 31, 3) for number in range(0, TABLES, 2))
    for caller in (SYSTEM, Caller(role=Role(99, "half", True, (*rows, AccessRow(record["id"], "_spec", 1, 3))))):
        asked = Asked("many", is_new=True, expanded=True, is_spec=True)

        async def measure(caller: Caller = caller, asked: Asked = asked) -> list[tuple[float, float, bytes]]:
            app = fresh_gateway.app
            await app.directory.fresh()

            async def make(documents: Documents) -> bytes:
                return await documents.answer(app, caller, asked, lambda one: rendered(one, yaml=False))

            documents = Documents()
            await make(documents)  # the first learns what tables there are
            # What the test run itself has made is not to be looked at by the garbage collection meanwhile.
            gc.collect()
            gc.freeze()
            return [await longest_pause(make(Documents())), await longest_pause(make(documents))]

        made, kept = fresh_gateway._http.portal.call(measure)  # type: ignore[union-attr]  # it is started
        gc.unfreeze()
        expected = TABLES if caller is SYSTEM else TABLES / 2
        assert made[2].count(b'Records"') > expected
        assert made[0] < MOST, f"{made[0]:.2f} s"
        assert made[1] < MOST_PAUSE, f"others waited {made[1]:.3f} s"
        assert kept[2] == made[2]
        assert kept[0] < made[0] / 20, f"kept: {kept[0]:.4f} s, made: {made[0]:.2f} s"
        print(f"made in {made[0]:.3f} s, others waited {made[1]:.3f} s, kept {kept[0]:.5f} s, {len(made[2])} bytes")
