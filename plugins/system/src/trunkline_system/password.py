"""Changing a password: with the old one, with a code from a mail, or with the security answer (system-api 8.5).

Whoever is not logged in learns nothing of who has an account: what is unknown is answered as what is wrong.
"""

from __future__ import annotations

from typing import Any, ClassVar

import sqlalchemy as sa

from trunkline import passwords
from trunkline.call import Call
from trunkline.db import tables
from trunkline.db.records import User
from trunkline.errors import BadRequest, InternalError, NotFound, Unauthorized
from trunkline.service import Resource, Service
from trunkline.threads import in_thread
from trunkline_system import codes, openapi
from trunkline_system.mails import RESET, Outbox
from trunkline_system.model import Row
from trunkline_system.session import nothing_below

_NO_MATCH = "The password supplied does not match."


def _is_elsewhere(row: Row) -> bool:
    """Say whether somebody logs in elsewhere only: what stands here as the address is not where mail is read."""
    return row["password"] is None and any(row[one] for one in ("adldap", "oauth_provider", "saml"))


class PasswordResource(Resource):
    """The password of the caller, or of somebody who can prove to be its owner."""

    name = "password"
    label = "Password"
    description = "Change or reset the password."
    operations = openapi.PASSWORD
    for_admins: ClassVar[bool] = False

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Ask for a reset, or set a new password; every earlier token of the user dies."""
        nothing_below(self, call, rest)
        if call.flag("reset"):
            return await self._reset(call)
        new = call.option("new_password")
        if (code := call.option("code")) is not None:
            user_id = await self._by_code(call, code, new)
        elif (answer := call.option("security_answer")) is not None:
            user_id = await self._by_answer(call, answer, new)
        else:
            user_id = await self._by_old_one(call, new)
        result: dict[str, Any] = {"success": True}
        if call.flag("login") and (fresh := await self.app.directory.user(user_id)) is not None and fresh.is_active:
            result["session_token"] = self.app.sessions.issue(fresh)
        return result

    put = post
    patch = post

    async def _reset(self, call: Call) -> dict[str, Any]:
        """Answer the security question of a user who has one; else mail a code, whatever address it is.

        The answer is the same for an address that nobody has, and the mail goes out after it. An account of the other
        kind gets its mail as well: existing clients ask both endpoints in turn.
        """
        attribute, name = self._named(call)
        await self.app.logins.attempt(name, call.client, "reset")
        row = await self._row(attribute, name)
        if row is not None and row["security_question"] and self._can_answer(row):
            return {"security_question": row["security_question"]}
        service = await RESET.service(self.app, self.service.config)
        if service is None:
            raise InternalError(
                "No security question found or email confirmation available for this user. "
                "Please contact your administrator."
            )
        if row is not None and not _is_elsewhere(row):
            Outbox.of(self.app).later(self._mail(service, row))
        return {"success": True}

    async def _mail(self, service: Service, row: Row) -> None:
        code = await in_thread(codes.issue, self.app, row["id"])
        if code is not None:
            await RESET.send(self.app, self.service.config, service, row, code)

    async def _by_code(self, call: Call, given: Any, new: Any) -> int:
        """Set a password by a code; this also completes an invitation or a registration."""
        attribute, name = self._named(call)
        code = codes.checked(self.app, given)
        new = self._checked(new)
        await self.app.logins.attempt(name, call.client)
        row = await self._row(attribute, name)
        if not codes.fits(self.app, row, code) or row is None:
            raise NotFound("The supplied email and/or confirmation code were not found in the system.")
        if codes.is_expired(row["confirm_code"]):
            raise BadRequest("Confirmation code expired.")
        self._demand_kind(row["is_sys_admin"], row["email"])
        # In the condition, so that a code is good once whoever comes with it at the same time.
        unused = tables.user.c.confirm_code == row["confirm_code"]
        if not await in_thread(self._set, row["id"], new, unused):
            raise NotFound("The supplied email and/or confirmation code were not found in the system.")
        await self.app.logins.forgive(name, call.client)
        return int(row["id"])

    async def _by_answer(self, call: Call, answer: Any, new: Any) -> int:
        attribute, name = self._named(call)
        new = self._checked(new)
        await self.app.logins.attempt(name, call.client)
        row = await self._row(attribute, name)
        stored = row["security_answer"] if row is not None and self._can_answer(row) else None
        fits = await in_thread(passwords.matches, answer if isinstance(answer, str) else "", stored)
        if row is None or not fits:
            raise BadRequest("The answer supplied does not match.")
        self._demand_kind(row["is_sys_admin"], row["email"])
        await in_thread(self._set, row["id"], new)
        await self.app.logins.forgive(name, call.client)
        return int(row["id"])

    async def _by_old_one(self, call: Call, new: Any) -> int:
        user, old = call.caller.user, call.option("old_password")
        if user is None or (old is None and new is None):
            raise BadRequest("Not enough information provided to change password.")
        self._demand_kind(user.is_sys_admin, user.email)
        if not isinstance(old, str) or not isinstance(new, str) or not old or not new:
            raise BadRequest("Both old and new password are required to change the password.")
        # A token that was stolen shall not be enough to find out the password.
        await self.app.logins.attempt(user.email, call.client)
        await in_thread(self._change, user, old, new)
        await self.app.logins.forgive(user.email, call.client)
        return user.id

    def _change(self, user: User, old: str, new: str) -> None:
        query = sa.select(tables.user.c.password).where(tables.user.c.id == user.id)
        if not passwords.matches(old, self.app.database.read(lambda connection: connection.scalar(query))):
            raise BadRequest(_NO_MATCH)
        passwords.check_policy(new, self.app.settings.password_length, "new_password")
        self._set(user.id, new)

    def _set(self, user_id: int, new: str, condition: sa.ColumnElement[bool] | None = None) -> bool:
        """Store a password, end all sessions and codes; say whether the user was still as the condition says."""
        table = tables.user
        where = sa.and_(table.c.id == user_id, sa.true() if condition is None else condition)
        fresh = passwords.hashed(new)
        values = {"password": fresh, "token_epoch": table.c.token_epoch + 1, "confirm_code": None}
        change = sa.update(table).where(where).values(values)
        return bool(self.app.database.change(lambda connection: connection.execute(change).rowcount))

    def _named(self, call: Call) -> tuple[str, str]:
        """Answer by which attribute the account is named, and the name."""
        for attribute in ("email", "username"):
            name = call.option(attribute)
            if isinstance(name, str) and name.strip():
                return attribute, name.strip()
        raise BadRequest("Missing required email for password reset confirmation.")

    def _checked(self, new: Any) -> str:
        if new in (None, ""):
            raise BadRequest("Missing new password for reset.")
        return passwords.check_policy(new, self.app.settings.password_length, "new_password")

    async def _row(self, attribute: str, name: str) -> Row | None:
        """Read an account that is active."""
        table = tables.user
        column = sa.func.lower(table.c[attribute])
        query = sa.select(table).where(column == sa.func.lower(name), table.c.is_active)
        return await self.app.database.aread(lambda connection: connection.execute(query).mappings().first())

    def _can_answer(self, row: Row) -> bool:
        """Say whether a security answer will do: only for a password that somebody has, and for this kind.

        Who has registered and not confirmed may be anybody, and may have chosen the question.
        """
        return bool(row["security_answer"] and row["password"]) and row["is_sys_admin"] == self.for_admins

    def _demand_kind(self, is_admin: bool, email: str) -> None:
        if is_admin != self.for_admins:
            raise Unauthorized(f"You are not authorized to reset/change password for the account {email}")
