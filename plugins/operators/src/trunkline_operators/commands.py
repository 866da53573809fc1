"""The commands ``trunkline export`` and ``trunkline apply``."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import sys
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa

from trunkline.app import App
from trunkline.cli import example
from trunkline.errors import BadRequest
from trunkline.events import RecordChanged
from trunkline.settings import Settings
from trunkline.threads import in_thread
from trunkline_operators import document
from trunkline_operators.apply import Outcome, applied
from trunkline_operators.export import Exporter, emitted
from trunkline_operators.kinds import kinds_of
from trunkline_operators.secrets import Password, Writer, placeholders
from trunkline_operators.telling import lines

_PASSWORD = "TRUNKLINE_EXPORT_PASSWORD"  # noqa: S105 - the name of a variable
NOT_EMPTY = 2


@click.command(epilog=example("trunkline export gateway.yaml", "trunkline export --secrets encrypted > gateway.yaml"))
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--secrets", type=click.Choice(["placeholders", "encrypted"]), default="placeholders", show_default=True,
    help=f"How secrets are written; encrypted under the password in {_PASSWORD}, which is asked for otherwise.",
)  # fmt: skip
@click.pass_obj
def export(settings: Settings, file: Path | None, secrets: str) -> None:
    """Write the whole configuration to FILE, or to standard output: names for ids, defaults left out.

    The same state gives the same file. Secrets that are references (env:NAME, file:PATH) stay what they are.
    """
    sealed = secrets == "encrypted"
    text = asyncio.run(_exported(settings, _asked(confirm=True) if sealed else None, _salt_in(file)))
    if file is None:
        click.echo(text, nl=False)
        return
    # Keys of apps and names of hosts are nobody else's business, whoever may read this folder.
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)


@click.command(epilog=example("trunkline apply gateway.yaml --plan", "trunkline apply gateway.yaml --prune"))
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--plan", is_flag=True, help="Change nothing; the exit status is 2 when there is something to change.")
@click.option("--prune", is_flag=True, help="Delete the records that FILE does not name, of the kinds that it has.")
@click.pass_obj
def apply(settings: Settings, file: Path, plan: bool, prune: bool) -> None:
    """Make the configuration what FILE says, all of it or nothing, and tell what changes.

    Also told is who gains or loses which right. Doing it again changes nothing. A record in FILE says everything:
    what it leaves out has its default; records that FILE does not name stay.
    """
    content = document.parse(_read(file))
    salt = _salt_of(content)
    password = Password(_asked(confirm=False), salt) if salt is not None else None
    outcome = asyncio.run(_applied(settings, content, plan, prune, password))
    for line in lines(outcome):
        click.echo(line)
    if not outcome.changes:
        click.echo("Nothing to change.")
    elif plan:
        sys.exit(NOT_EMPTY)
    else:
        count = len(outcome.changes)
        click.echo(f"\n{count} record{'s'[: count != 1]} changed.")


def _read(file: Path) -> str:
    try:
        read = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return read.decode()
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {os.strerror(error.errno or 0)}.") from None
    except UnicodeDecodeError:
        raise BadRequest(f"{file} is not UTF-8.") from None


async def _exported(settings: Settings, password: str | None, salt: bytes | None) -> str:
    async with App(settings).running() as app:
        return await in_thread(exported, app, password, salt)


def exported(app: App, password: str | None = None, salt: bytes | None = None) -> str:
    """Write the configuration of an application as a file; blocks."""

    def read(connection: sa.Connection) -> str:
        exporter = Exporter(app, connection, kinds_of(app))
        head: dict[str, Any] = {}
        write: Writer = placeholders
        if password is not None:
            write = sealing = Password(password, salt or app.vault.export_salt())
            head["secrets"] = {"salt": base64.b64encode(sealing.salt).decode()}
        return document.write({**head, **emitted(exporter, exporter.content(), write)})

    return app.database.read(read)


async def _applied(
    settings: Settings, content: document.Mapping, plan: bool, prune: bool, password: Password | None
) -> Outcome:
    async with App(settings).running() as app:
        outcome = await in_thread(lambda: applied(app, content, planning=plan, prune=prune, password=password))
        for change in () if plan else outcome.changes:
            fields = tuple(sorted(change.after or ()))
            app.events.publish(RecordChanged(change.kind, change.action, change.record_id, fields=fields))
        # Those who listen are told at the next turn of the loop.
        await asyncio.sleep(0)
        return outcome


def _asked(*, confirm: bool) -> str:
    found: str = os.environ.get(_PASSWORD) or click.prompt(
        "Password of the secrets", hide_input=True, confirmation_prompt=confirm, err=True
    )
    return found


def _salt_in(file: Path | None) -> bytes | None:
    """Take the salt of the file that is written anew, so that unchanged secrets look unchanged."""
    if file is None or not file.exists():
        return None
    try:
        return _salt_of(document.parse(file.read_text(encoding="utf-8")))
    except (BadRequest, UnicodeDecodeError):
        return None


def _salt_of(content: document.Mapping) -> bytes | None:
    found = content.get("secrets")
    if found is None:
        return None
    try:
        return base64.b64decode(found["salt"], validate=True)
    except (TypeError, KeyError, ValueError, binascii.Error):
        raise BadRequest("'secrets' must have the salt of the file's encrypted secrets.") from None
