"""The table of event scripts."""

from __future__ import annotations

import sqlalchemy as sa

from trunkline.db import tables

event_script = sa.Table(
    "event_script",
    sa.MetaData(),
    # The name of the event.
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("type", sa.String(40), nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False, default=False),
    sa.Column("content", tables.LONG_TEXT),
    sa.Column("config", tables.LONG_TEXT),
    sa.Column("allow_event_modification", sa.Boolean, nullable=False, default=False),
    *tables.stamps(),
)
