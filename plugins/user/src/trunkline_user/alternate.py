"""Alternate authentication: users are in a table of a database service (system-api 8.7)."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline import passwords
from trunkline.call import Call
from trunkline.db import tables
from trunkline.db.records import User
from trunkline.directory import read_user
from trunkline.errors import BadRequest, InternalError, TrunklineError, Unauthorized
from trunkline.threads import in_thread
from trunkline_system import writing
from trunkline_system.model import Work
from trunkline_system.models.user import UserModel
from trunkline_system.session import SessionResource, nothing_below, opened
from trunkline_user.config import UserConfig
from trunkline_user.external import service_for

if TYPE_CHECKING:
    from trunkline.app import App

_FAILED = "Failed to perform alternate authentication."
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_HASHED = ("$2a$", "$2b$", "$2y$", "$argon2")


class UserSession(SessionResource):
    """Sessions of users, who may come from elsewhere, or be found in a table of a database service first."""

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Answer the current session, or go where the named service logs in."""
        nothing_below(self, call, rest)
        service = await service_for(self.app, call)
        return await (super().get(call, rest) if service is None else service.login(call))

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Log in; by another service or table where that is on and the request has what it takes."""
        nothing_below(self, call, rest)
        service = await service_for(self.app, call)
        if service is not None:
            return await service.login(call)
        config = self.service.config
        if (
            not isinstance(config, UserConfig)
            or not self.app.settings.alternate_auth
            or config.alt_auth_db_service_id is None
            or call.option(str(config.alt_auth_username_field)) is None
            or call.option(str(config.alt_auth_password_field)) is None
        ):
            return await super().post(call, rest)
        return await opened(self.app, call, await logged_in(self.app, call, config))


async def logged_in(app: App, call: Call, config: UserConfig) -> User:
    """Answer the user of a row that has what the request says; made if there is none with that address yet.

    Raises Unauthorized for wrong credentials, TooManyRequests after many, InternalError for a table that lacks things.
    """
    name, password = (
        call.option(str(field)) for field in (config.alt_auth_username_field, config.alt_auth_password_field)
    )
    if not isinstance(name, str | int) or not isinstance(password, str):
        raise BadRequest(f"{_FAILED} Name and password must be text.")
    await app.logins.attempt(str(name), call.client)
    row = await _row(app, call, config, name)
    stored = row.get(str(config.alt_auth_password_field)) if row is not None else None
    fits = await in_thread(_fits, password, None if stored is None else str(stored))
    if row is None:
        raise Unauthorized(f"{_FAILED} Invalid user information provided.")
    if not fits:
        raise Unauthorized(f"{_FAILED} Invalid credential supplied.")
    email = row.get(str(config.alt_auth_email_field))
    if not isinstance(email, str) or not email:
        raise InternalError(
            f"{_FAILED} Failed to retrieve alternate user's email address using field {config.alt_auth_email_field}."
        )
    user = await in_thread(_user, app, call, email)
    # A table elsewhere makes nobody an administrator, nor active again.
    if user is None or user.is_sys_admin or not user.is_active:
        raise Unauthorized(f"{_FAILED} Invalid credential supplied.")
    await app.logins.forgive(str(name), call.client)
    return user


async def _row(app: App, call: Call, config: UserConfig, name: str | int) -> dict[str, Any] | None:
    """Read the only row with these values, which are bound, never part of the filter; None for none or several."""
    wanted: list[tuple[str, Any]] = [(str(config.alt_auth_username_field), name)]
    for field in filter(None, map(str.strip, (config.alt_auth_other_fields or "").split(","))):
        wanted.append((field, call.option(field)))
    for pair in filter(None, map(str.strip, (config.alt_auth_filter or "").split(","))):
        field, _, value = pair.partition("=")
        wanted.append((field.strip(), value.strip()))
    if any(not isinstance(value, str | int | float) for _field, value in wanted):
        return None
    service = (await app.directory.fresh()).services_by_id.get(config.alt_auth_db_service_id or 0)
    if service is None:
        raise InternalError(f"{_FAILED} The database service is not there.")
    params = {
        "filter": " AND ".join(f"({field} = :p{at})" for at, (field, _value) in enumerate(wanted)),
        "params": {f":p{at}": value for at, (_field, value) in enumerate(wanted)},
        "fields": f"{config.alt_auth_password_field},{config.alt_auth_email_field}",
        "limit": 2,
    }
    try:
        reply = await app.ask("GET", f"{service.name}/_table/{config.alt_auth_table}", params=params)
    except TrunklineError as error:
        if error.status >= 500:
            raise
        raise InternalError(f"{_FAILED} The table can not be read as it is configured.") from error
    found = reply.content.get("resource") if isinstance(reply.content, dict) else None
    return found[0] if isinstance(found, list) and len(found) == 1 else None


def _fits(given: str, stored: str | None) -> bool:
    """Compare with what the table has: a hash of ours or of bcrypt, MD5, or the password itself."""
    if stored is None or stored.startswith(_HASHED):
        return passwords.matches(given, stored)
    candidate = given.encode("utf-8", "surrogatepass")
    if _MD5.fullmatch(stored):
        # Many older tables have it so; it is not for us to store passwords that way.
        digest = hashlib.md5(candidate, usedforsecurity=False).hexdigest()
        return hmac.compare_digest(digest, stored.lower())
    return hmac.compare_digest(candidate, stored.encode("utf-8", "surrogatepass"))


def _user(app: App, call: Call, email: str) -> User | None:
    """Answer the user with an address, made if there is none."""
    same = sa.func.lower(tables.user.c.email) == sa.func.lower(email)
    found = app.database.read(lambda connection: read_user(connection, same))
    if found is not None:
        return found
    given = {"email": email, "first_name": "Alternate", "last_name": "User"}
    app.database.change(lambda connection: writing.create(Work(app, connection, call), UserModel, given))
    return app.database.read(lambda connection: read_user(connection, same))
