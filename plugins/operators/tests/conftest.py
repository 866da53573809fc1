"""What the tests of operators share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


def pytest_configure(config: pytest.Config) -> None:
    """Make the real servers of ``tests/servers.py`` known once, however many folders ask for them."""
    if not config.pluginmanager.has_plugin("servers"):
        config.pluginmanager.import_plugin("servers")
