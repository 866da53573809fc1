"""``user/custom``: what clients keep for the user who is logged in (system-api 7.10)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from trunkline.call import Call
from trunkline.db import tables
from trunkline.errors import Unauthorized
from trunkline_system import writing
from trunkline_system.custom import Custom
from trunkline_system.model import Row, Work
from trunkline_system.models.custom import CustomModel
from trunkline_system.session import NO_SESSION

user_custom = sa.Table(
    "user_custom",
    sa.MetaData(),
    tables.id_column(),
    tables.parent("user_id", "user", nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("value", tables.LONG_TEXT),
    *tables.stamps(),
    sa.UniqueConstraint("user_id", "name"),
)


class UserCustomModel(CustomModel):
    """A value under a name, of one user."""

    table = user_custom
    hidden = frozenset({"id", "user_id"})

    @classmethod
    def scope(cls, call: Call) -> sa.ColumnElement[bool]:
        """Show users their own."""
        return cls.table.c.user_id == (call.caller.user.id if call.caller.user else None)


class UserCustom(Custom):
    """Values of clients, for the user who is logged in."""

    description = "JSON values that clients keep by name, for the user who is logged in."
    model = UserCustomModel
    needs_user = True

    async def handle(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Serve users only; an app alone has nothing of its own."""
        if call.caller.user is None:
            raise Unauthorized(NO_SESSION)
        return await super().handle(call, rest)

    def _create(self, work: Work, given: dict[str, Any]) -> Row:
        """Create a value, or update the one that has the name already (system-api 7.10)."""
        scope = UserCustomModel.scope(work.call)
        query = sa.select(user_custom).where(scope, user_custom.c.name == str(given.get("name")))
        stored = work.connection.execute(query).mappings().first()
        if stored is None:
            return writing.create(work, self.model, given, user_id=work.user_id)
        return writing.update(work, self.model, stored, given)
