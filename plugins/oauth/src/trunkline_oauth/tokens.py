"""What providers gave for users, kept encrypted, for services that act for them there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from trunkline.db import tables
from trunkline_oauth.provider import Tokens

if TYPE_CHECKING:
    from trunkline.app import App

oauth_token = sa.Table(
    "oauth_token",
    sa.MetaData(),
    tables.id_column(),
    tables.parent("user_id", "user", nullable=False),
    tables.parent("service_id", "service", nullable=False),
    sa.Column("sealed", tables.LONG_TEXT, nullable=False),
    sa.UniqueConstraint("user_id", "service_id"),
)


def keep(app: App, user_id: int, service_id: int, tokens: Tokens) -> None:
    """Keep tokens instead of what was kept for this user and service; blocks."""
    sealed = app.vault.encrypt(tokens.as_text())
    mine = sa.and_(oauth_token.c.user_id == user_id, oauth_token.c.service_id == service_id)

    def write(connection: sa.Connection) -> None:
        if not connection.execute(sa.update(oauth_token).where(mine).values(sealed=sealed)).rowcount:
            connection.execute(sa.insert(oauth_token).values(user_id=user_id, service_id=service_id, sealed=sealed))

    try:
        # Nobody caches tokens, so no revision is raised for them.
        app.database.change(write, which=None)
    except sa.exc.IntegrityError:
        app.database.change(write, which=None)


def kept(app: App, user_id: int, service_id: int) -> Tokens | None:
    """Answer what is kept; blocks."""
    query = sa.select(oauth_token.c.sealed).where(
        oauth_token.c.user_id == user_id, oauth_token.c.service_id == service_id
    )
    sealed = app.database.read(lambda connection: connection.scalar(query))
    return Tokens.from_text(app.vault.decrypt(sealed)) if sealed is not None else None


def forget(app: App, user_id: int) -> None:
    """Forget what is kept for a user, as when logging out; blocks."""
    mine = oauth_token.c.user_id == user_id
    if app.database.read(lambda connection: connection.scalar(sa.select(oauth_token.c.id).where(mine))) is not None:
        app.database.change(lambda connection: connection.execute(sa.delete(oauth_token).where(mine)), which=None)
