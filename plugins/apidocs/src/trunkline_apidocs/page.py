"""The page in the browser: Swagger UI with a form for a key or a login; nothing on it comes from elsewhere."""

from __future__ import annotations

import hashlib
import html
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from trunkline.errors import NotFound

if TYPE_CHECKING:
    from trunkline.app import App

_FOLDER = Path(__file__).parent / "static"
_KINDS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "page.js": "text/javascript",
    "page.css": "text/css",
}
# No script but ours, none inline, and nobody to talk to but this server (checklist 38).
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def routes(app: App) -> list[BaseRoute]:
    """Answer the routes of the page and of its files."""
    files = {name: (_FOLDER / name).read_bytes() for name in _KINDS}
    # Part of the addresses, so that browsers may keep files and still see new ones.
    version = hashlib.sha256(b"".join(files.values())).hexdigest()[:12]
    template = Template((_FOLDER / "page.html").read_text(encoding="utf-8"))
    filled = template.substitute(name=html.escape(app.settings.app_name), version=version)

    async def page(_request: Request) -> Response:
        return HTMLResponse(filled, headers=_HEADERS)

    async def file(request: Request) -> Response:
        name = request.path_params["file"]
        if name not in files:
            raise NotFound("There is nothing here.")
        headers = {**_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
        return Response(files[name], media_type=f"{_KINDS[name]}; charset=utf-8", headers=headers)

    return [Route("/docs", page, methods=["GET"]), Route("/docs/{file}", file, methods=["GET"])]
