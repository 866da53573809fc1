from __future__ import annotations

from typing import Any

import pytest

from trunkline import hookimpl
from trunkline.plugins import Manager, every, first, fold

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def plugin(answer: Any) -> object:
    class Plugin:
        @hookimpl
        async def before_call(self, call: Any) -> Any:
            call.append(answer)
            return answer

        @hookimpl
        def after_call(self, reply: Any) -> Any:
            return None if answer is None else [*reply, answer]

        @hookimpl
        async def check_call(self, call: Any) -> Any:
            return answer

    return Plugin()


async def test_first_stops_at_the_first_real_answer() -> None:
    """pluggy itself would stop at the first coroutine, even one that resolves to None."""
    manager = Manager()
    for answer in ("last", "early", None):
        manager.register(plugin(answer))
    asked: list[Any] = []
    assert await first(manager, "before_call", app=None, call=asked) == "early"
    assert asked == [None, "early"]


async def test_every_asks_all_and_fold_hands_along() -> None:
    manager = Manager()
    manager.register(plugin("a"))
    manager.register(plugin("b"))
    manager.register(plugin(None))
    assert await every(manager, "check_call", app=None, call=None, service=None) == [None, "b", "a"]
    assert await fold(manager, "after_call", "reply", app=None, call=None, reply=[]) == ["b", "a"]


async def test_nobody_is_fine() -> None:
    assert await first(Manager(), "before_call", app=None, call=None) is None
    assert await fold(Manager(), "after_call", "reply", app=None, call=None, reply="same") == "same"
