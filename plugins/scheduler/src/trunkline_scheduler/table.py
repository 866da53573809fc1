"""The tables of tasks, of who runs them, and of what came of it."""

from __future__ import annotations

import sqlalchemy as sa

from trunkline.db import tables

_metadata = sa.MetaData()

scheduler = sa.Table(
    "scheduler",
    _metadata,
    tables.id_column(),
    sa.Column("name", sa.String(64), unique=True, nullable=False),
    sa.Column("description", sa.String(255)),
    sa.Column("is_active", sa.Boolean, nullable=False, default=False),
    tables.parent("service_id", "service"),
    tables.parent("app_id", "app"),
    tables.parent("user_id", "user"),
    sa.Column("component", sa.String(1024)),
    sa.Column("verb_mask", sa.Integer, nullable=False, default=1),
    # Minutes; counts where there is no schedule.
    sa.Column("frequency", sa.Integer, nullable=False, default=5),
    sa.Column("schedule", sa.String(255)),
    sa.Column("payload", tables.LONG_TEXT),
    *tables.stamps(),
)
# Which run was the last that somebody took (epoch seconds), and until when whoever took it is believed to be at it.
run = sa.Table(
    "scheduler_run",
    _metadata,
    sa.Column("task_id", sa.Integer, sa.ForeignKey(scheduler.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("due", sa.Float, nullable=False),
    sa.Column("busy_until", sa.Float, nullable=False),
)
task_log = sa.Table(
    "task_log",
    _metadata,
    tables.id_column(),
    sa.Column("task_id", sa.Integer, sa.ForeignKey(scheduler.c.id, ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("status_code", sa.Integer, nullable=False),
    sa.Column("content", tables.LONG_TEXT),
    sa.Column("created_date", sa.DateTime, nullable=False),
)
