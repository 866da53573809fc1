"""Hooks: the ``user`` service exists on every instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trunkline import hookimpl
from trunkline_system.seeding import ensure_service

if TYPE_CHECKING:
    from trunkline.app import App


@hookimpl(trylast=True)
def seed(app: App) -> None:
    """Make sure that the service is there; it comes after ``system``, which always has the first id."""
    ensure_service(app, "user", "user", "User Management", "Service for allowing user management.")
