"""A hook: tokens of providers that are configured for it are credentials of requests."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from trunkline import hookimpl
from trunkline.call import Caller
from trunkline.directory import digest_of
from trunkline.errors import TrunklineError
from trunkline.identify import api_key_of, caller_of, token_of
from trunkline_oidc.id_token import peeked
from trunkline_oidc.service import Oidc

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.call import Call
    from trunkline.db.records import ServiceRecord

# How the tokens of this gateway begin.
_SESSION = urlsafe_b64encode(b'{"typ":"JWT","alg":"HS256"}').decode().rstrip("=") + "."


@hookimpl
def authenticate(app: App, call: Call) -> Awaitable[Caller | None] | None:
    """Answer the caller of a provider's token; None for all other tokens, our own above all."""
    token = token_of(call)
    # Sessions come with nearly every request, and are told at a glance.
    if token is None or token.startswith(_SESSION) or token.count(".") != 2:
        return None
    records = [one for one in app.directory.snapshot.services.values() if one.type == "oidc" and one.is_active]
    return _caller(app, call, token, records) if records and peeked(token).get("iss") is not None else None


async def _caller(app: App, call: Call, token: str, records: Sequence[ServiceRecord]) -> Caller | None:
    api_key = api_key_of(call)
    record = app.directory.snapshot.apps.get(digest_of(api_key)) if api_key else None
    if record is not None and not record.is_active:
        return None
    known = Caller(app=record, key_sent=bool(api_key), token_sent=True, requestor=call.requestor)
    try:
        for one in records:
            service = app.services.of(one)
            user = await service.bearer(call, token) if isinstance(service, Oidc) else None
            if user is not None:
                found = await caller_of(app, user.id, record.id if record is not None else None)
                return replace(found, key_sent=bool(api_key), requestor=call.requestor)
    except TrunklineError as error:
        return replace(known, problem=error)
    return None
