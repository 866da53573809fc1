"""The private servers that connectors' tests ask for; the same ones as for all other tests of a run."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Make the fixtures of ``tests/servers.py`` known once, however many folders ask for them."""
    if not config.pluginmanager.has_plugin("servers"):
        config.pluginmanager.import_plugin("servers")
