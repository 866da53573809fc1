"""memcached passes the suite of its family, and that of the gateway's own cache; and servers that are away or slow."""

from __future__ import annotations

import contextlib
import math
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cache_servers import Memcached
from cache_stories import dies_and_comes_back, shared

from trunkline.cache import SharedCache, open_cache
from trunkline.errors import GatewayTimeout
from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for
from trunkline.testing.shared_cache import SharedCacheSuite
from trunkline_cache.testing import CacheSuite, message

pytestmark = pytest.mark.live


class TestCacheMemcached(CacheSuite):
    service_type = "cache_memcached"

    @pytest.fixture
    def config(self, memcached_server: Any) -> dict[str, Any]:
        return dict(memcached_server.new_config())

    def test_the_gateways_own_keys_are_apart(self, gateway: Gateway, service: str, memcached_server: Any) -> None:
        settings = memcached_server.settings(Path("x")) | {"cache_prefix": gateway.app.settings.cache_prefix}
        shared = open_cache(settings_for(gateway.storage, cache_driver="memcached", **settings))
        shared.set("revoked:1", 1, 60)
        gateway.admin.put(f"/{service}/mine", json=1)
        for name in ("revoked:1", "shared:revoked:1", "k:revoked:1", "trunkline:shared:k:revoked:1"):
            assert gateway.admin.get(f"/{service}/{name}").status_code == 404
        assert shared.get("mine") is None
        shared.close()

    def test_a_value_that_is_too_large_is_a_413(self, gateway: Gateway, key: str) -> None:
        assert "larger than the cache takes" in message(gateway.admin.put(key, json="x" * 1_100_000), 413)
        assert "larger than the cache takes" in message(gateway.admin.post(key, json="x" * 1_100_000), 413)

    def test_what_others_have_stored_is_no_value(self, gateway: Gateway, service: str, memcached_server: Any) -> None:
        from pymemcache import Client

        with contextlib.closing(Client(("127.0.0.1", memcached_server.port))) as client:
            prefix = f"{gateway.app.settings.cache_prefix}value:k:"
            client.set(f"{prefix}short", b"x", noreply=False)
            client.set(f"{prefix}long", struct.pack(">d", math.inf) + b"hello", noreply=False)
        assert gateway.admin.get(f"/{service}/short").status_code == 404
        assert "not stored by a cache service" in message(gateway.admin.get(f"/{service}/long"), 502)

    def test_the_fields_are_in_their_order(self, gateway: Gateway) -> None:
        entries = gateway.app.registry.load(self.service_type).config_class().schema_entries()
        assert [(one["name"], one["label"], one["default"]) for one in entries] == [
            ("host", "Host", "127.0.0.1"), ("port", "Port", 11211), ("default_ttl", "Default TTL", 300),
        ]  # fmt: skip


class TestMemcachedAsTheSharedCache(SharedCacheSuite):
    counts_exactly = False

    @pytest.fixture
    def cache(self, memcached_server: Any, tmp_path: Path) -> Iterator[SharedCache]:
        with contextlib.closing(shared("memcached", memcached_server, tmp_path)) as made:
            yield made

    @pytest.fixture
    def second(self, cache: SharedCache, memcached_server: Any, tmp_path: Path) -> Iterator[SharedCache]:
        with contextlib.closing(shared("memcached", memcached_server, tmp_path)) as made:
            yield made


def test_beginnings_are_cleared_at_colons(memcached_server: Any, tmp_path: Path) -> None:
    with contextlib.closing(shared("memcached", memcached_server, tmp_path)) as cache:
        keys = ("limit:1:day:", "limit:1:hour:7", "limit:12:day:", "a:b:c:d:e:f:g:h")
        for key in keys:
            cache.set(key, 1, 60)
        cache.clear("limit:1:")
        assert [cache.get(key) for key in keys] == [None, None, 1, 1]
        cache.clear("limit:")
        cache.clear("a:b:c:d:e:f:")
        assert [cache.get(key) for key in keys] == [None] * 4
        assert cache.increment("limit:1:day:", 60) == 1
        for prefix in ("", "limit", "a:b:c:d:e:f:g:"):
            with pytest.raises(ValueError, match="colon"):
                cache.clear(prefix)


def test_what_is_forgotten_is_never_what_was_cleared(memcached_server: Any, tmp_path: Path) -> None:
    """When the server loses a generation, values of the one before stay cleared, as do those that it had."""
    from pymemcache import Client

    with contextlib.closing(shared("memcached", memcached_server, tmp_path)) as cache:
        cache.clear("some:")
        cache.set("some:1", 1, 60)
        name = cache._cells.name("\0generationsome:")
        with contextlib.closing(Client(("127.0.0.1", memcached_server.port))) as client:
            assert client.delete(name, noreply=False)
        assert cache.get("some:1") is None


def test_a_silent_server_is_a_504_and_holds_nobody_else(
    fresh_gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checklist 34: more calls than there are threads wait in its own line, not in that of other services."""
    monkeypatch.setattr("trunkline_cache_memcached.cells._ANSWER", 0.5)
    monkeypatch.setattr("trunkline_cache_memcached.store._ALL", 1.0)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent, ThreadPoolExecutor(40) as pool:
        port = silent.getsockname()[1]
        fresh_gateway.create_service("c", "cache_memcached", {"host": "127.0.0.1", "port": port})
        fresh_gateway.create_service("local", "cache_local", {"store": "file"})
        waiting = [pool.submit(fresh_gateway.admin.get, "/c/x") for _ in range(40)]
        began = time.monotonic()
        assert fresh_gateway.admin.put("/local/x", json=1).status_code == 200
        assert time.monotonic() - began < 0.5
        assert {message(one.result(), 504) for one in waiting} == {"The cache did not answer in time."}
        assert time.monotonic() - began < 4
        settings = {"cache_host": "127.0.0.1", "cache_port": port, "cache_driver": "memcached"}
        with (
            contextlib.closing(open_cache(settings_for(tmp_path, **settings))) as own,
            pytest.raises(GatewayTimeout),
        ):
            own.get("x")


def test_a_server_that_dies_and_comes_back(fresh_gateway: Gateway, tmp_path: Path) -> None:
    """Checklist 34."""
    dies_and_comes_back(fresh_gateway, "memcached", Memcached, tmp_path)


def test_a_gateway_runs_on_it(memcached_server: Any, tmp_path: Path) -> None:
    """A session that was ended on one node is ended on another."""
    settings = {**memcached_server.settings(tmp_path), "cache_driver": "memcached"}
    with Gateway(settings_for(tmp_path, **settings)) as one:
        user = one.create_user("ann@example.com", is_sys_admin=True)
        client = one.as_user(user)
        assert client.get("/system/environment").status_code == 200
        assert client.delete("/system/admin/session").status_code == 200
        assert client.get("/system/environment").status_code in (401, 403)
