"""What every shared cache promises; subclass the suite with a ``cache`` fixture."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest

from trunkline.cache import Budget, SharedCache


class SharedCacheSuite:
    """Checks a driver of the gateway's own cache, which several workers use at once."""

    # Whether ``size`` counts no more than what has not expired.
    counts_exactly: ClassVar[bool] = True

    @pytest.fixture
    def cache(self) -> SharedCache:
        """An empty cache; override it."""
        raise NotImplementedError

    @pytest.fixture
    def second(self, cache: SharedCache) -> SharedCache:
        """The cache as another worker opens it; override it where there can be one."""
        return cache

    def test_values_come_back_until_they_expire(self, cache: SharedCache) -> None:
        cache.set("a", {"x": [1, None]}, 60)
        cache.set("b", 1, 0.02)
        assert cache.get("a") == {"x": [1, None]}
        time.sleep(0.03)
        assert cache.get("b") is None
        assert cache.get("never") is None

    def test_add_stores_once_until_expiry(self, cache: SharedCache) -> None:
        assert cache.add("a", 1, 60)
        assert not cache.add("a", 2, 60)
        assert cache.get("a") == 1
        assert cache.add("c", 1, 0.01)
        time.sleep(0.02)
        assert cache.add("c", 2, 60)

    def test_counters_count_within_their_window(self, cache: SharedCache) -> None:
        assert [cache.increment("n", 60) for _ in range(3)] == [1, 2, 3]
        assert cache.get("n") == 3
        cache.increment("short", 0.01)
        time.sleep(0.02)
        assert cache.increment("short", 60) == 1

    def test_clear_takes_only_its_prefix(self, cache: SharedCache) -> None:
        """D22: clearing caches leaves state alone."""
        cache.set("cache:1", 1, 60)
        cache.set("cach%", 1, 60)
        cache.set("revoked:1", 1, 60)
        cache.clear("cache:")
        assert (cache.get("cache:1"), cache.get("cach%"), cache.get("revoked:1")) == (None, 1, 1)
        cache.delete("revoked:1")
        assert cache.get("revoked:1") is None

    def test_counting_from_many_threads_loses_nothing(self, cache: SharedCache) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _n: cache.increment("n", 60), range(200)))
        assert cache.get("n") == 200

    def test_a_budget_counts_until_its_window_ends(self, cache: SharedCache) -> None:
        started = time.time()
        spent = [cache.spend([Budget("b", 2, 60)])[0] for _ in range(3)]
        assert [one.count for one in spent] == [1, 2, 3]
        assert started + 59 < spent[0].ends < started + 61
        assert {one.ends for one in spent} == {spent[0].ends}
        cache.spend([Budget("short", 1, 0.01)])
        time.sleep(0.02)
        assert cache.spend([Budget("short", 1, 60)])[0].count == 1

    def test_who_is_refused_by_one_budget_does_not_use_up_the_others(self, cache: SharedCache) -> None:
        budgets = [Budget("mine", 1, 60), Budget("everybody's", 5, 60)]
        assert [one.count for one in cache.spend(budgets)] == [1, 1]
        assert [one.count for one in cache.spend(budgets)] == [2, 1]
        assert [one.count for one in cache.spend(budgets)] == [3, 1]
        assert [one.count for one in cache.spend(budgets[1:])] == [2]
        assert cache.get("everybody's") == 2

    def test_spending_from_many_threads_loses_nothing(self, cache: SharedCache) -> None:
        budgets = [Budget("a", 70, 60), Budget("b", 1000, 60)]
        with ThreadPoolExecutor(8) as pool:
            counts = list(pool.map(lambda _n: cache.spend(budgets)[0].count, range(100)))
        assert sum(count <= 70 for count in counts) == 70
        assert cache.get("b") == 70

    def test_the_size_leaves_out_what_has_expired(self, cache: SharedCache) -> None:
        cache.set("a", 1, 60)
        cache.set("b", 1, 0.01)
        time.sleep(0.02)
        assert cache.size() == 1 if self.counts_exactly else cache.size() >= 1

    def test_another_worker_sees_the_same(self, cache: SharedCache, second: SharedCache) -> None:
        cache.set("a", "x", 60)
        assert (second.get("a"), second.add("a", 2, 60)) == ("x", False)
        assert [cache.increment("n", 60), second.increment("n", 60)] == [1, 2]
        cache.set("some:1", 1, 60)
        second.clear("some:")
        assert (cache.get("some:1"), cache.add("some:1", 2, 60), second.get("some:1")) == (None, True, 2)

    def test_only_one_of_many_adds(self, cache: SharedCache, second: SharedCache) -> None:
        for key in ("once", "long " * 100 + "ü"):
            with ThreadPoolExecutor(8) as pool:
                won = list(pool.map(lambda n, key=key: (cache, second)[n % 2].add(key, n, 60), range(40)))
            assert sum(won) == 1

    def test_budgets_in_any_order_are_spent_to_the_last(self, cache: SharedCache, second: SharedCache) -> None:
        mine, all_of_us = Budget("limit:1:day:", 25, 60), Budget("limit:2:day:", 40, 60)

        def spend(number: int) -> bool:
            budgets = [[mine, all_of_us], [all_of_us, mine], [all_of_us]][number % 3]
            by_key = {one.key: one for one in budgets}
            spent = (cache, second)[number % 2].spend(budgets)
            return all(one.count <= by_key[budget.key].most for one, budget in zip(spent, budgets, strict=True))

        with ThreadPoolExecutor(8) as pool:
            passed = list(pool.map(spend, range(120)))
        assert sum(passed) == 40
        assert cache.get(mine.key) >= 25
