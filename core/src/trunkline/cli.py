"""The command line: ``trunkline setup | serve | plugins | settings | service | rotate-key``, and what plugins add."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import click

from trunkline import commands, log
from trunkline.errors import TrunklineError
from trunkline.plugins import Manager
from trunkline.settings import Settings, load


class Group(click.Group):
    """Turns our errors into one line on standard error and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except TrunklineError as error:
            raise click.ClickException(error.message) from None


def example(*lines: str) -> str:
    """Format examples for the end of a command's help."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


@click.group(cls=Group, epilog=example("trunkline setup", "trunkline serve --port 8080"))
@click.option("--storage", type=click.Path(path_type=Path), help="Storage folder; TRUNKLINE_STORAGE unless given.")
@click.version_option(package_name="trunkline")
@click.pass_context
def cli(context: click.Context, storage: Path | None) -> None:
    """Databases, files, mail and APIs behind one access-controlled REST dialect."""
    if storage is not None:
        os.environ["TRUNKLINE_STORAGE"] = str(storage)
    if context.invoked_subcommand is not None:
        context.obj = settings = load()
        log.configure(settings)


@cli.command(epilog=example("trunkline setup --admin-email me@example.com"))
@click.option("--admin-email", envvar="ADMIN_EMAIL", prompt="E-mail of the first administrator")
@click.option(
    "--admin-password", envvar="ADMIN_PASSWORD", prompt="Password", hide_input=True, confirmation_prompt=True,
    help="At least 16 characters.",
)  # fmt: skip
@click.option("--admin-first-name", envvar="ADMIN_FIRST_NAME", default="")
@click.option("--admin-last-name", envvar="ADMIN_LAST_NAME", default="")
@click.pass_obj
def setup(
    settings: Settings, admin_email: str, admin_password: str, admin_first_name: str, admin_last_name: str
) -> None:
    """Prepare the system database, create the first administrator and first services; refuses when there is one."""
    names = {"first_name": admin_first_name or None, "last_name": admin_last_name or None}
    asyncio.run(commands.setup(settings, admin_email, admin_password, names))
    click.echo(f"Ready. Start with: trunkline serve   (storage: {settings.storage.resolve()})")


@cli.command(epilog=example("trunkline serve --host 0.0.0.0 --port 8080 --workers 2"))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True)
@click.option("--workers", default=1, show_default=True, help="Worker processes; 0 is one per core.")
@click.option("--server", default="hypercorn", show_default=True, help="Any installed server.")
@click.option("--certfile", type=click.Path(exists=True), help="TLS certificate (PEM).")
@click.option("--keyfile", type=click.Path(exists=True), help="TLS key (PEM).")
@click.pass_obj
def serve(
    settings: Settings, host: str, port: int, workers: int, server: str, certfile: str | None, keyfile: str | None
) -> None:
    """Serve until stopped; on SIGTERM or Ctrl-C requests under way are finished first."""
    from trunkline import serving

    count = workers or os.cpu_count() or 1
    scheme = "https" if certfile else "http"
    click.echo(
        f"Serving on {scheme}://{host}:{port}/ with {count} worker{'s'[: count > 1]}. Stop with Ctrl-C.", err=True
    )
    status = serving.run(
        settings, host=host, port=port, workers=count, server=server, certfile=certfile, keyfile=keyfile
    )
    raise SystemExit(status)


@cli.command(epilog=example("trunkline plugins"))
def plugins() -> None:
    """List the installed packages, what each brings, and what is broken."""
    for line in commands.plugin_lines():
        click.echo(line)


@cli.command(epilog=example("trunkline settings"))
@click.pass_obj
def settings(current: Settings) -> None:
    """List every setting: environment name, value (secrets masked), meaning."""
    for line in commands.setting_lines(current):
        click.echo(line)


@cli.group(epilog=example("trunkline service add shop sqlite database=shop.sqlite", "trunkline service list"))
def service() -> None:
    """Configure services from the command line."""


@service.command("add", epilog=example("trunkline service add shop sqlite database=shop.sqlite"))
@click.argument("name")
@click.argument("type")
@click.argument("config", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--label", default=None)
@click.pass_obj
def service_add(settings: Settings, name: str, type: str, config: tuple[str, ...], label: str | None) -> None:  # noqa: A002
    """Add a service of TYPE under NAME."""
    fields = {}
    for pair in config:
        key, equals, value = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"'{pair}' is not of the form FIELD=VALUE.")
        fields[key] = value
    record = {"name": name, "label": label or name, "type": type, "is_active": True, "config": fields}
    asyncio.run(commands.ask(settings, "POST", "system/service", {"resource": [record]}))
    click.echo(f"Service {name} is at /api/v2/{name}")


@service.command("list", epilog=example("trunkline service list"))
@click.pass_obj
def service_list(settings: Settings) -> None:
    """List the configured services."""
    reply = asyncio.run(commands.ask(settings, "GET", "system/service", None))
    for row in reply["resource"]:
        click.echo(f"{row['name']:24} {row['type']:24} {'' if row['is_active'] else 'inactive'}")


@cli.command("rotate-key", epilog=example("APP_KEY=$NEW APP_PREVIOUS_KEYS=$OLD trunkline rotate-key"))
@click.pass_obj
def rotate_key(settings: Settings) -> None:
    """Encrypt every stored secret anew under the current APP_KEY."""
    click.echo(f"{asyncio.run(commands.rotate(settings))} values encrypted anew.")


def main() -> None:
    """Run the command line with the commands that plugins add."""
    manager = Manager()
    manager.load()
    manager.hook.register_commands(cli=cli)
    cli()
