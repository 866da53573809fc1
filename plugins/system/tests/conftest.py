"""What the tests of stored records share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trunkline.testing import Client, Gateway

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def admin(gateway: Gateway) -> Client:
    """An administrator of the gateway that a class of tests shares."""
    return gateway.admin
