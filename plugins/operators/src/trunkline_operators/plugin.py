"""Hooks: the commands, ``system/explain``, and explanations instead of answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click

from trunkline import Call, Reply, Resource, hookimpl
from trunkline_operators import resource

if TYPE_CHECKING:
    from trunkline.app import App


@hookimpl
def register_commands(cli: click.Group) -> None:
    """Add ``trunkline export`` and ``trunkline apply``."""
    from trunkline_operators import commands

    cli.add_command(commands.export)
    cli.add_command(commands.apply)


@hookimpl
def register_resources(service_type: str, register: Callable[[type[Resource]], None]) -> None:
    """Serve ``system/explain``."""
    if service_type == "system":
        register(resource.Explain)


@hookimpl(tryfirst=True)
def before_call(app: App, call: Call) -> Awaitable[Reply] | None:
    """Answer administrators who ask with ``explain=true`` with an explanation; nothing else happens."""
    return _explained(app, call) if resource.wants(call) else None


async def _explained(app: App, call: Call) -> Reply:
    return Reply(await resource.of_own_call(app, call))
