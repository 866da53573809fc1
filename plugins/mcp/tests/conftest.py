"""A shop with books and a folder of files, and a server over them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trunkline.testing import Gateway

sys.path.insert(0, str(Path(__file__).parent))

from speaking import Speaker, new_files, new_shop


def pytest_configure(config: pytest.Config) -> None:
    """Make the real servers of ``tests/servers.py`` known once, however many folders ask for them."""
    if not config.pluginmanager.has_plugin("servers"):
        config.pluginmanager.import_plugin("servers")


@pytest.fixture(scope="class")
def shop(gateway: Gateway) -> Gateway:
    """A gateway with a shop, files, and a server ``ai`` over all of it."""
    new_shop(gateway)
    new_files(gateway)
    gateway.create_service("ai", "mcp", {"lazy_mode": "off"})
    return gateway


@pytest.fixture(scope="class")
def ai(shop: Gateway) -> Speaker:
    """An administrator who speaks to the server."""
    return Speaker(shop.admin)
