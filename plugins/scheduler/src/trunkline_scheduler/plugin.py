"""Hooks: the tables, the resource, and a runner for each application."""

from __future__ import annotations

from collections.abc import Callable

import pluggy
import sqlalchemy as sa

from trunkline import Resource, hookimpl
from trunkline.db import tables
from trunkline_scheduler.model import Task
from trunkline_scheduler.runner import Runner
from trunkline_scheduler.table import run, scheduler, task_log
from trunkline_system.stored import StoredResource


class Tasks(StoredResource):
    """Scheduled calls."""

    name = "scheduler"
    label = "Scheduler"
    description = "Calls that are made by themselves: what, when, and as whom."
    model = Task


@hookimpl
def add_hooks(manager: pluggy.PluginManager) -> None:
    """Register what watches the clock: it has state, and there may be several applications in a process."""
    manager.register(Runner(), "scheduler.runner")


@hookimpl
def register_tables(metadata: sa.MetaData) -> None:
    """Bring the tables of tasks."""
    tables.add_to(metadata, scheduler, run, task_log)


@hookimpl
def register_resources(service_type: str, register: Callable[[type[Resource]], None]) -> None:
    """Serve tasks below ``system``."""
    if service_type == "system":
        register(Tasks)
