"""The ``system`` service: the gateway's own configuration over REST."""

from __future__ import annotations

from trunkline_system.service import SystemConfig, SystemService

__all__ = ["SystemConfig", "SystemService"]
