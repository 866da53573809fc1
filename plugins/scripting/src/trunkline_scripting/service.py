"""Services that are scripts (system-api 16.2)."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import Any, ClassVar

from pydantic import field_validator

from trunkline import Config, Field, Service, json
from trunkline.call import Call, Reply
from trunkline.errors import InternalError
from trunkline.threads import in_thread
from trunkline_scripting import objects
from trunkline_scripting.resources import demand_enabled
from trunkline_scripting.scripts import NAME, Scripts

log = logging.getLogger(__name__)
_DEFAULT_TTL = 18_000


class ScriptConfig(Config):
    """The script and how it runs."""

    content: str = Field(default="", title="Content", description="The script, the body of a function.")
    config: dict[str, Any] = Field(
        default_factory=dict, title="Additional Configuration", description="Values for the script."
    )
    queued: bool = Field(
        default=False, title="Queue Execution", description="Answer 202 at once, and run the script afterwards."
    )
    implements_access_list: bool = Field(
        default=False, title="Implements Access List", description="Let the script answer as_access_list itself."
    )
    cache_enabled: bool = Field(
        default=False, title="Data Retrieval Caching Enabled", description="Keep answers to GET for a while."
    )
    cache_ttl: int = Field(default=0, title="Cache Time To Live (seconds)", description="How long answers are kept.")

    @field_validator("config", mode="before")
    @classmethod
    def _empty_when_blank(cls, value: Any) -> Any:
        """Take null and empty lists as nothing: forms send both."""
        return {} if value in (None, [], "") else value


class Python3(Service):
    """A service whose every call runs a script."""

    label = "Python3"
    description = "Server-side Python 3 script, run in a process of its own within limits."
    group = "Script"
    language: ClassVar[str] = "python3"
    config: ScriptConfig

    async def handle(self, call: Call) -> Any:
        """Run the script for a call of any verb and path."""
        demand_enabled(self.language)
        if call.method == "GET" and call.flag("as_access_list") and not self.config.implements_access_list:
            return {"resource": await self.access_list(call.caller)}
        if self.config.queued:
            task = asyncio.ensure_future(self._queued(call))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
            return Reply({"success": True}, 202)
        if call.method != "GET" or not self.config.cache_enabled:
            return await self._answer(call)
        key = self._key(call)
        kept = await in_thread(self.app.cache.get, key)
        if kept is not None and not call.flag("refresh"):
            return objects.reply_of(json.loads(kept))
        reply = await self._answer(call)
        if 200 <= reply.status < 300:
            ttl = self.config.cache_ttl if self.config.cache_ttl > 0 else _DEFAULT_TTL
            await in_thread(self.app.cache.set, key, json.dumps(objects.response_of(reply)).decode(), ttl)
        return reply

    async def flush(self) -> None:
        """Forget the answers that are kept."""
        await in_thread(self.app.cache.clear, f"script:{self.record.id}:")

    async def close(self) -> None:
        """Wait for what was queued."""
        await asyncio.gather(*self._waiting, return_exceptions=True)

    @property
    def _waiting(self) -> set[asyncio.Task[None]]:
        found: set[asyncio.Task[None]] = self.__dict__.setdefault("_queue", set())
        return found

    async def _queued(self, call: Call) -> None:
        try:
            await self._answer(call)
        except Exception as error:
            log.warning("%s", error, extra={"request_id": call.request_id})

    async def _answer(self, call: Call) -> Reply:
        scripts: Scripts | None = self.app.plugins.get_plugin(NAME)
        if scripts is None:
            raise InternalError("Scripting is not switched on.")
        empty = {"content": None, "content_type": None, "status_code": 200}
        event = {"request": objects.request_of(call), "response": empty, "resource": "/".join(call.path)}
        outcome = await scripts.run(self.app, call, self.name, self.config.content, event)
        returned = outcome.returned
        return objects.reply_of(outcome.event.get("response") if returned in (None, {}, [], "") else returned)

    def _key(self, call: Call) -> str:
        params = {
            name: value for name, value in call.params.items() if name not in ("refresh", "api_key", "session_token")
        }
        caller = call.caller
        who = [caller.user.id if caller.user else None, caller.role.id if caller.role else None, caller.is_admin]
        asked = json.dumps([self.record.config, call.path, sorted(params.items()), who])
        return f"script:{self.record.id}:{hashlib.sha256(asked).hexdigest()}"


class Python(Python3):
    """The same under the name of its predecessor."""

    label = "Python"
    description = "Server-side Python script; Python 3, run in a process of its own within limits."
    language = "python"
