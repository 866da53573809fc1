"""Reads the trail."""

from __future__ import annotations

from typing import Any

from trunkline.testing import Gateway
from trunkline_audit.resource import TRAIL
from trunkline_audit.trail import Trail


def records(gateway: Gateway, **params: Any) -> list[dict[str, Any]]:
    """Read records as an administrator."""
    reply = gateway.admin.get("/system/audit", params=params)
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["resource"]
    return found


def trail_of(gateway: Gateway) -> Trail:
    """Answer the trail of a gateway."""
    found = gateway.app.plugins.get_plugin(TRAIL)
    assert isinstance(found, Trail)
    return found
