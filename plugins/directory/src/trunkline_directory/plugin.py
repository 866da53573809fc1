"""Hooks: the command that makes roles of groups."""

from __future__ import annotations

import click

from trunkline import hookimpl


@hookimpl
def register_commands(cli: click.Group) -> None:
    """Add ``trunkline ldap-import-groups``."""
    from trunkline_directory import commands

    cli.add_command(commands.import_groups)
