"""A gateway with a toy service on it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trunkline.testing import Gateway

sys.path.insert(0, str(Path(__file__).parent))

from toys import Toy


@pytest.fixture
def toy(fresh_gateway: Gateway) -> Gateway:
    """A gateway that serves the toy type under the name ``toy``."""
    fresh_gateway.app.registry.add("toy", Toy)
    fresh_gateway.create_service("toy", "toy", {"host": "here", "password": "open sesame"})
    return fresh_gateway
