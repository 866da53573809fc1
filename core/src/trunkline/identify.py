"""Which caller? API key, session token and basic credentials, read where the original reads them (system-api 2.1)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import TYPE_CHECKING

from trunkline.call import SYSTEM, Call, Caller, Session
from trunkline.directory import Snapshot, digest_of
from trunkline.errors import Forbidden, TrunklineError, Unauthorized
from trunkline.plugins import first

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.authorize import Role
    from trunkline.db.records import AppRecord, User


async def identify(app: App, call: Call, audience: str | None = None) -> Caller:
    """Find out who calls; a bad credential is noted in ``problem`` and raised by authorize.

    Beside session tokens those are taken that were issued for ``audience``.
    """
    snapshot = await app.directory.fresh()
    answer: Caller | None = await first(app.plugins, "authenticate", app=app, call=call)
    if answer is not None:
        return answer
    api_key = api_key_of(call)
    token = token_of(call)
    record = snapshot.apps.get(digest_of(api_key)) if api_key else None
    known = Caller(app=record, key_sent=bool(api_key), token_sent=bool(token), requestor=call.requestor)
    if record is not None and not record.is_active:
        return replace(known, problem=Forbidden("App is not active."))
    session_path = token is not None and is_session_path(app, snapshot, call)
    try:
        if token and not session_path:
            session, user = await app.sessions.verify(token, audience)
            return _with_user(known, snapshot, user, session)
        if token is None and (basic := _basic_of(call)) is not None:
            user = await app.logins.basic(*basic, client=call.client)
            return _with_user(replace(known, token_sent=True), snapshot, user)
    except TrunklineError as error:
        if token is None and isinstance(error, Unauthorized):
            return replace(known, problem=Unauthorized("Unauthorized. User credentials did not match."))
        return replace(known, problem=error)
    if record is not None and record.role_id is not None:
        return replace(known, role=snapshot.roles.get(record.role_id))
    return known


def _with_user(known: Caller, snapshot: Snapshot, user: User, session: Session | None = None) -> Caller:
    """Add the user and the role in effect (system-api 10)."""
    return replace(
        known,
        user=user,
        session=session,
        # An administrator with an assignment is a restricted one and goes by roles, like anybody else.
        is_admin=user.is_sys_admin and not user.assignments,
        role=role_of(snapshot, user, known.app),
    )


async def caller_of(app: App, user_id: int | None, app_id: int | None) -> Caller:
    """Answer a caller whom something stored names, with the rights of this moment; the platform where nobody is named.

    Raises Forbidden where the user or the app is gone or switched off.
    """
    snapshot = await app.directory.fresh()
    if user_id is None and app_id is None:
        return SYSTEM
    record = snapshot.apps_by_id.get(app_id) if app_id is not None else None
    if app_id is not None and (record is None or not record.is_active):
        raise Forbidden("The app in whose name this was to be done is gone or switched off.")
    known = Caller(app=record, key_sent=record is not None)
    if user_id is not None:
        user = await app.directory.user(user_id)
        if user is None or not user.is_active:
            raise Forbidden("The user in whose name this was to be done is gone or switched off.")
        return _with_user(replace(known, token_sent=True), snapshot, user)
    role_id = record.role_id if record is not None else None
    return replace(known, role=snapshot.roles.get(role_id) if role_id is not None else None)


def role_of(snapshot: Snapshot, user: User, app: AppRecord | None) -> Role | None:
    """Answer the role in effect: the assignment for the app, any assignment, the app's default (10.3 to 10.6)."""
    if app is None:
        return None
    role_id = user.assignments.get(app.id) or next(iter(user.assignments.values()), None) or app.role_id
    return snapshot.roles.get(role_id) if role_id is not None else None


def is_session_path(app: App, snapshot: Snapshot, call: Call) -> bool:
    """Say whether the call logs in or refreshes: there a token is ignored, or judged by the handler."""
    if call.method not in ("POST", "PUT"):
        return False
    record = snapshot.services.get(call.service)
    kind = app.registry.find(record.type) if record else None
    return kind is not None and call.component in kind.session_paths


def api_key_of(call: Call) -> str | None:
    """Read the API key from query, header or body; under ``system/app`` and ``system/explain`` the body's is data."""
    found = call.params.get("api_key") or call.headers.get("x-dreamfactory-api-key")
    if not found and isinstance(call.body, dict) and not _is_data(call, "app", "explain"):
        found = call.body.get("api_key")
    return found if isinstance(found, str) and found else None


def _is_data(call: Call, *resources: str) -> bool:
    """Say whether a body is about credentials rather than having some."""
    return call.service == "system" and bool(call.path) and call.path[0] in resources


def token_of(call: Call) -> str | None:
    """Read the session token from the Authorization header, its own header, query or body."""
    authorization = call.headers.get("authorization")
    if authorization and authorization[:7].lower() == "bearer ":
        return authorization[7:].strip() or None
    found = call.headers.get("x-dreamfactory-session-token") or call.params.get("session_token")
    if not found and isinstance(call.body, dict) and not _is_data(call, "explain"):
        found = call.body.get("session_token")
    return found if isinstance(found, str) and found else None


def _basic_of(call: Call) -> tuple[str, str] | None:
    """Read basic credentials, or None when there are none; raises Unauthorized for a malformed header."""
    authorization = call.headers.get("authorization")
    if not authorization or authorization[:6].lower() != "basic ":
        return None
    try:
        name, colon, password = base64.b64decode(authorization[6:].strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name, colon, password = "", "", ""
    if not colon:
        raise Unauthorized("Unauthorized. User credentials did not match.")
    return name, password
