"""The story of a call, from arrival to reply."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from trunkline.authorize import authorize
from trunkline.call import Call, Reply
from trunkline.errors import InternalError, TrunklineError, envelope
from trunkline.events import CallAnswered, CallRefused
from trunkline.identify import identify
from trunkline.plugins import every, first, fold

if TYPE_CHECKING:
    from trunkline.app import App

log = logging.getLogger(__name__)


async def answer(app: App, call: Call) -> Reply:
    """Answer one call, whatever carried it here; never raises."""
    try:
        call.caller = await identify(app, call)  # who asks
        return await perform(app, call)
    except Exception as error:
        refused = failed(call, error)
        app.events.publish(CallRefused(call, refused))
        return refused


async def perform(app: App, call: Call) -> Reply:
    """Answer a call whose caller is known; raises only what the front door refuses."""
    service = authorize(app, call)  # whom they ask, and may they
    await every(app.plugins, "check_call", app=app, call=call, service=service)  # within limits
    try:
        reply: Reply | None = await first(app.plugins, "before_call", app=app, call=call)  # plugins may answer
        if reply is None:
            reply = Reply.of(await service.respond(call))  # do it
    except Exception as error:
        reply = failed(call, error)  # after_call sees failures too
    final: Reply = await fold(app.plugins, "after_call", "reply", reply=reply, app=app, call=call)
    app.events.publish(CallAnswered(call, final))
    return final


def failed(call: Call, error: Exception) -> Reply:
    """Turn an exception into an error reply; what was not expected is logged and told as a bare 500 (checklist 28)."""
    if not isinstance(error, TrunklineError):
        log.error("call failed", exc_info=error, extra={"request_id": call.request_id, "call": describe(call)})
        error = InternalError("Internal server error. The log has the cause under this request's id.")
    elif error.status >= 500:
        log.warning(error.message, exc_info=error, extra={"request_id": call.request_id, "call": describe(call)})
    return Reply(envelope(error), error.status, dict(error.headers))


def describe(call: Call) -> str:
    """Name a call for the log: verb and path, never the query, which may hold credentials."""
    return " ".join((call.method, "/".join((call.service, *call.path))))
