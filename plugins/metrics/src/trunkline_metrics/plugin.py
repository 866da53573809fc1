"""Hooks: instruments for each application, where any are wanted."""

from __future__ import annotations

import pluggy

from trunkline import hookimpl
from trunkline_metrics.instruments import Instruments
from trunkline_metrics.settings import load


@hookimpl
def add_hooks(manager: pluggy.PluginManager) -> None:
    """Register the instruments, which have state; nothing is registered where none are wanted."""
    settings = load()
    if settings.enabled or settings.otlp_endpoint:
        manager.register(Instruments(settings), "metrics.instruments")
