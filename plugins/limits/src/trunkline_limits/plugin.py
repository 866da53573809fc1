"""Hooks: the table, the resources, and an enforcement for each application."""

from __future__ import annotations

from collections.abc import Callable

import pluggy
import sqlalchemy as sa

from trunkline import Resource, hookimpl
from trunkline.db import tables
from trunkline_limits.enforcement import Enforcement
from trunkline_limits.resources import LimitCaches, Limits
from trunkline_limits.table import limit


@hookimpl
def add_hooks(manager: pluggy.PluginManager) -> None:
    """Register what counts: it has state, and there may be several applications in a process."""
    manager.register(Enforcement(), "limits.enforcement")


@hookimpl
def register_tables(metadata: sa.MetaData) -> None:
    """Bring the table of limits."""
    tables.add_to(metadata, limit)


@hookimpl
def register_resources(service_type: str, register: Callable[[type[Resource]], None]) -> None:
    """Serve limits and their counters below ``system``."""
    added: tuple[type[Resource], ...] = (Limits, LimitCaches) if service_type == "system" else ()
    for resource in added:
        register(resource)
