"""What the tests of stored records share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trunkline.testing import Client, Gateway

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def admin(gateway: Gateway) -> Client:
    """An administrator of the gateway that a class of tests shares."""
    return gateway.admin


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A gateway with something of everything."""
    from packing import full_gateway

    monkeypatch.setenv("CHEST_TOKEN", "canary of the environment")
    with full_gateway(tmp_path) as gateway:
        yield gateway


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway as it is when installed, with the same service types."""
    from packing import opened

    with opened(tmp_path, "empty") as gateway:
        yield gateway
