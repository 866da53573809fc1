"""Access rows get filters of replies (D33)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
_TABLE, _COLUMN = "role_service_access", "response_filters"


def upgrade() -> None:
    """Add the column, unless a run that was interrupted has done so."""
    there = {one["name"] for one in sa.inspect(op.get_bind()).get_columns(_TABLE)}
    if _COLUMN not in there:
        op.add_column(_TABLE, sa.Column(_COLUMN, sa.Text().with_variant(LONGTEXT(), "mysql"), nullable=True))
