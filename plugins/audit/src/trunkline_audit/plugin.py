"""Hooks: the table, the resource, and a trail for each application."""

from __future__ import annotations

from collections.abc import Callable

import pluggy
import sqlalchemy as sa

from trunkline import Resource, hookimpl
from trunkline.db import tables
from trunkline_audit.resource import TRAIL, AuditTrail
from trunkline_audit.settings import load
from trunkline_audit.table import audit
from trunkline_audit.trail import Trail


@hookimpl
def add_hooks(manager: pluggy.PluginManager) -> None:
    """Register the trail, unless it is switched off: it has state, and there may be several applications."""
    settings = load()
    if settings.enabled:
        manager.register(Trail(settings), TRAIL)


@hookimpl
def register_tables(metadata: sa.MetaData) -> None:
    """Bring the table of the trail."""
    tables.add_to(metadata, audit)


@hookimpl
def register_resources(service_type: str, register: Callable[[type[Resource]], None]) -> None:
    """Serve the trail below ``system``."""
    if service_type == "system":
        register(AuditTrail)
