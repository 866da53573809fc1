"""Who may speak to the endpoint at all: the names it is reached by, and the pages that may use it (checklist 35)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import sqlalchemy as sa

from trunkline.errors import Unavailable
from trunkline.revisions import CONFIG
from trunkline_system.cors import Rule
from trunkline_system.models.cors import CorsModel

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline_system.model import Row

log = logging.getLogger(__name__)
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class Guards:
    """Knows APP_URL, this machine, and the rules for other origins; whoever comes by another name is sent away.

    A page of a stranger can make its own name lead to this address (DNS rebinding), but then it is also the Host.
    """

    def __init__(self, app: App) -> None:
        """Know no rule yet."""
        self._app = app
        self._url = urlsplit(app.settings.app_url)
        self._known_at: int | None = None
        self._rules: Sequence[Rule] = ()
        self._hosts: frozenset[str] = frozenset()

    async def host_is_known(self, headers: Mapping[str, str]) -> bool:
        """Say whether the Host is ours: that of APP_URL, this machine's, or one that a rule names as an origin."""
        try:
            host = urlsplit(f"//{headers.get('host', '')}")
            name, port = (host.hostname or "").lower(), host.port
        except ValueError:
            return False
        if name in _LOCAL:
            return True
        if name == (self._url.hostname or "").lower():
            return port in (None, self._url.port, 443 if self._url.scheme == "https" else 80)
        await self._learn()
        return name in self._hosts

    def base(self, headers: Mapping[str, str], scheme: str) -> str | None:
        """Answer the address under which a client finds this gateway; None where OAuth would be overheard.

        It is APP_URL; or, where that is this machine, what the request was sent to, as its port often is not told.
        """
        own = self._url
        if (own.hostname or "") not in _LOCAL:
            return self._app.settings.app_url.rstrip("/") if own.scheme == "https" else None
        host = headers.get("host", "")
        return f"{scheme}://{host}" if (urlsplit(f"//{host}").hostname or "") in _LOCAL else None

    async def origin_is_known(self, headers: Mapping[str, str], path: str) -> bool:
        """Say whether pages of the Origin may use this; programs that are no browsers send none."""
        origin = headers.get("origin")
        if origin is None:
            return True
        try:
            found = urlsplit(origin)
            name, port = (found.hostname or "").lower(), found.port
        except ValueError:
            return False
        if found.scheme not in ("http", "https") or not name:
            return False
        own = self._url
        if name in _LOCAL or (found.scheme, name, port) == (own.scheme, (own.hostname or "").lower(), own.port):
            return True
        await self._learn()
        return any(one.paths.search(path) and one.grants(origin) for one in self._rules)

    async def _learn(self) -> None:
        revision = self._app.database.revisions[CONFIG]
        if revision == self._known_at:
            return
        try:
            rows = await self._app.database.aread(_read)
        except Unavailable:
            log.warning("the rules for other origins can not be read; those known stay in force")
            return
        self._rules = [Rule.of(row) for row in rows]
        named = (one.strip() for row in rows for one in str(row["origin"]).split(","))
        self._hosts = frozenset(
            filter(None, ((urlsplit(one).hostname or "").lower() for one in named if "*" not in one))
        )
        self._known_at = revision


def _read(connection: sa.Connection) -> Sequence[Row]:
    table = CorsModel.table
    return connection.execute(sa.select(table).where(table.c.enabled)).mappings().all()


def headers_for(origin: str) -> list[tuple[bytes, bytes]]:
    """Answer the headers that let a page of a known origin read an answer."""
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"Mcp-Session-Id, WWW-Authenticate, X-Request-Id"),
        (b"vary", b"Origin"),
    ]
