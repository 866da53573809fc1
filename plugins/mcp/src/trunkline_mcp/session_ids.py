"""Session ids of clients that want one: signed for one caller on one server, and kept nowhere until they are ended.

They give no right: every request needs its own credentials. An id in other hands than those it was made for is as good
as none (checklist 35).
"""

from __future__ import annotations

import hmac
import secrets
import time
from typing import TYPE_CHECKING

from trunkline.threads import in_thread

if TYPE_CHECKING:
    from trunkline_mcp.exchange import Exchange

_SECONDS = 24 * 3600
_ENDED = "mcp:ended:"
_PURPOSE = b"trunkline mcp session"


class SessionIds:
    """Makes and judges ids; any worker judges those of all."""

    def __init__(self, key: bytes) -> None:
        """Derive a key of its own from the instance's."""
        self._key = hmac.digest(key, _PURPOSE, "sha256")

    def make(self, exchange: Exchange) -> str:
        """Make an id for a caller; it ends by itself after a day."""
        text = f"{secrets.token_hex(16)}.{int(time.time()) + _SECONDS}"
        return f"{text}.{self._signature(text, exchange)}"

    async def is_good(self, session_id: str, exchange: Exchange) -> bool:
        """Say whether an id was made for this caller on this server, and has not ended."""
        text, _, signature = session_id.rpartition(".")
        if not session_id.isascii() or not hmac.compare_digest(signature, self._signature(text, exchange)):
            return False
        if int(text.rpartition(".")[2]) < time.time():
            return False
        return await in_thread(exchange.app.cache.get, _ENDED + signature) is None

    async def end(self, session_id: str, exchange: Exchange) -> None:
        """End an id that is good."""
        await in_thread(exchange.app.cache.set, _ENDED + session_id.rpartition(".")[2], True, _SECONDS)

    def _signature(self, text: str, exchange: Exchange) -> str:
        return hmac.new(self._key, f"{text}|{exchange.owner}".encode(), "sha256").hexdigest()
