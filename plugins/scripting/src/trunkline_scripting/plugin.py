"""Hooks: the table, the resources, and what runs scripts for each application."""

from __future__ import annotations

from collections.abc import Callable

import pluggy
import sqlalchemy as sa

from trunkline import Resource, hookimpl
from trunkline.db import tables
from trunkline_scripting.resources import EventScripts, ScriptTypes
from trunkline_scripting.scripts import NAME, Scripts
from trunkline_scripting.settings import load
from trunkline_scripting.table import event_script


@hookimpl
def add_hooks(manager: pluggy.PluginManager) -> None:
    """Register what runs scripts: it has state, and there may be several applications in a process."""
    manager.register(Scripts(load()), NAME)


@hookimpl
def register_tables(metadata: sa.MetaData) -> None:
    """Bring the table of event scripts."""
    tables.add_to(metadata, event_script)


@hookimpl
def register_resources(service_type: str, register: Callable[[type[Resource]], None]) -> None:
    """Serve scripts and their languages below ``system``."""
    added: tuple[type[Resource], ...] = (EventScripts, ScriptTypes) if service_type == "system" else ()
    for one in added:
        register(one)
