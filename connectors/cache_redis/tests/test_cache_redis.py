"""Redis passes the suite of its family, and that of the gateway's own cache; and servers away, slow, refusing."""

from __future__ import annotations

import contextlib
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cache_servers import Redis
from cache_stories import dies_and_comes_back, shared
from directory_servers import certificates
from servers import serving

from trunkline.cache import SharedCache, open_cache
from trunkline.errors import BadGateway, GatewayTimeout
from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for
from trunkline.testing.shared_cache import SharedCacheSuite
from trunkline_cache.testing import CacheSuite, message

pytestmark = pytest.mark.live


class TestCacheRedis(CacheSuite):
    service_type = "cache_redis"

    @pytest.fixture
    def config(self, redis_server: Any) -> dict[str, Any]:
        return {**redis_server.new_config(), "options": {"timeout": 2, "read_write_timeout": -1}}

    def test_databases_and_the_gateways_own_keys_are_apart(
        self, gateway: Gateway, service: str, redis_server: Any
    ) -> None:
        gateway.create_service("other", self.service_type, {**redis_server.new_config(), "database_index": 3})
        gateway.admin.put(f"/{service}/mine", json=1)
        assert gateway.admin.get("/other/mine").status_code == 404
        settings = redis_server.settings(Path("x")) | {"cache_prefix": gateway.app.settings.cache_prefix}
        shared = open_cache(settings_for(gateway.storage, cache_driver="redis", **settings))
        shared.set("revoked:1", 1, 60)
        for name in ("revoked:1", "shared:revoked:1", "trunkline:shared:revoked:1"):
            assert gateway.admin.get(f"/{service}/{name}").status_code == 404
        assert shared.get("mine") is None
        shared.close()

    def test_a_wrong_password_is_a_502(self, gateway: Gateway, redis_server: Any) -> None:
        for password in ("wr0ng", None):
            name = f"wrong{password}"
            gateway.create_service(name, self.service_type, {**redis_server.new_config(), "password": password})
            told = message(gateway.admin.get(f"/{name}/x"), 502)
            assert told == "The cache refuses what this service asks of it."

    def test_what_others_have_stored_is_a_502(self, gateway: Gateway, service: str, redis_server: Any) -> None:
        import redis

        with redis.Redis(port=redis_server.port, password=redis_server.password) as client:
            for name, value in (("odd", "hello"), ("marked", "j{")):
                client.set(f"{gateway.app.settings.cache_prefix}value:{name}", value, ex=60)
                assert "not stored by a cache service" in message(gateway.admin.get(f"/{service}/{name}"), 502)
            client.rpush(f"{gateway.app.settings.cache_prefix}value:list", "a")
            assert gateway.admin.get(f"/{service}/list").status_code == 502

    def test_the_fields_are_in_their_order(self, gateway: Gateway) -> None:
        entries = gateway.app.registry.load(self.service_type).config_class().schema_entries()
        assert [(one["name"], one["label"], one["default"]) for one in entries] == [
            ("host", "Host", "127.0.0.1"), ("port", "Port", 6379), ("password", "Password", None),
            ("database_index", "Database Index", 0), ("default_ttl", "Default TTL", 300), ("options", "Options", None),
        ]  # fmt: skip


class TestRedisAsTheSharedCache(SharedCacheSuite):
    @pytest.fixture
    def cache(self, redis_server: Any, tmp_path: Path) -> Iterator[SharedCache]:
        with contextlib.closing(shared("redis", redis_server, tmp_path)) as made:
            yield made

    @pytest.fixture
    def second(self, cache: SharedCache, redis_server: Any, tmp_path: Path) -> Iterator[SharedCache]:
        with contextlib.closing(shared("redis", redis_server, tmp_path)) as made:
            yield made

    def test_many_keys_are_cleared(self, cache: SharedCache) -> None:
        for number in range(2100):
            cache.set(f"many:{number}", number, 60)
        cache.set("man", 1, 60)
        assert cache.size() == 2101
        cache.clear("many:")
        assert (cache.size(), cache.get("man")) == (1, 1)

    def test_special_characters_of_a_prefix_mean_themselves(self, cache: SharedCache) -> None:
        for key in ("a*:1", "a?:1", "a[b]:1", "a\\:1", "ab:1"):
            cache.set(key, 1, 60)
        for prefix in ("a*:", "a?:", "a[b]:", "a\\:"):
            cache.clear(prefix)
            assert (cache.get(f"{prefix}1"), cache.get("ab:1")) == (None, 1)


def test_a_server_that_dies_and_comes_back(fresh_gateway: Gateway, tmp_path: Path) -> None:
    """Checklist 34."""
    dies_and_comes_back(fresh_gateway, "redis", Redis, tmp_path)


def test_a_server_that_says_nothing_is_a_504(fresh_gateway: Gateway, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        config = {"host": "127.0.0.1", "port": port, "options": {"timeout": 0.3, "read_write_timeout": 0.3}}
        fresh_gateway.create_service("c", "cache_redis", config)
        fresh_gateway.create_service("local", "cache_local", {"store": "array"})
        began = time.monotonic()
        told = message(fresh_gateway.admin.get("/c/x"), 504)
        assert told == "The cache did not answer in time."
        assert time.monotonic() - began < 3
        assert fresh_gateway.admin.put("/local/x", json=1).status_code == 200


def test_a_silent_server_does_not_hold_the_gateways_own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trunkline_cache_redis.store import Server

    usual = Server.options
    monkeypatch.setattr(Server, "options", lambda self: {**usual(self), "socket_timeout": 0.3})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {"cache_host": "127.0.0.1", "cache_port": silent.getsockname()[1], "cache_driver": "redis"}
        with (
            contextlib.closing(open_cache(settings_for(tmp_path, **settings))) as own,
            pytest.raises(GatewayTimeout),
        ):
            own.get("x")


def test_a_refused_login_of_the_gateway_is_told(redis_server: Any, tmp_path: Path) -> None:
    with (
        contextlib.closing(shared("redis", redis_server, tmp_path, cache_password="wr0ng")) as own,
        pytest.raises(BadGateway),
    ):
        own.get("x")


def test_a_gateway_runs_on_it(redis_server: Any, tmp_path: Path) -> None:
    """A session that was ended on one node is ended on another."""
    settings = {**redis_server.settings(tmp_path), "cache_driver": "redis"}
    with Gateway(settings_for(tmp_path, **settings)) as one:
        user = one.create_user("ann@example.com", is_sys_admin=True)
        client = one.as_user(user)
        assert client.get("/system/environment").status_code == 200
        assert client.delete("/system/admin/session").status_code == 200
        assert client.get("/system/environment").status_code in (401, 403)


class TlsRedis(Redis):
    """Redis that listens with TLS only, by a certificate that a test authority has signed."""

    def prepare(self) -> None:
        certificates(self.folder, "127.0.0.1")
        for one in ("cert.pem", "key.pem"):
            shutil.chown(self.folder / one, self.account, self.account)

    def command(self) -> list[str]:
        at = self.folder
        return [
            *super().command(), "--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no",
            *("--tls-cert-file", f"{at}/cert.pem", "--tls-key-file", f"{at}/key.pem"),
            *("--tls-ca-cert-file", f"{at}/ca.pem"),
        ]  # fmt: skip


def test_tls_is_used_and_certificates_are_checked(fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority that the system does not know, one that it knows, and no TLS where the server wants it."""
    with serving(TlsRedis) as server:
        made = {**server.new_config(), "options": {"scheme": "tls", "timeout": 2, "read_write_timeout": 2}}
        fresh_gateway.create_service(
            "plain", "cache_redis", {**made, "options": {"timeout": 2, "read_write_timeout": 2}}
        )
        fresh_gateway.create_service("unknown", "cache_redis", made)
        for name in ("plain", "unknown"):
            reply = fresh_gateway.admin.put(f"/{name}/a", json=1)
            assert reply.status_code in (502, 503), reply.text
            assert str(server.port) not in reply.text
        monkeypatch.setenv("SSL_CERT_FILE", str(server.folder / "ca.pem"))
        fresh_gateway.create_service("known", "cache_redis", made)
        assert fresh_gateway.admin.put("/known/a", json=1).status_code == 200
        assert fresh_gateway.admin.get("/known/a").json() == 1
