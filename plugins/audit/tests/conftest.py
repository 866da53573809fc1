"""What the tests of the trail share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trunkline.testing import Gateway

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def audit_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for the trail; ask for it before the gateway."""
    path = tmp_path / "audit.jsonl"
    monkeypatch.setenv("AUDIT_LOG", str(path))
    return path


@pytest.fixture
def logged_gateway(audit_log: Path, fresh_gateway: Gateway) -> Gateway:
    """A gateway whose trail goes to the file, too."""
    return fresh_gateway


def pytest_configure(config: pytest.Config) -> None:
    """Make the real servers of ``tests/servers.py`` known once, however many folders ask for them."""
    if not config.pluginmanager.has_plugin("servers"):
        config.pluginmanager.import_plugin("servers")
