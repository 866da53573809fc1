"""The caches of a test run."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Server, serving


class CacheServer(Server):
    """A server that keeps values in memory, and answers with what it is once it is there."""

    def prepare(self) -> None:
        """Do nothing: it keeps nothing."""

    def is_ready(self) -> bool:
        """Say whether the port is open."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def new_config(self) -> dict[str, Any]:
        """Answer the configuration of a service on it."""
        return {"host": "127.0.0.1", "port": self.port}

    def settings(self, folder: Path) -> dict[str, Any]:
        """Answer the settings of a gateway that has its own cache on it, under a name that no other test has."""
        return {
            "cache_host": "127.0.0.1", "cache_port": self.port, "cache_prefix": f"{folder.name}:",
            "cache_password": self.password,
        }  # fmt: skip


class Redis(CacheServer):
    """Redis with a password, keeping nothing on disk."""

    name = "Redis"
    programs = ("redis-server",)
    account = "redis"

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [
            self.program("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder),
            "--save", "", "--appendonly", "no", "--requirepass", self.password,
        ]  # fmt: skip

    def new_config(self) -> dict[str, Any]:
        """Answer the configuration of a service on it."""
        return {**super().new_config(), "password": self.password}


class Memcached(CacheServer):
    """memcached, with 16 MB."""

    name = "memcached"
    programs = ("memcached",)
    account = "memcache"

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [self.program("memcached"), "-p", str(self.port), "-U", "0", "-l", "127.0.0.1", "-m", "16"]


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    """A Redis of this test run's own."""
    with serving(Redis) as server:
        yield server


@pytest.fixture(scope="session")
def memcached_server() -> Iterator[Server]:
    """A memcached of this test run's own."""
    with serving(Memcached) as server:
        yield server
