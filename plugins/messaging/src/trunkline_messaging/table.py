"""The tables of subscriptions: what is subscribed, which worker listens, and what has been handled."""

from __future__ import annotations

import sqlalchemy as sa

from trunkline.db import tables

_metadata = sa.MetaData()

subscription = sa.Table(
    "messaging_subscription",
    _metadata,
    tables.id_column(),
    tables.parent("service_id", "service", nullable=False),
    # What was posted, as JSON.
    sa.Column("item", tables.LONG_TEXT, nullable=False),
    # In whose name services are called: a user, an app, both; the platform itself only where it subscribed.
    tables.parent("user_id", "user"),
    tables.parent("app_id", "app"),
    sa.Column("by_platform", sa.Boolean, nullable=False, default=False),
)
# Which worker listens for a service, until when it is believed (epoch seconds), how often listening has begun; and
# what the broker keeps for us meanwhile, as JSON, which outlives the subscriptions until the broker has been told.
listener = sa.Table(
    "messaging_listener",
    _metadata,
    sa.Column("service_id", sa.Integer, sa.ForeignKey(tables.service.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("holder", sa.String(32), nullable=False),
    sa.Column("believed_until", sa.Float, nullable=False),
    sa.Column("attempted", sa.Integer, nullable=False, default=0),
    sa.Column("held", tables.LONG_TEXT),
)
# Messages that were handled, lately: the broker sends them again where it has not learnt of it.
handled = sa.Table(
    "messaging_handled",
    _metadata,
    tables.id_column(),
    sa.Column("service_id", sa.Integer, sa.ForeignKey(tables.service.c.id, ondelete="CASCADE"), nullable=False),
    sa.Column("message", sa.String(64), nullable=False),
    sa.Index("messaging_handled_message", "service_id", "message"),
)
