"""The table of audit records in the system database. It refers to nothing: records outlive what they tell of."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import DATETIME

from trunkline.db import tables

RESOURCE_LENGTH = 512
NAME_LENGTH = 255

audit = sa.Table(
    "audit",
    sa.MetaData(),
    tables.id_column(),
    # UTC; the moment of the reply.
    sa.Column("time", sa.DateTime().with_variant(DATETIME(fsp=6), "mysql"), nullable=False, index=True),
    # login, write or refused.
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("user_id", sa.Integer, index=True),
    sa.Column("user_name", sa.String(NAME_LENGTH)),
    sa.Column("is_sys_admin", sa.Boolean, nullable=False, default=False),
    sa.Column("app_id", sa.Integer),
    sa.Column("app_name", sa.String(NAME_LENGTH)),
    sa.Column("role_id", sa.Integer),
    sa.Column("role_name", sa.String(NAME_LENGTH)),
    sa.Column("client", sa.String(64)),
    sa.Column("verb", sa.String(16), nullable=False),
    sa.Column("service", sa.String(NAME_LENGTH), nullable=False),
    sa.Column("resource", sa.String(RESOURCE_LENGTH), nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("request_id", sa.String(64)),
    sa.Column("duration_ms", sa.Float),
    # JSON lists, for changes of stored records of the platform only: which records, and the names of what was sent.
    sa.Column("record_ids", sa.Text),
    sa.Column("fields", sa.Text),
)
