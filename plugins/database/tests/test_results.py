"""Keys and bounds of kept results (database-api 17.2)."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from trunkline.cache import MemoryCache
from trunkline.call import Call, Caller
from trunkline_database import results
from trunkline_database.model import Column, Table, TableName
from trunkline_database.params import read_query
from trunkline_database.plan import Target

TABLE = Table(TableName("book"), (Column("id", "id", "integer", is_primary_key=True),))


@pytest.fixture
def kept() -> results.Results:
    app: Any = SimpleNamespace(cache=MemoryCache(None), settings=SimpleNamespace(max_records=10))  # type: ignore[arg-type]
    service: Any = SimpleNamespace(
        record=SimpleNamespace(id=7, config="{}"), app=app, config=SimpleNamespace(cache_ttl=60)
    )
    return results.Results(service)


def target(kept: results.Results, *path: str, **params: Any) -> Target:
    call = Call("GET", "shop", ("_table", "book", *path), dict(params), caller=Caller(is_admin=True))
    service: Any = kept._service
    return Target(service, call, TABLE, read_query(call), "GET", "_table/book")


def test_requests_that_differ_anywhere_have_keys_that_differ(kept: results.Results) -> None:
    asked = [
        target(kept),
        target(kept, "1"),
        target(kept, "1", fields="id"),
        target(kept, fields="1"),
        target(kept, filter="a", fields="id"),
        target(kept, filter='a","fields":"id'),
        target(kept, related="a,b"),
        target(kept, related="a", b=""),
        target(kept, **{"a.fields": "x"}),
        target(kept, a={"fields": "x"}),
    ]
    assert len({kept._key(one) for one in asked}) == len(asked)
    assert kept._key(target(kept, refresh="true")) == kept._key(target(kept))


def test_what_is_kept_stays_within_bounds(kept: results.Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "_MOST_OF_ONE", 1000)
    for number in range(50_000):
        kept._keep(str(number), ("a", "b"), {"number": number})
    assert len(kept._entries) * results._OVERHEAD < results._MOST_BYTES
    kept._keep("large", ("a", "b"), "x" * 2000)
    assert "large" not in kept._entries
    kept._keep("stream", ("a", "b"), (one for one in "x"))
    assert "stream" not in kept._entries


def test_a_read_that_a_write_overtook_is_not_answered_again(kept: results.Results) -> None:
    call = Call("PATCH", "shop", ("_table", "book"), body={"title": "x"})

    async def overtaken() -> str:
        await kept.written(call, TABLE)
        return "old"

    async def fresh() -> str:
        return "new"

    async def asked() -> list[str]:
        return [await kept.answer(target(kept), read) for read in (overtaken, fresh, overtaken)]

    assert asyncio.run(asked()) == ["old", "new", "new"]


def test_what_another_service_answered_is_not_kept(kept: results.Results) -> None:
    answers = iter(("first", "second"))
    asked = target(kept)
    asked.sources.update({7, 8})

    async def read() -> str:
        return next(answers)

    async def twice() -> list[str]:
        return [await kept.answer(asked, read) for _ in range(2)]

    assert asyncio.run(twice()) == ["first", "second"]
