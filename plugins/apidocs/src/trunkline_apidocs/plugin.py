"""Hooks: ``_spec`` below every service, the service ``api_docs``, and the page in the browser."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import pluggy
from starlette.routing import BaseRoute

from trunkline import Resource, hookimpl
from trunkline_apidocs import page
from trunkline_apidocs.described import Descriptions
from trunkline_apidocs.documents import NAME, Documents
from trunkline_apidocs.spec import Spec
from trunkline_system.seeding import ensure_service

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import ServiceRecord
    from trunkline.describe import Description

_DESCRIPTIONS = "apidocs.descriptions"


@hookimpl
def add_hooks(manager: pluggy.PluginManager) -> None:
    """Register what keeps documents: it has state, and there may be several applications in a process."""
    manager.register(Documents(), NAME)
    manager.register(Descriptions(), _DESCRIPTIONS)


@hookimpl
async def describe_service(app: App, record: ServiceRecord) -> Description | None:
    """Say what the operator's document says."""
    found = app.plugins.get_plugin(_DESCRIPTIONS)
    return await found.of(app, record) if isinstance(found, Descriptions) else None


@hookimpl(wrapper=True)
def seed(app: App) -> Generator[None, list[None], list[None]]:
    """Make sure that the service is there, after those that have always had the first ids."""
    seeded = yield
    ensure_service(app, "api_docs", "swagger", "Live API Docs", "API documenting and testing service.")
    return seeded


@hookimpl
def register_resources(service_type: str, register: Callable[[type[Resource]], None]) -> None:
    """Serve ``_spec`` below services of every type."""
    register(Spec)


@hookimpl
def register_routes(app: App) -> list[BaseRoute]:
    """Serve the page."""
    return page.routes(app)
