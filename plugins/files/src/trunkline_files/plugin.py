"""Hooks of the file family; its service types come from the connectors."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from trunkline.app import App
from trunkline.hooks import hookimpl
from trunkline_files import public


@hookimpl(trylast=True)
def register_routes(app: App) -> list[BaseRoute]:
    """Bring downloads without credentials, behind the routes of all others."""
    return [Route("/{service}/{path:path}", public.endpoint(app), methods=["GET"])]
