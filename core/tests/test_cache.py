from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trunkline.cache import Budget, FileCache, MemoryCache, SharedCache, open_cache
from trunkline.settings import BadSettings
from trunkline.testing.fixtures import settings_for


@pytest.fixture(params=[MemoryCache, FileCache])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SharedCache]:
    made: SharedCache = request.param(settings_for(tmp_path))
    yield made
    made.close()


def test_values_come_back_until_they_expire(cache: SharedCache) -> None:
    cache.set("a", {"x": [1, None]}, 60)
    cache.set("b", 1, 0.02)
    assert cache.get("a") == {"x": [1, None]}
    time.sleep(0.03)
    assert cache.get("b") is None
    assert cache.get("never") is None


def test_add_stores_once_until_expiry(cache: SharedCache) -> None:
    assert cache.add("a", 1, 60)
    assert not cache.add("a", 2, 60)
    assert cache.get("a") == 1
    assert cache.add("c", 1, 0.01)
    time.sleep(0.02)
    assert cache.add("c", 2, 60)


def test_counters_count_within_their_window(cache: SharedCache) -> None:
    assert [cache.increment("n", 60) for _ in range(3)] == [1, 2, 3]
    assert cache.get("n") == 3
    cache.increment("short", 0.01)
    time.sleep(0.02)
    assert cache.increment("short", 60) == 1


def test_clear_takes_only_its_prefix(cache: SharedCache) -> None:
    """D22: clearing caches leaves state alone."""
    cache.set("cache:1", 1, 60)
    cache.set("cach%", 1, 60)
    cache.set("revoked:1", 1, 60)
    cache.clear("cache:")
    assert (cache.get("cache:1"), cache.get("cach%"), cache.get("revoked:1")) == (None, 1, 1)
    cache.delete("revoked:1")
    assert cache.get("revoked:1") is None


def test_counting_from_many_threads_loses_nothing(cache: SharedCache) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _n: cache.increment("n", 60), range(200)))
    assert cache.get("n") == 200


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


def test_a_budget_counts_until_its_window_ends(cache: SharedCache) -> None:
    started = time.time()
    spent = [cache.spend([Budget("b", 2, 60)])[0] for _ in range(3)]
    assert [one.count for one in spent] == [1, 2, 3]
    assert started + 59 < spent[0].ends < started + 61
    assert {one.ends for one in spent} == {spent[0].ends}
    cache.spend([Budget("short", 1, 0.01)])
    time.sleep(0.02)
    assert cache.spend([Budget("short", 1, 60)])[0].count == 1


def test_who_is_refused_by_one_budget_does_not_use_up_the_others(cache: SharedCache) -> None:
    budgets = [Budget("mine", 1, 60), Budget("everybody's", 5, 60)]
    assert [one.count for one in cache.spend(budgets)] == [1, 1]
    assert [one.count for one in cache.spend(budgets)] == [2, 1]
    assert [one.count for one in cache.spend(budgets)] == [3, 1]
    assert [one.count for one in cache.spend(budgets[1:])] == [2]
    assert cache.get("everybody's") == 2


def test_spending_from_many_threads_loses_nothing(cache: SharedCache) -> None:
    budgets = [Budget("a", 70, 60), Budget("b", 1000, 60)]
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _n: cache.spend(budgets)[0].count, range(100)))
    assert sum(count <= 70 for count in counts) == 70
    assert cache.get("b") == 70


def test_the_size_leaves_out_what_has_expired(cache: SharedCache) -> None:
    cache.set("a", 1, 60)
    cache.set("b", 1, 0.01)
    time.sleep(0.02)
    assert cache.size() == 1


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
