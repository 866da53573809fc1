"""``system/explain``, and ``explain=true`` on the calls of administrators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import sqlalchemy as sa

from trunkline.call import VERBS, Call, Caller, truth
from trunkline.db import tables
from trunkline.db.records import AppRecord, User
from trunkline.describe import Operation
from trunkline.errors import BadRequest, Forbidden, NotFound
from trunkline.identify import identify, role_of
from trunkline.query import parse_query
from trunkline.service import Resource
from trunkline_operators.explain import Clock, explained, sources

if TYPE_CHECKING:
    from trunkline.app import App

PARAMETER = "explain"
_KNOWN = frozenset({"method", "path", "params", "headers", "api_key", "session_token", "user", "app", "body", "run"})


class Explain(Resource):
    """Explains calls of anybody to administrators."""

    name = "explain"
    label = "Explain"
    description = "Why a call is answered as it is; the call is not done."
    operations = {  # noqa: RUF012 - declared as a ClassVar by the parent
        "POST": Operation(
            "Explain a call, which is not done.",
            "Explanation",
            body={"type": "object", "required": ["path"], "properties": {"path": {"type": "string"}}},
            reply={"type": "object"},
            needs="all rights",
        )
    }

    async def post(self, call: Call, rest: tuple[str, ...]) -> dict[str, Any]:
        """Explain the call that the body describes."""
        if not call.caller.is_admin:
            raise Forbidden("Only administrators may have calls explained.")
        if rest:
            raise NotFound(f"Resource '{'/'.join((self.path_name, *rest))}' not found.")
        given = call.body
        if not isinstance(given, dict) or not isinstance(given.get("path"), str):
            raise BadRequest("The body must be an object with a path, such as shop/_table/book.")
        if unknown := given.keys() - _KNOWN:
            raise BadRequest(f"There is no field '{min(map(str, unknown))[:64]}' in what is to be explained.")
        clock = Clock()
        asked = _call(given, call)
        asked.caller, found_by = await _caller(self.app, asked, given)
        clock.stage("identify")
        return await explained(self.app, asked, clock, found_by=found_by, run=truth(given.get("run")))


async def of_own_call(app: App, call: Call) -> dict[str, Any]:
    """Explain the call of an administrator that asks for it."""
    params = {name: value for name, value in call.params.items() if name not in (PARAMETER, "run")}
    run = truth(call.params.get("run", ""))
    asked = replace(call, params=params)
    # Scripts, trails and whoever else listens shall not take it for the call itself, which is not done.
    call.method, call.service, call.path, call.params = "POST", "system", (Explain.name,), {}
    return await explained(app, asked, Clock(), found_by=sources(asked), run=run)


def wants(call: Call) -> bool:
    """Say whether a call asks to be explained, and may."""
    return PARAMETER in call.params and call.caller.is_admin and truth(call.params[PARAMETER])


def _call(given: Mapping[str, Any], outer: Call) -> Call:
    """Make the call that a body describes."""
    method = str(given.get("method") or "GET").upper()
    if method not in VERBS:
        raise BadRequest(f"The method must be one of {', '.join(VERBS)}.")
    path, _, query = str(given["path"]).partition("?")
    segments = [unquote(one) for one in path.split("/") if one]
    segments = segments[2:] if segments[:1] == ["api"] else segments
    if not segments:
        raise BadRequest("The path must name a service.")
    params, headers = given.get("params") or {}, given.get("headers") or {}
    if not isinstance(params, dict) or not isinstance(headers, dict):
        raise BadRequest("params and headers must be objects.")
    sent = {str(name).lower(): str(value) for name, value in headers.items()}
    if given.get("api_key"):
        sent["x-dreamfactory-api-key"] = str(given["api_key"])
    if given.get("session_token"):
        sent["x-dreamfactory-session-token"] = str(given["session_token"])
    return Call(
        method, segments[0].lower(), tuple(segments[1:]), {**parse_query(query.encode()), **params}, sent,
        body=given.get("body"), request_id=outer.request_id, client=outer.client, base_url=outer.base_url,
        over_http=True,
    )  # fmt: skip


async def _caller(app: App, call: Call, given: Mapping[str, Any]) -> tuple[Caller, list[str]]:
    """Find the caller by credentials, or put together one of a user and an app that are only named."""
    if given.get("user") is None and given.get("app") is None:
        return await identify(app, call), sources(call)
    user = await _user(app, given.get("user"))
    record = await _app(app, given.get("app"))
    snapshot = await app.directory.fresh()
    known = Caller(app=record, key_sent=record is not None, token_sent=user is not None)
    if (record is not None and not record.is_active) or (user is not None and not user.is_active):
        what = "App" if record is not None and not record.is_active else "User"
        known = replace(known, problem=Forbidden(f"{what} is not active."))
    if user is not None:
        role = role_of(snapshot, user, record)
        is_admin = user.is_sys_admin and not user.assignments
        known = replace(known, user=user, role=role, is_admin=is_admin and known.problem is None)
    elif record is not None:
        known = replace(known, role=snapshot.roles.get(record.role_id or 0))
    return known, [name for name in ("user", "app") if given.get(name) is not None]


async def _user(app: App, given: Any) -> User | None:
    if given is None:
        return None
    table = tables.user.c
    if isinstance(given, int):
        where: sa.ColumnElement[bool] = table.id == given
    else:
        where = sa.or_(table.email == str(given), table.username == str(given))
    found = await app.database.aread(lambda connection: connection.scalar(sa.select(table.id).where(where)))
    user = await app.directory.user(found) if found is not None else None
    if user is None:
        raise NotFound(f"There is no user '{str(given)[:64]}'.")
    return user


async def _app(app: App, given: Any) -> AppRecord | None:
    if given is None:
        return None
    for record in (await app.directory.fresh()).apps_by_id.values():
        if given in (record.id, record.name):
            return record
    raise NotFound(f"There is no app '{str(given)[:64]}'.")
