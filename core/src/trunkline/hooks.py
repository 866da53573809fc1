"""The hook specifications, nothing else; see docs/hooks.md for the moments and the rules for answers."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable

    import click
    import sqlalchemy as sa
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from trunkline.app import App
    from trunkline.call import Call, Caller, Reply
    from trunkline.db.records import ServiceRecord, User
    from trunkline.describe import Description
    from trunkline.formats import Format
    from trunkline.service import Resource, Service

PROJECT = "trunkline"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
_F = TypeVar("_F", bound="Callable[..., Any]")


def headers_only(function: _F) -> _F:
    """Mark an ``after_call`` that never looks at content, which then may be finished JSON (``render.passes_json``)."""
    function.headers_only = True  # type: ignore[attr-defined]  # functions take attributes
    return function


# Registration: plain functions, called once.


@hookspec
def add_hooks(manager: pluggy.PluginManager) -> None:
    """At start, before all others: add hook specifications of your own."""


@hookspec
def register_tables(metadata: sa.MetaData) -> None:
    """At start, before migration: add tables to the system database; they are created when missing."""


@hookspec
def register_commands(cli: click.Group) -> None:
    """On the command line: add commands."""


@hookspec
def register_resources(service_type: str, register: Callable[[type[Resource]], None]) -> None:
    """When a service of this type is first built: add resources to it."""


@hookspec
def register_formats(register: Callable[[Format], None]) -> None:
    """At start: add media types to parse and render."""


@hookspec
def register_routes(app: App) -> list[BaseRoute]:
    """At start: answer routes outside ``/api``."""
    return []


@hookspec
def wrap_asgi(app: App, inner: ASGIApp) -> ASGIApp:
    """At start: answer an outermost middleware round ``inner``."""
    return inner


@hookspec
def lifespan(app: App) -> AbstractAsyncContextManager[None]:
    """While the application runs: an async context manager, left in reverse order."""
    raise NotImplementedError


@hookspec
def seed(app: App) -> None:
    """After migration, on every start: create the records that your plugin cannot do without, if missing."""


# Calls: may be ``async def``; see trunkline.plugins for first, every and fold.


@hookspec
def authenticate(app: App, call: Call) -> Caller | None:
    """During identify, first answer wins: a Caller, or None when these credentials are not of your kind."""


@hookspec
def login(app: App, credentials: dict[str, Any]) -> User | None:
    """When a session is asked for, first answer wins: the user, or None."""


@hookspec
def check_call(app: App, call: Call, service: Service) -> None:
    """After the kernel granted access: raise to refuse (limits, policies); nobody can grant here."""


@hookspec
def before_call(app: App, call: Call) -> Reply | None:
    """Before the handler, first answer wins: change the call, or answer instead of it."""


@hookspec
def after_call(app: App, call: Call, reply: Reply) -> Reply | None:
    """After the handler, also when it failed: each answer replaces ``reply`` for the next."""


@hookspec
def explain_call(app: App, call: Call, service: Service) -> dict[str, Any] | None:
    """When a call is explained instead of done: what you would have done with it, by your own name; change nothing."""


@hookspec
def describe_service(app: App, record: ServiceRecord) -> Description | None:
    """When somebody tells of a service's calls, first answer wins: what to tell instead of what it says of itself."""


@hookspec
def on_event(app: App, event: object) -> None:
    """After the reply: observe; failures are logged and never returned."""
