"""The command `trunkline demo`: load the data, prepare the gateway, say how to use it, serve it."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from threading import Thread

import click
from rich.console import Console
from rich.progress import Progress

from trunkline.hooks import hookimpl
from trunkline.serving import run
from trunkline.settings import load
from trunkline_demo import address, flights, gateway

GUIDE = """\
Trunkline serves all flights from New York City in 2013.

  address   {url}
  admin     {admin_email}   password {admin_password}
  API key   {api_key}

The flights to San Francisco that left more than six hours late:
  curl -sG -H "X-DreamFactory-Api-Key: {api_key}" {table} -d fields=carrier,flight,time_hour,dep_delay -d limit=5 \
--data-urlencode "filter=(dest = 'SFO') and (dep_delay > 360)"

Two flights with their airlines and planes:
  curl -sG -H "X-DreamFactory-Api-Key: {api_key}" {table} -d limit=2 -d related=airlines_by_carrier,planes_by_tailnum

How many flights each airline had, and how late they arrived on average:
  curl -sG -H "X-DreamFactory-Api-Key: {api_key}" {table} -d "fields=carrier,COUNT(*),AVG(arr_delay)" -d group=carrier

Ctrl-C stops it; {folder} keeps everything for the next start.
"""


@hookimpl
def register_commands(cli: click.Group) -> None:
    """Add `trunkline demo`."""
    cli.add_command(demo)


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("trunkline-demo"),
    show_default=True,
    help="Folder for the demo's databases and keys.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port to listen on; 8080, or the next free one, unless given.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for scripts, and nothing else.")
def demo(folder: Path, host: str, port: int, as_json: bool) -> None:
    """Serve a real data set: the 336,776 flights that left New York City in 2013.

    The first start loads the data into an SQLite file and makes an admin, a service, a role and an app; an
    interrupted start is completed by the next.

    \b
    Example:
      trunkline demo --port 8081
    """
    try:
        port = address.free_port(host, port)
    except OSError as error:
        reason = os.strerror(error.errno or 0)  # the error's own words repeat the address
        raise click.ClickException(f"Cannot listen on {host}, port {port or 'any'}: {reason}.") from None
    settings = load(storage=folder.resolve())
    load_flights(settings.databases_folder() / gateway.DATABASE, quiet=as_json)
    access = gateway.prepare(settings)
    facts = {"url": address.url(host, port), **asdict(access), "services": [gateway.SERVICE]}
    table = f"{facts['url']}/api/v2/{gateway.SERVICE}/_table/flights"
    text = json.dumps(facts) if as_json else GUIDE.format(**facts, table=table, folder=folder)
    Thread(target=announce, args=(host, port, text), daemon=True).start()
    run(settings, host=host, port=port)


def load_flights(target: Path, *, quiet: bool) -> None:
    """Load the data unless it is there, with a progress bar on stderr."""
    if target.exists():
        return
    with Progress(console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task("Loading the flights of 2013", total=sum(flights.ROWS.values()))
        flights.load(target, lambda rows: progress.advance(task, rows))


def announce(host: str, port: int, text: str) -> None:
    """Print the text once the gateway answers."""
    if address.wait(host, port):
        click.echo(text)
    else:
        click.echo("The gateway does not answer; its log says why.", err=True)
