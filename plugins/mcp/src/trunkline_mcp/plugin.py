"""Hooks: the endpoints of the servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Route

from trunkline import hookimpl

if TYPE_CHECKING:
    from trunkline.app import App


@hookimpl
def register_routes(app: App) -> list[BaseRoute]:
    """Serve ``/mcp/{service}``, and what clients need to get tokens for it."""
    from trunkline_mcp.endpoint import Endpoint
    from trunkline_mcp.oauth.routes import OAuth

    oauth = OAuth(app)
    return [
        Route("/mcp/{service}", Endpoint(app)),
        Route("/mcp/{service}/{place:path}", oauth),
        Route("/.well-known/{place}/mcp/{service}", oauth),
    ]
