"""The servers that tests marked ``live`` may ask for."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Make the fixtures of ``servers.py`` known once, however many folders ask for them."""
    if not config.pluginmanager.has_plugin("servers"):
        config.pluginmanager.import_plugin("servers")
