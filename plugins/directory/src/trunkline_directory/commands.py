"""The command ``trunkline ldap-import-groups``."""

from __future__ import annotations

import asyncio

import click

from trunkline.app import App
from trunkline.cli import example
from trunkline.settings import Settings
from trunkline_directory.imports import Import, imported


@click.command("ldap-import-groups", epilog=example("trunkline ldap-import-groups corp --filter '(cn=app-*)' --plan"))
@click.argument("service")
@click.option("--filter", "wanted", help="Only the groups that this filter of the directory selects.")
@click.option("--plan", is_flag=True, help="Change nothing, only tell.")
@click.pass_obj
def import_groups(settings: Settings, service: str, wanted: str | None, plan: bool) -> None:
    """Make a role of each group in the directory of SERVICE that has none yet.

    The roles open nothing until they get access rows. Doing it again changes nothing.
    """
    outcome = asyncio.run(_imported(settings, service, wanted, plan))
    for name, group in outcome.made.items():
        click.echo(f"+ {name}: {group}")
    count = len(outcome.made)
    click.echo(f"{count} role{'s'[: count != 1]} {'to make' if plan else 'made'}, {outcome.known} left as they are.")
    if not outcome.is_complete:
        click.echo("The directory has more groups than it tells at once; narrow them with --filter.", err=True)


async def _imported(settings: Settings, service: str, wanted: str | None, plan: bool) -> Import:
    async with App(settings).running() as app:
        return await imported(app, service, wanted, plan=plan)
