"""The caller's own profile (system-api 8.6)."""

from __future__ import annotations

from typing import Any, ClassVar

import sqlalchemy as sa

from trunkline import passwords
from trunkline.call import Call
from trunkline.db import tables
from trunkline.db.records import User
from trunkline.errors import BadRequest, NotFound, Unauthorized
from trunkline.service import Resource
from trunkline.threads import in_thread
from trunkline_system import openapi
from trunkline_system.model import Work
from trunkline_system.models.user import AdminModel, UserModel
from trunkline_system.session import NO_SESSION, nothing_below
from trunkline_system.writing import read_one, update

_SHOWN = (
    "username", "first_name", "last_name", "name", "email", "phone", "security_question", "default_app_id",
)  # fmt: skip


class ProfileResource(Resource):
    """What users may read and change of their own account."""

    name = "profile"
    label = "Profile"
    description = "The caller's own account."
    operations = openapi.PROFILE
    for_admins: ClassVar[bool] = False

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Answer the profile."""
        nothing_below(self, call, rest)
        user = self._user(call, Unauthorized(NO_SESSION))
        query = sa.select(tables.user).where(tables.user.c.id == user.id)
        row = await self.app.database.aread(lambda connection: connection.execute(query).mappings().one())
        shown = {name: row[name] for name in _SHOWN}
        return {**shown, "oauth_provider": row["oauth_provider"] or "", "adldap": row["adldap"] or ""}

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Change the profile; another e-mail address needs the current password and gives a new token."""
        nothing_below(self, call, rest)
        user = self._user(call, NotFound("No user session found."))
        if not isinstance(call.body, dict) or not call.body:
            raise BadRequest("No data supplied for operation.")
        given = {name: call.body[name] for name in (*_SHOWN, "security_answer") if name in call.body}
        new_email = "email" in given and given["email"] != user.email
        await in_thread(self._change, call, user, given, call.body.get("current_password"), new_email)
        result: dict[str, Any] = {"success": True}
        if new_email and (fresh := await self.app.directory.user(user.id)) is not None:
            result["session_token"] = self.app.sessions.issue(fresh)
        return result

    put = post
    patch = post

    def _user(self, call: Call, nobody: Exception) -> User:
        user = call.caller.user
        if user is None:
            raise nobody
        if self.for_admins and not user.is_sys_admin:
            raise Unauthorized("You are not authorized to perform this action.")
        return user

    def _change(self, call: Call, user: User, given: dict[str, Any], password: Any, new_email: bool) -> None:
        database, table = self.app.database, tables.user
        if new_email:
            if not isinstance(password, str) or not password:
                raise BadRequest("Current Password required to change email")
            query = sa.select(table.c.password).where(table.c.id == user.id)
            if not passwords.matches(password, database.read(lambda connection: connection.scalar(query))):
                raise BadRequest("The password supplied does not match.")
        model = AdminModel if user.is_sys_admin else UserModel
        if given:
            database.change(
                lambda connection: update(
                    work := Work(self.app, connection, call), model, read_one(work, model, user.id), given
                )
            )
