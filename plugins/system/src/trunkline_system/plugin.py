"""Hooks: the records that the platform needs, and the pages outside the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy
import sqlalchemy as sa
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from trunkline import hookimpl
from trunkline.db import tables
from trunkline_system import pages
from trunkline_system.cors import Cors
from trunkline_system.mails import Outbox
from trunkline_system.models.cors import CorsModel
from trunkline_system.models.custom import CustomModel
from trunkline_system.models.email_defaults import ensure_templates
from trunkline_system.models.email_template import EmailTemplateModel
from trunkline_system.models.role import RoleAdldap
from trunkline_system.seeding import ensure_service

if TYPE_CHECKING:
    from trunkline.app import App


@hookimpl
def add_hooks(manager: pluggy.PluginManager) -> None:
    """Register what sends mails after replies: it has state, and there may be several applications in a process."""
    Outbox.add_to(manager)


@hookimpl
def seed(app: App) -> None:
    """Make sure that mail templates exist, and the ``system`` service, which can not be renamed or deleted (D7)."""
    ensure_service(
        app, "system", "system", "System Management", "Service for managing system resources.", mutable=False
    )
    ensure_templates(app)


@hookimpl
def register_routes(app: App) -> list[BaseRoute]:
    """Serve the start page, the public status and the health check."""
    return [
        Route("/", pages.start(app), methods=["GET"]),
        Route("/status", pages.status(app), methods=["GET"]),
        Route("/up", pages.up, methods=["GET"]),
    ]


@hookimpl
def register_tables(metadata: sa.MetaData) -> None:
    """Bring the tables of resources that the kernel does not know."""
    tables.add_to(metadata, CorsModel.table, CustomModel.table, EmailTemplateModel.table, RoleAdldap.table)


@hookimpl
def wrap_asgi(app: App, inner: ASGIApp) -> ASGIApp:
    """Let browsers know which pages of other origins may use the API."""
    return Cors(app, inner)
