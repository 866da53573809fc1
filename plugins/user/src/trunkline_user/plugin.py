"""Hooks: the ``user`` service exists on every instance, with a table of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from trunkline import hookimpl
from trunkline.db import tables
from trunkline_system.seeding import ensure_service
from trunkline_user.custom import user_custom
from trunkline_user.shadow import external_account

if TYPE_CHECKING:
    from trunkline.app import App


@hookimpl(trylast=True)
def seed(app: App) -> None:
    """Make sure that the service is there; it comes after ``system``, which always has the first id."""
    ensure_service(app, "user", "user", "User Management", "Service for allowing user management.")


@hookimpl
def register_tables(metadata: sa.MetaData) -> None:
    """Bring the tables of what users keep and of who comes from where."""
    tables.add_to(metadata, user_custom, external_account)
