"""Hooks: a table for what providers gave, which is forgotten when its user logs out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trunkline import hookimpl
from trunkline.db import tables
from trunkline.threads import in_thread
from trunkline_oauth import settings
from trunkline_oauth.tokens import forget, oauth_token

if TYPE_CHECKING:
    import sqlalchemy as sa

    from trunkline.app import App
    from trunkline.call import Call


@hookimpl
def register_tables(metadata: sa.MetaData) -> None:
    """Bring the table, and find out at the start whether the settings can be used."""
    settings.load()
    tables.add_to(metadata, oauth_token)


@hookimpl
async def before_call(app: App, call: Call) -> None:
    """Forget a user's tokens at the provider when the session ends."""
    if call.method != "DELETE" or call.component != "session" or call.caller.session is None:
        return
    record = app.directory.snapshot.services.get(call.service.lower())
    if record is not None and record.type == "user":
        await in_thread(forget, app, call.caller.session.user_id)
