"""Changing a password (system-api 8.5); resets by mail come with the email services."""

from __future__ import annotations

from typing import Any, ClassVar

import sqlalchemy as sa

from trunkline import passwords
from trunkline.call import Call
from trunkline.db import tables
from trunkline.db.records import User
from trunkline.errors import BadRequest, InternalError, Unauthorized
from trunkline.service import Resource
from trunkline.threads import in_thread
from trunkline_system.session import nothing_below


class PasswordResource(Resource):
    """The password of the caller."""

    name = "password"
    label = "Password"
    description = "Change or reset the password."
    for_admins: ClassVar[bool] = False

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Change the password, given the old one; every earlier token of the user dies."""
        nothing_below(self, call, rest)
        if call.flag("reset"):
            raise InternalError(
                "No security question found or email confirmation available for this user. "
                "Please contact your administrator."
            )
        old, new = call.option("old_password"), call.option("new_password")
        user = call.caller.user
        if user is None or (old is None and new is None):
            raise BadRequest("Not enough information provided to change password.")
        if user.is_sys_admin != self.for_admins:
            raise Unauthorized(f"You are not authorized to reset/change password for the account {user.email}")
        if not isinstance(old, str) or not isinstance(new, str) or not old or not new:
            raise BadRequest("Both old and new password are required to change the password.")
        await in_thread(self._change, user, old, new)
        result: dict[str, Any] = {"success": True}
        if call.flag("login") and (fresh := await self.app.directory.user(user.id)) is not None:
            result["session_token"] = self.app.sessions.issue(fresh)
        return result

    put = post
    patch = post

    def _change(self, user: User, old: str, new: str) -> None:
        table = tables.user
        mine = table.c.id == user.id
        stored = self.app.database.read(lambda connection: connection.scalar(sa.select(table.c.password).where(mine)))
        if not passwords.matches(old, stored):
            raise BadRequest("The password supplied does not match.")
        passwords.check_policy(new, self.app.settings.password_length, "new_password")
        fresh = passwords.hashed(new)
        change = sa.update(table).where(mine).values(password=fresh, token_epoch=table.c.token_epoch + 1)
        self.app.database.change(lambda connection: connection.execute(change))
