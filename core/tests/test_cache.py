from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trunkline.cache import FileCache, MemoryCache, SharedCache, open_cache
from trunkline.settings import BadSettings
from trunkline.testing.fixtures import settings_for
from trunkline.testing.shared_cache import SharedCacheSuite


class TestMemoryCache(SharedCacheSuite):
    @pytest.fixture
    def cache(self, tmp_path: Path) -> SharedCache:
        return MemoryCache(settings_for(tmp_path))


class TestFileCache(SharedCacheSuite):
    @pytest.fixture
    def cache(self, tmp_path: Path) -> Iterator[SharedCache]:
        made = FileCache(settings_for(tmp_path))
        yield made
        made.close()

    @pytest.fixture
    def second(self, cache: SharedCache, tmp_path: Path) -> Iterator[SharedCache]:
        made = FileCache(settings_for(tmp_path))
        yield made
        made.close()


def test_two_processes_share_the_file(tmp_path: Path) -> None:
    first, second = FileCache(settings_for(tmp_path)), FileCache(settings_for(tmp_path))
    first.set("a", 1, 60)
    assert second.get("a") == 1
    assert not second.add("a", 2, 60)
    first.close()
    second.close()


def test_an_unknown_driver_names_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="pip install trunkline-cache-nosuch"):
        open_cache(settings_for(tmp_path, cache_driver="nosuch"))


def test_closing_waits_for_what_threads_still_do(tmp_path: Path) -> None:
    """Closing SQLite's connection under a thread that uses it would crash the process, not only the thread."""
    made = FileCache(settings_for(tmp_path))
    with ThreadPoolExecutor(1) as pool:
        made._lock.acquire()
        closing = pool.submit(made.close)
        time.sleep(0.05)
        assert not closing.done()
        made._db.execute("select 1")
        made._lock.release()
        closing.result(5)
