"""Hooks: the tables, and the listeners of each application."""

from __future__ import annotations

import pluggy
import sqlalchemy as sa

from trunkline import hookimpl
from trunkline.db import tables
from trunkline_messaging.listening import Listening
from trunkline_messaging.table import handled, listener, subscription


@hookimpl
def add_hooks(manager: pluggy.PluginManager) -> None:
    """Register what listens: it has state, and there may be several applications in a process."""
    manager.register(Listening(), "messaging.listening")


@hookimpl
def register_tables(metadata: sa.MetaData) -> None:
    """Bring the tables of subscriptions."""
    tables.add_to(metadata, subscription, listener, handled)
