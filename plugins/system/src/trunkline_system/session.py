"""Sessions: log in, look, refresh, log out (system-api 8.1 to 8.4)."""

from __future__ import annotations

import platform
import time
from typing import Any, ClassVar

from trunkline.app import App
from trunkline.authorize import Role
from trunkline.call import Call
from trunkline.db.records import User
from trunkline.directory import digest_of
from trunkline.errors import BadRequest, Forbidden, NotFound, Unauthorized
from trunkline.identify import api_key_of, role_of, token_of
from trunkline.login import utc_text
from trunkline.service import Resource
from trunkline_system import openapi

NO_SESSION = "There is no valid session for the current request."


class SessionResource(Resource):
    """The session of the caller; administrators and users have one resource each."""

    name = "session"
    label = "Session"
    description = "Log in, refresh, log out."
    operations = openapi.SESSION
    for_admins: ClassVar[bool] = False

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Answer the current session."""
        nothing_below(self, call, rest)
        if call.option("service"):
            raise BadRequest("Invalid login service provided. Please use an OAuth service.")
        user, session = call.caller.user, call.caller.session
        if user is None:
            raise NotFound("No user session found.") if self.for_admins else Unauthorized(NO_SESSION)
        if self.for_admins and not user.is_sys_admin:
            raise Unauthorized("You are not authorized to perform this action.")
        return await session_content(self.app, call, user, session.token if session else "")

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Log in with e-mail (or user name) and password."""
        nothing_below(self, call, rest)
        if call.option("service"):
            raise BadRequest("Invalid login service provided. Please use an OAuth or AD/Ldap service.")
        attribute = self.app.settings.login_attribute
        name, password = call.option(attribute), call.option("password")
        for field, value in ((attribute, name), ("password", password)):
            if not isinstance(value, str) or not value:
                raise BadRequest(f"Login request is missing required {field}.")
        user = await self.app.logins.login(attribute, name, password, call.client)
        if user.is_sys_admin != self.for_admins:
            raise Unauthorized("Invalid credentials supplied.")
        return await opened(self.app, call, user)

    async def put(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Refresh: a new token for the old one, which dies at once."""
        nothing_below(self, call, rest)
        token, user = await self.app.sessions.refresh(token_of(call))
        return await session_content(self.app, call, user, token)

    async def delete(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Log out; without a session there is nothing to do."""
        nothing_below(self, call, rest)
        if call.caller.session is not None:
            await self.app.sessions.revoke(call.caller.session)
        return {"success": True}


def nothing_below(resource: Resource, call: Call, rest: tuple[str, ...]) -> None:
    """Raise what a verb that is not supported gets, when the path goes on below the resource."""
    if rest:
        where = f"resource '{'/'.join((resource.path_name, *rest))}'"
        raise BadRequest(
            f"{call.method} requests for {where} are not currently supported by the '{call.service}' service."
        )


async def opened(app: App, call: Call, user: User) -> dict[str, Any]:
    """Open a session for a user whose credentials are good, and answer its reply; raises Forbidden."""
    await _demand_active_role(app, call, user)
    token = app.sessions.issue(user, forever=call.flag("remember_me") and app.settings.forever_sessions)
    await app.logins.succeeded(user)
    return await session_content(app, call, user, token, logged_in=True)


async def _demand_active_role(app: App, call: Call, user: User) -> None:
    role = await _role(app, call, user)
    if role is not None and not role.is_active:
        raise Forbidden("Role is not active.")


async def _role(app: App, call: Call, user: User) -> Role | None:
    """Answer the role in effect for a user with the API key sent (system-api 10)."""
    snapshot = await app.directory.fresh()
    api_key = api_key_of(call)
    record = snapshot.apps.get(digest_of(api_key)) if api_key else None
    if user.is_sys_admin and not user.assignments:
        return None
    return role_of(snapshot, user, record)


async def session_content(app: App, call: Call, user: User, token: str, *, logged_in: bool = False) -> dict[str, Any]:
    """Render a session as clients know it; the expiry is that of a token issued now, as in the original."""
    last = (
        utc_text()
        if logged_in
        else (user.last_login_date.strftime("%Y-%m-%d %H:%M:%S") if user.last_login_date else None)
    )
    content = {
        "session_token": token,
        "session_id": token,
        "id": user.id,
        "name": user.name,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "is_sys_admin": user.is_sys_admin,
        "last_login_date": last,
        "host": platform.node(),
        "token_expiry_date": utc_text(time.time() + app.settings.jwt_ttl * 60),
    }
    role = await _role(app, call, user)
    if role is not None:
        content |= {"role": role.name, "role_id": role.id}
    return content
