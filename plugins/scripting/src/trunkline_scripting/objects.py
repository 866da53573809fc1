"""What scripts see: ``event`` and ``platform`` (system-api 16.3), and calls that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from trunkline import json
from trunkline.app import App
from trunkline.call import Call, Reply, Requestor
from trunkline.errors import BadRequest, TrunklineError, envelope
from trunkline.query import parse_query

_USER = ("id", "name", "username", "first_name", "last_name", "email", "is_sys_admin", "ldap_username")


def request_of(call: Call) -> dict[str, Any]:
    """Answer ``event.request``."""
    return {
        "api_version": call.version,
        "method": call.method,
        "parameters": dict(call.params),
        "headers": dict(call.headers),
        "payload": [] if call.body is None else call.body,
        "content": call.raw.decode("utf-8", "replace"),
        "content_type": call.media_type,
        "uri": "/".join((call.base_url, "api", f"v{call.version.partition('.')[0]}", call.service, *call.path)),
        "service": call.service,
        "resource": "/".join(call.path),
    }


def change_request(call: Call, request: Mapping[str, Any]) -> None:
    """Put what a script changed of ``event.request`` into the call."""
    if isinstance(request.get("parameters"), dict):
        call.params = dict(request["parameters"])
    if isinstance(request.get("headers"), dict):
        call.headers = {str(name).lower(): str(value) for name, value in request["headers"].items()}
    payload = request.get("payload")
    if payload != ([] if call.body is None else call.body):
        call.body = payload
        call.raw = json.dumps(payload)


def response_of(reply: Reply) -> dict[str, Any]:
    """Answer ``event.response``; what is no data is not shown."""
    hidden = isinstance(reply.content, bytes) or reply.is_stream
    return {
        "status_code": reply.status,
        "content": None if hidden else reply.content,
        "content_type": reply.media_type,
        "format": 201,
        "headers": dict(reply.headers),
    }


def reply_of(answer: Any) -> Reply:
    """Make a reply of what a script answered: an object with ``content`` or ``status_code`` in full, else a body."""
    if not isinstance(answer, dict) or not ({"content", "status_code"} & answer.keys()):
        return Reply(answer)
    status, headers = answer.get("status_code") or 200, answer.get("headers") or {}
    if not isinstance(status, int) or not 200 <= status <= 599 or not isinstance(headers, dict):
        raise BadRequest("A script answered a status or headers that there are not.")
    clean = {str(name): str(value) for name, value in headers.items()}
    if any("\n" in text or "\r" in text for pair in clean.items() for text in pair):
        raise BadRequest("A script answered headers with line breaks.")
    content, kind = answer.get("content"), answer.get("content_type")
    plain = not isinstance(kind, str) or kind == "application/json"
    return Reply(content, status, clean, None if plain else kind)


def platform_of(app: App, call: Call) -> dict[str, Any]:
    """Answer ``platform`` without its API: who asks, and what they may look up."""
    caller, snapshot = call.caller, app.directory.snapshot
    owners: list[tuple[str, int | None]] = [("system", None)]
    owners += [("app", caller.app.id)] if caller.app else []
    owners += [("role", caller.role.id)] if caller.role else []
    owners += [("user", caller.user.id)] if caller.user else []
    rows = [row for kind, key in owners for row in snapshot.lookups_of(kind, key)]
    session: dict[str, Any] = {
        "api_key": caller.app.api_key if caller.app else None,
        "session_token": caller.session.token if caller.session else None,
        "app": {"id": caller.app.id if caller.app else None},
        "user": {},
        "role": {"id": caller.role.id, "name": caller.role.name} if caller.role else {},
        "lookup": {row.name: row.value for row in rows if not row.private},
        "lookup_secret": {row.name: row.value for row in rows if row.private},
    }
    if (user := caller.user) is not None:
        last = user.last_login_date.isoformat(" ") if user.last_login_date else None
        session["user"] = {name: getattr(user, name) for name in _USER}
        session["user"] |= {"display_name": user.name, "last_login_date": last}
    return {"session": session, "config": {"df": {"version": call.version, "name": app.settings.app_name}}}


async def ask(app: App, call: Call, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Make a call for a script, inside and with the rights of its caller as a script; never raises."""
    try:
        verb, path = str(asked["verb"]).upper(), str(asked["path"])
        if "://" in path:
            raise BadRequest("Scripts call the API by paths such as db/_table/name.")
        path, _, query = path.partition("?")
        options = asked["options"] if isinstance(asked["options"], dict) else {}
        params = {**parse_query(query.encode()), **(options.get("parameters") or {})}
        caller = replace(call.caller, requestor=Requestor.SCRIPT)
        reply = await app.ask(verb, path, params=params, body=asked["payload"], caller=caller)
    except TrunklineError as error:
        reply = Reply(envelope(error), error.status)
    return response_of(reply)
