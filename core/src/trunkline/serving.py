"""Running a server: Hypercorn by default, any other through the entry-point group ``trunkline.servers``."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points

from hypercorn.config import Config
from hypercorn.run import run as hypercorn_run

from trunkline.settings import BadSettings, Settings

GROUP = "trunkline.servers"
APPLICATION = "trunkline.asgi:app"


@dataclass(frozen=True, slots=True)
class Bind:
    """Where and how to serve: address, number of worker processes, seconds to drain, optional TLS files."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    graceful_timeout: float = 10.0
    certfile: str | None = None
    keyfile: str | None = None


Server = Callable[[str, Bind], int]


def hypercorn(application: str, bind: Bind) -> int:
    """Serve with Hypercorn (HTTP/1.1, HTTP/2, TLS); answers the exit status."""
    config = Config()
    config.application_path = application
    config.bind = [f"{bind.host}:{bind.port}"]
    # Zero means: no child process. A single worker is easier to stop and to watch that way.
    config.workers = bind.workers if bind.workers > 1 else 0
    config.graceful_timeout = bind.graceful_timeout
    config.shutdown_timeout = bind.graceful_timeout
    config.certfile, config.keyfile = bind.certfile, bind.keyfile
    config.include_server_header = False
    # Room for the longest URL that is read (``max_url``), and for headers beside it.
    config.h11_max_incomplete_size = 2**17
    config.accesslog = None
    config.errorlog = None
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: F401 - only to know whether it is there

        config.worker_class = "uvloop"
    return hypercorn_run(config)


def run(
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    workers: int = 1,
    server: str = "hypercorn",
    certfile: str | None = None,
    keyfile: str | None = None,
) -> int:
    """Serve until stopped; raises BadSettings when it cannot begin."""
    found = next(iter(entry_points(group=GROUP, name=server)), None)
    if found is None:
        raise BadSettings(f"Server '{server}' is not installed. Try: pip install trunkline-{server}")
    if workers > 1 and settings.cache_driver == "memory":
        raise BadSettings("CACHE_DRIVER 'memory' is not shared between workers. Use file, redis or one worker.")
    _check_port(host, port)
    # Worker processes read their settings from the environment, as the command line may have overridden it.
    os.environ["TRUNKLINE_STORAGE"] = str(settings.storage.resolve())
    serve: Server = found.load()
    return serve(APPLICATION, Bind(host, port, workers, settings.graceful_timeout, certfile, keyfile))


def _check_port(host: str, port: int) -> None:
    """Fail early and clearly when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BadSettings(f"Cannot listen on {host}:{port}: {error.strerror}") from None
