"""Cross-origin requests: which answers a browser may show to pages of other origins (system-api 22, D3)."""

from __future__ import annotations

import fnmatch
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from trunkline.errors import Unavailable
from trunkline.revisions import CONFIG
from trunkline_system.models.cors import CorsModel, listed, methods_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from trunkline.app import App
    from trunkline_system.model import Row

log = logging.getLogger(__name__)
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, ready to be asked."""

    path: str
    paths: re.Pattern[str]
    any_origin: bool
    origins: tuple[re.Pattern[str], ...]
    methods: str
    headers: str
    exposed: str
    max_age: int
    credentials: bool

    @classmethod
    def of(cls, row: Row) -> Rule:
        """Read a stored rule; a path is a pattern with asterisks, or behind ``^`` a regular expression."""
        path, origins = str(row["path"]), listed(row["origin"])
        pattern = path if path.startswith("^") else rf"\A{fnmatch.translate('/' + path.lstrip('/'))}"
        return cls(
            path,
            re.compile(pattern, re.IGNORECASE if path.startswith("^") else 0),
            "*" in origins,
            tuple(re.compile(fnmatch.translate(one.lower().rstrip("/"))) for one in origins if one != "*"),
            ", ".join(methods_of(row["method"])),
            ", ".join(listed(row["header"])),
            ", ".join(listed(row["exposed_header"])),
            row["max_age"],
            row["supports_credentials"],
        )

    def grants(self, origin: str) -> bool:
        """Say whether pages of an origin may read answers."""
        return self.any_origin or any(one.fullmatch(origin.lower()) for one in self.origins)

    def common(self, origin: str) -> Headers:
        """Answer the headers of every reply to a granted origin."""
        if self.any_origin and not self.credentials:
            return [(b"access-control-allow-origin", b"*")]
        found = [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]
        return [*found, (b"access-control-allow-credentials", b"true")] if self.credentials else found

    def preflight(self, origin: str, asked: str) -> Headers:
        """Answer the headers of a preflight; an asterisk allows just the headers that were asked for."""
        found = self.common(origin)
        if self.methods:
            found.append((b"access-control-allow-methods", self.methods.encode()))
        if headers := (asked if self.headers == "*" else self.headers):
            found.append((b"access-control-allow-headers", headers.encode("latin-1")))
        if self.max_age:
            found.append((b"access-control-max-age", str(self.max_age).encode()))
        return found


class Cors:
    """Stands round the application: answers preflights and marks replies; requests without an origin pass by."""

    def __init__(self, app: App, inner: ASGIApp) -> None:
        """Know no rule yet."""
        self._app = app
        self._inner = inner
        self._known_at: int | None = None
        self._rules: Sequence[Rule] = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        origin = _header(scope, b"origin") if scope["type"] == "http" and scope["path"].startswith("/api") else None
        if origin is None:
            await self._inner(scope, receive, send)
            return
        rule = await self._rule(scope["path"])
        granted = rule if rule is not None and rule.grants(origin) else None
        if scope["method"] == "OPTIONS" and _header(scope, b"access-control-request-method") is not None:
            asked = _header(scope, b"access-control-request-headers") or ""
            headers = granted.preflight(origin, asked) if granted is not None else []
            vary = [] if any(name == b"vary" for name, _ in headers) else [(b"vary", b"Origin")]
            await send({"type": "http.response.start", "status": 204, "headers": [*headers, *vary]})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._inner(scope, receive, send if granted is None else _marking(send, _marks(granted, origin)))

    async def _rule(self, path: str) -> Rule | None:
        """Answer the rule with the longest path that fits."""
        revision = self._app.database.revisions[CONFIG]
        if revision != self._known_at:
            try:
                rows = await self._app.database.aread(_read)
            except Unavailable:
                log.warning("the rules for other origins can not be read; those known stay in force")
            else:
                self._rules = sorted(map(Rule.of, rows), key=lambda one: len(one.path), reverse=True)
                self._known_at = revision
        return next((one for one in self._rules if one.paths.search(path)), None)


def _read(connection: sa.Connection) -> Sequence[Row]:
    table = CorsModel.table
    return connection.execute(sa.select(table).where(table.c.enabled)).mappings().all()


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def _marks(rule: Rule, origin: str) -> Headers:
    found = rule.common(origin)
    return [*found, (b"access-control-expose-headers", rule.exposed.encode("latin-1"))] if rule.exposed else found


def _marking(send: Send, marks: Headers) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *marks]}
        await send(message)

    return marked
