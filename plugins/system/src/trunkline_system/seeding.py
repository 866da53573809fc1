"""Creating services that a plugin cannot do without."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from trunkline.db import tables

if TYPE_CHECKING:
    from trunkline.app import App


def ensure_service(app: App, name: str, kind: str, label: str, description: str, *, mutable: bool = True) -> None:
    """Create a service unless it is there; safe when several workers or nodes start at once."""
    table = tables.service
    query = sa.select(table.c.id).where(table.c.name == name)

    def create(connection: sa.Connection) -> None:
        # Asked again: where a transaction begins with the write lock, this is the answer that counts.
        if connection.scalar(query) is None:
            now = datetime.now(UTC).replace(tzinfo=None)
            connection.execute(
                sa.insert(table).values(
                    name=name,
                    type=kind,
                    label=label,
                    description=description,
                    is_active=True,
                    config="{}",
                    mutable=mutable,
                    deletable=False,
                    created_date=now,
                    last_modified_date=now,
                )
            )

    if app.database.read(lambda connection: connection.scalar(query)) is None:
        # On a server the unique name decides, and the node that was faster made the same record.
        with contextlib.suppress(sa.exc.IntegrityError):
            app.database.change(create)
