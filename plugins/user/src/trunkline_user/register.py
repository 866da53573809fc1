"""``user/register``: people make accounts for themselves, where that is allowed (system-api 8.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline import Resource, passwords
from trunkline.call import Call, Caller
from trunkline.db import tables
from trunkline.describe import Description
from trunkline.errors import BadRequest, Forbidden, InternalError
from trunkline.events import RecordChanged
from trunkline.threads import in_thread
from trunkline_system import codes, openapi, writing
from trunkline_system.mails import REGISTER
from trunkline_system.model import Row, Work
from trunkline_system.models.user import UserModel
from trunkline_system.session import nothing_below
from trunkline_user.config import UserConfig

if TYPE_CHECKING:
    from trunkline.service import Service

_TAKEN = ("first_name", "last_name", "name", "email", "username", "phone")
# What proves who somebody is: nobody may choose it for an address that is not confirmed.
_SECRETS = ("security_question", "security_answer")


class Register(Resource):
    """Accounts that people make for themselves."""

    name = "register"
    label = "Register"
    description = "Make an account for oneself."
    operations = openapi.REGISTER

    async def openapi(self, caller: Caller, described: Description, *, expanded: bool = False) -> None:
        """Describe the call, where it is allowed."""
        if isinstance(self.service.config, UserConfig) and self.service.config.allow_open_registration:
            await super().openapi(caller, described, expanded=expanded)

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Create an account; where a mail service is configured its address must be confirmed first."""
        nothing_below(self, call, rest)
        config = self.service.config
        assert isinstance(config, UserConfig)  # noqa: S101 - the service's own type
        confirms = config.open_reg_email_service_id is not None
        given = self._form(call, confirms=confirms)
        if not config.allow_open_registration:
            # Before anything is looked up: otherwise this would tell who has an account.
            raise Forbidden("Open Registration is not enabled.")
        mailer = await REGISTER.service(self.app, config)
        if confirms and mailer is None:
            raise InternalError("No email service configured for open registration.")
        # So that nobody has one mail after the other sent to somebody else.
        await self.app.logins.attempt(given["email"], call.client, "register")
        row = await in_thread(self._create, call, given, config)
        if mailer is not None:
            await self._confirm(mailer, row)
        self.app.events.publish(RecordChanged("user", "created", row["id"], None, tuple(given), call.request_id))
        result: dict[str, Any] = {"success": True}
        if call.flag("login"):
            if mailer is not None:
                result["confirmation_required"] = True
            elif (user := await self.app.directory.user(row["id"])) is not None:
                result["session_token"] = self.app.sessions.issue(user)
                await self.app.logins.succeeded(user)
        return result

    def _form(self, call: Call, *, confirms: bool) -> dict[str, Any]:
        """Read the form, nothing else (checklist 14), and check what needs no look at other accounts."""
        wanted = _TAKEN if confirms else (*_TAKEN, *_SECRETS)
        given = {name: value for name in wanted if (value := call.option(name)) not in (None, "")}
        context: dict[str, list[str]] = {}
        email = given.get("email")
        if not isinstance(email, str) or not email.strip():
            context["email"] = ["The email field is required."]
        else:
            local = email.partition("@")[0]
            if not {"name", "first_name", "last_name"} & given.keys():
                given["name"] = local
            given = {"first_name": local, "last_name": local, **given}
        if not confirms:
            password = call.option("password") or call.option("new_password")
            repeated = call.option("password_confirmation")
            if password in (None, ""):
                context["password"] = ["The password field is required."]
            elif repeated not in (None, password):
                context["password"] = ["The password confirmation does not match."]
            else:
                try:
                    given["password"] = passwords.check_policy(password, self.app.settings.password_length)
                except BadRequest as error:
                    context |= error.context
        if context:
            raise BadRequest("Validation failed", context=context)
        return given

    def _create(self, call: Call, given: dict[str, Any], config: UserConfig) -> Row:
        """Create the account with its roles, in one transaction."""

        def create(connection: sa.Connection) -> Row:
            row = writing.create(Work(self.app, connection, call), UserModel, given)
            assigned = _roles(connection, config)
            values = [{"user_id": row["id"], "app_id": app_id, "role_id": role_id} for app_id, role_id in assigned]
            if values:
                connection.execute(sa.insert(tables.user_to_app_to_role), values)
            return row

        try:
            return self.app.database.change(create)
        except BadRequest as error:
            raise BadRequest("Validation failed", context=error.context) from error

    async def _confirm(self, mailer: Service, row: Row) -> None:
        """Mail a code; an account whose owner cannot learn of it is deleted again."""
        try:
            code = await in_thread(codes.issue, self.app, row["id"])
            await REGISTER.send(self.app, self.service.config, mailer, row, code or "")
        except Exception:
            change = sa.delete(tables.user).where(tables.user.c.id == row["id"])
            await self.app.database.achange(lambda connection: connection.execute(change))
            raise


def _roles(connection: sa.Connection, config: UserConfig) -> list[tuple[int, int]]:
    """Answer app and role of each assignment: one role for all apps, and others for some; those that are there."""
    apps = list(connection.scalars(sa.select(tables.app.c.id).order_by(tables.app.c.id)))
    roles = set(connection.scalars(sa.select(tables.role.c.id)))
    chosen = dict.fromkeys(apps, config.open_reg_role_id)
    chosen |= {one.app_id: one.role_id for one in config.app_role_map if one.app_id in chosen}
    return [(app_id, role_id) for app_id, role_id in chosen.items() if role_id is not None and role_id in roles]
