"""The local cache passes the suite of its family, in both stores; and its files, its bounds."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from trunkline.errors import TooLarge
from trunkline.testing import Gateway
from trunkline_cache.testing import CacheSuite, message
from trunkline_cache_local.memory import MemoryStore


class TestFile(CacheSuite):
    service_type = "cache_local"

    @pytest.fixture
    def config(self) -> dict[str, Any]:
        return {"store": "file"}

    def test_another_store_is_a_file(self, gateway: Gateway, service: str, key: str) -> None:
        gateway.create_service("as_redis", self.service_type, {"store": "redis"})
        gateway.admin.put(key, json=1)
        assert gateway.admin.get(key.replace(service, "as_redis")).json() == 1

    def test_a_file_that_is_locked_or_broken_is_a_503(self, fresh_gateway: Gateway) -> None:
        fresh_gateway.create_service("broken", self.service_type, {"store": "file"})
        path = fresh_gateway.storage / "values.sqlite"
        path.write_bytes(b"no database at all" * 100)
        assert message(fresh_gateway.admin.get("/broken/x"), 503) == "The cache is not available."
        path.unlink()
        assert fresh_gateway.admin.put("/broken/x", json=1).status_code == 200
        assert path.stat().st_mode & 0o077 == 0

    def test_what_has_ended_leaves_the_file(self, fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("trunkline_cache_local.file._WRITES_PER_PURGE", 2)
        fresh_gateway.create_service("c", self.service_type, {"store": "file"})
        fresh_gateway.admin.put("/c/ever", json=1, params={"forever": 1})
        with sqlite3.connect(fresh_gateway.storage / "values.sqlite") as db:
            db.execute("insert into item values ('old', 'x', 1.0)")
        db.close()
        for number in range(2):
            fresh_gateway.admin.put(f"/c/{number}", json=1)
        with sqlite3.connect(fresh_gateway.storage / "values.sqlite") as db:
            assert db.execute("select count(*) from item").fetchone() == (3,)
        db.close()


class TestArray(CacheSuite):
    service_type = "cache_local"

    @pytest.fixture
    def config(self) -> dict[str, Any]:
        return {"store": "array"}

    def test_the_store_is_needed_and_offered(self, gateway: Gateway) -> None:
        entries = gateway.app.registry.load(self.service_type).config_class().schema_entries()
        assert [(one["name"], one["label"], one["type"]) for one in entries] == [
            ("store", "Store", "picklist"), ("default_ttl", "Default TTL", "integer"),
        ]  # fmt: skip
        record = {"name": "none", "type": self.service_type, "config": {}}
        assert "config.store" in gateway.admin.post("/system/service", json={"resource": [record]}).text


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_oldest_make_room() -> None:
    store = MemoryStore(most=10_000)
    for number in range(100):
        await store.put({str(number): b"x" * 100}, None)
    assert await store.get("0") is None
    assert await store.get("99") == b"x" * 100
    with pytest.raises(TooLarge):
        await store.put({"a": b"x" * 9_900}, None)
    assert await store.get("99") == b"x" * 100
