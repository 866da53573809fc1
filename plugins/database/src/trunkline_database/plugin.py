"""Hooks of the database family; its service types come from the connectors."""

from __future__ import annotations

import sqlalchemy as sa

from trunkline.hooks import hookimpl
from trunkline_database import extras


@hookimpl
def register_tables(metadata: sa.MetaData) -> None:
    """Bring the table of what is remembered beside the databases."""
    extras.define(metadata)
