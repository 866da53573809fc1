"""Answers to GET that are kept in the shared cache for a while."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from trunkline import json
from trunkline.call import Call, Reply
from trunkline.threads import in_thread
from trunkline_rws.inbound import held
from trunkline_rws.outbound import applies, client_query, headers_of

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.lookups import Lookups
    from trunkline.remote import Answer
    from trunkline_rws.config import RwsConfig

_USUAL_TTL = 18_000
# Longer answers are not kept.
_MOST_BYTES = 2**20


class Kept:
    """The kept answers of one service."""

    def __init__(self, app: App, service_id: int, config: RwsConfig) -> None:
        """Keep nothing yet."""
        self._cache = app.cache
        self._prefix = f"rws:{service_id}:"
        self._config = config
        self._ttl = config.cache_ttl or _USUAL_TTL

    def key(self, call: Call, lookups: Lookups) -> str | None:
        """Name the answer to a call; None for calls whose answers are not kept.

        Path and parameters as the rows say; and, since an answer for one caller is none for another, whatever rows
        send of the caller's own.
        """
        if not self._config.cache_enabled or call.method != "GET" or call.raw or call.body is not None:
            return None
        if call.incoming is not None or "range" in call.headers:
            return None
        rows = [one for one in self._config.parameters if applies(one, call)]
        hidden = {one.name.lower() for one in rows if one.exclude and one.cache_key}
        asked = sorted(one for one in client_query(call) if one[0].lower() not in hidden)
        for one in rows:
            if not one.exclude and (one.cache_key or (one.outbound and "{" in (one.value or ""))):
                asked.append((one.name, str(lookups.fill(one.value or "", private=True))))
        own = {one.name.lower() for one in self._config.headers if one.pass_from_client or "{" in (one.value or "")}
        sent = [one for one in headers_of(self._config, call, lookups) if one[0].lower() in own]
        text = json.dumps([list(call.path), asked, sent, call.base_url if self._config.replace_link else ""])
        return self._prefix + hashlib.sha256(text).hexdigest()

    async def get(self, key: str, call: Call) -> Reply | None:
        """Answer what is kept."""
        found: Any = await in_thread(self._cache.get, key)
        if found is None:
            return None
        content = base64.b64decode(found["content"])
        headers = {"x-content-type-options": "nosniff"}
        if call.over_http:
            return Reply(content, found["status"], headers, found["type"])
        return held(content, found["status"], headers, found["type"])

    async def keeping(self, key: str, answer: Answer, reply: Reply) -> Reply:
        """Answer the reply, whose content is kept as soon as it has gone through, if it is good and not too long."""
        told = {one.strip().lower().partition("=")[0] for one in answer.header("cache-control").split(",")}
        packed = answer.header("content-encoding").lower() not in ("", "identity")
        if reply.status != 200 or packed or told & {"no-store", "private"} or not isinstance(reply.media_type, str):
            return reply
        if isinstance(reply.content, AsyncGenerator):
            reply.content = self._passing(key, reply.content, reply.media_type)
            # Begun, so that closing it closes what it comes from.
            await anext(reply.content)
        return reply

    async def _passing(
        self, key: str, pieces: AsyncGenerator[bytes, None], media_type: str
    ) -> AsyncGenerator[bytes, None]:
        whole: bytearray | None = bytearray()
        try:
            yield b""
            async for piece in pieces:
                if whole is not None:
                    whole += piece
                    whole = whole if len(whole) <= _MOST_BYTES else None
                yield piece
            if whole is not None:
                value = {"status": 200, "type": media_type, "content": base64.b64encode(whole).decode("ascii")}
                await in_thread(self._cache.set, key, value, self._ttl)
        finally:
            await pieces.aclose()

    async def clear(self) -> None:
        """Forget all."""
        await in_thread(self._cache.clear, self._prefix)
