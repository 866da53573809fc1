"""Pages outside the API: what is running here, for people and for probes."""

from __future__ import annotations

import html
import platform
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from trunkline import json
from trunkline.db import tables

if TYPE_CHECKING:
    from trunkline.app import App

Page = Callable[[Request], Awaitable[Response]]
_START = Template((Path(__file__).parent / "start.html").read_text(encoding="utf-8"))
_DOCS = '<li><a href="/docs">/docs</a><span>what you may call, to read and to try</span></li>\n'
# Nothing on the page is script, nothing comes from elsewhere (checklist 38).
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def start(app: App) -> Page:
    """Answer the start page: that it runs, and where to go from here. It names no service, as nobody has logged in."""

    async def page(_request: Request) -> Response:
        numbers = await counts(app)
        if numbers["admin"]:
            hint = "Log in with <code>POST /api/v2/system/admin/session</code>, or send an API key."
        else:
            hint = "There is no administrator yet: run <code>trunkline setup</code>."
        filled = _START.substitute(
            name=html.escape(app.settings.app_name),
            version=html.escape(version("trunkline")),
            hint=hint,
            types=len(app.registry.names()),
            # The page that reads the documents comes with a package of its own.
            docs=_DOCS if app.plugins.has_plugin("apidocs") else "",
        )
        return HTMLResponse(filled, headers=_HEADERS)

    return page


def status(app: App) -> Page:
    """Answer the public status (system-api 1.5); counts only, no names."""

    async def page(request: Request) -> Response:
        content = {
            "uri": f"{request.url.scheme}://{request.url.netloc}",
            "managed": False,
            "dist": "trunkline",
            "demo": False,
            "version": version("trunkline"),
            "license": "OPEN SOURCE",
            "host_os": platform.system(),
            "resources": await counts(app),
        }
        return Response(json.dumps(content), media_type="application/json")

    return page


async def up(_request: Request) -> Response:
    """Answer the health check."""
    return PlainTextResponse("ok")


async def counts(app: App) -> dict[str, int]:
    """Count the records that the status shows."""
    user = tables.user

    def count(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> Any:
        return sa.select(sa.func.count()).select_from(table).where(*conditions).scalar_subquery()

    query = sa.select(
        count(tables.app).label("app"),
        count(user, user.c.is_sys_admin.is_(True)).label("admin"),
        count(user, user.c.is_sys_admin.is_(False)).label("user"),
        count(tables.service).label("service"),
        count(tables.role).label("role"),
    )
    row = await app.database.aread(lambda connection: connection.execute(query).mappings().one())
    return dict(row)
