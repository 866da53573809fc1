"""The table of limits in the system database."""

from __future__ import annotations

import sqlalchemy as sa

from trunkline.db import tables

limit = sa.Table(
    "limit",
    sa.MetaData(),
    tables.id_column(),
    sa.Column("type", sa.String(64), nullable=False),
    # Text that tells apart what is counted; two limits that count the same would only differ in which one is obeyed.
    sa.Column("key_text", sa.String(400), unique=True, nullable=False),
    sa.Column("rate", sa.Integer, nullable=False),
    sa.Column("period", sa.String(16), nullable=False),
    tables.parent("user_id", "user"),
    tables.parent("role_id", "role"),
    tables.parent("service_id", "service"),
    sa.Column("endpoint", sa.String(255)),
    sa.Column("verb", sa.String(8)),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("description", sa.String(255)),
    sa.Column("is_active", sa.Boolean, nullable=False, default=True),
    *tables.stamps(),
)
