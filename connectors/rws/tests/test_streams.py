"""Large bodies pass both ways in constant memory, and nobody waits for those who have left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import Server

from trunkline_files.testing.streaming import SIZE, Served, blocks, digest

pytestmark = [pytest.mark.live, pytest.mark.slow]
_WARM = 12 * 2**20


@pytest.fixture
def served(remote_target: Server, tmp_path: Path) -> Iterator[Served]:
    """A gateway in a process of its own that has done a little of everything."""
    made = Served(tmp_path / "storage", "rws", remote_target.new_config())
    made.start()
    try:
        for _ in range(3):
            assert made.client.post("sink", content=b"".join(blocks(_WARM))).status_code == 200
            assert len(made.client.get(f"source?size={_WARM}").content) == _WARM
        yield made
    finally:
        made.client.close()
        made.end()


@pytest.mark.parametrize("headers", [{"Content-Length": str(SIZE)}, {}], ids=["counted", "chunked"])
def test_large_bodies_pass_both_ways_in_constant_memory(served: Served, headers: dict[str, str]) -> None:
    wanted = [SIZE, digest(blocks(SIZE))]
    with served.constant_memory():
        started = time.monotonic()
        reply = served.client.put("sink", content=blocks(SIZE), headers=headers)
        assert reply.json() == wanted
        print(f"{SIZE >> 20} MB there in {time.monotonic() - started:.1f} s")
    with served.constant_memory():
        started = time.monotonic()
        assert served.stored(f"source?size={SIZE}") == tuple(wanted)
        print(f"{SIZE >> 20} MB back in {time.monotonic() - started:.1f} s")


def test_a_client_that_leaves_amid_its_body_hurts_nobody(served: Served) -> None:
    served.broken("sink", 20 * 2**20, 40 * 2**20).close()
    assert served.client.put("sink", content=b"abc").json()[0] == 3


def test_a_remote_that_cuts_off_amid_a_body_is_told_at_once(served: Served) -> None:
    """Its own words where they came through before the connection was reset, else a 502."""
    started = time.monotonic()
    reply = served.client.put("status/413", content=blocks(20 * 2**20))
    assert reply.json()["error"]["status_code"] == reply.status_code
    assert reply.status_code in (413, 502)
    assert time.monotonic() - started < 30
    assert served.client.put("sink", content=b"abc").json()[0] == 3
