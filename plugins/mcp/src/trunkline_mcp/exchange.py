"""One request of a client: who asks which server, and how its tools reach services."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trunkline.call import Call, Caller, Reply
from trunkline.events import CallRefused
from trunkline.pipeline import describe, failed, perform
from trunkline_mcp.tool import Request

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import ServiceRecord
    from trunkline_mcp.service import Mcp

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exchange:
    """The server that is asked, and on whose behalf; every call of a tool goes the way that HTTP requests go."""

    app: App
    server: Mcp
    caller: Caller
    client: str | None = None
    base_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """What tells this caller on this server from all others."""
        user, app = self.caller.user, self.caller.app
        return f"{self.server.record.id}:{user.id if user else ''}:{app.id if app else ''}"

    def call_for(self, record: ServiceRecord, request: Request) -> Call:
        """Make the call that a request is; none of the client's credentials goes into it."""
        agent = self.headers.get("user-agent")
        return Call(
            request.method,
            record.name.lower(),
            request.path,
            dict(request.params),
            {**({"user-agent": agent} if agent else {}), **request.headers},
            request.body,
            request.raw,
            media_type=request.media_type or ("application/json" if request.body is not None else ""),
            trailing_slash=request.trailing_slash,
            caller=self.caller,
            requestor=self.caller.requestor,
            request_id=secrets.token_hex(8),
            client=self.client,
            base_url=self.base_url,
        )

    async def ask(self, record: ServiceRecord, request: Request) -> Reply:
        """Let a service answer, within the caller's rights and limits; never raises, and is told as HTTP calls are."""
        call = self.call_for(record, request)
        started = time.perf_counter()
        try:
            await self.app.directory.fresh()
            reply = await perform(self.app, call)
        except Exception as error:
            reply = failed(call, error)
            self.app.events.publish(CallRefused(call, reply))
        log.info(
            "request",
            extra={
                "request_id": call.request_id,
                "call": describe(call),
                "status": reply.status,
                "ms": round((time.perf_counter() - started) * 1000, 2),
                "app_id": self.caller.app.id if self.caller.app else None,
                "user_id": self.caller.user.id if self.caller.user else None,
                "client": self.client,
                "mcp": self.server.name,
            },
        )
        return reply
