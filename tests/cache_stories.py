"""What a cache on a server of its own must stand."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from servers import Server, serving

from trunkline.cache import Budget, SharedCache, open_cache
from trunkline.errors import Unavailable
from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for
from trunkline_cache.testing import message


def shared(driver: str, server: Any, folder: Path, **more: Any) -> SharedCache:
    """Open the gateway's own cache on a server."""
    return open_cache(settings_for(folder, cache_driver=driver, **{**server.settings(folder), **more}))


def dies_and_comes_back(gateway: Gateway, driver: str, kind: type[Server], folder: Path) -> None:
    """Checklist 34: a clear answer while it is away, nothing told of it, and no restart afterwards."""
    with serving(kind) as server, contextlib.closing(shared(driver, server, folder)) as own:
        gateway.create_service("c", f"cache_{driver}", server.new_config())
        gateway.create_service("local", "cache_local", {"store": "array"})
        admin = gateway.admin
        assert admin.put("/c/x", json=1).status_code == 200
        assert own.increment("n", 60) == 1
        server.kill()
        for _ in range(2):
            reply = admin.get("/c/x")
            assert message(reply, 503) == "The cache is not available."
            assert int(reply.headers["Retry-After"]) > 0
            assert str(server.port) not in reply.text
            with pytest.raises(Unavailable):
                own.get("n")
        assert admin.put("/local/x", json=1).status_code == 200
        server.start()
        assert admin.put("/c/x", json=2).status_code == 200
        assert admin.get("/c/x").json() == 2
        assert own.spend([Budget("n", 1, 60)])[0].count == 1
        # Nobody asks while it is away this time: connections that lead nowhere are not used.
        server.kill()
        server.start()
        assert admin.put("/c/x", json=3).status_code == 200
        assert own.increment("n", 60) == 1
