"""The MongoDB of a test run: SecantusDB, which speaks its protocol as a replica set of one."""

from __future__ import annotations

import contextlib
import secrets
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Server, serving


class Secantus(Server):
    """SecantusDB with its data in the folder."""

    name = "SecantusDB"
    programs = ("secantusd-py",)
    places = (str(Path(sys.executable).parent),)
    account = "root"
    #: Without it the server is no replica set, so it has no transactions.
    more: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Do nothing: it makes its data when it starts."""

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [
            self.program("secantusd-py"), "--host", "127.0.0.1", "--port", str(self.port),
            "--storage-path", str(self.folder / "data"), "--log-level", "ERROR", *self.more,
        ]  # fmt: skip

    def is_ready(self) -> bool:
        """Say whether the port is open."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def new_config(self) -> dict[str, Any]:
        """Answer the configuration of a service on a database of its own."""
        return {"host": "127.0.0.1", "port": self.port, "database": f"t{secrets.token_hex(6)}"}

    def _as_account(self) -> dict[str, Any]:
        # It is a package of the interpreter that runs the tests, which other accounts may not read.
        return {"cwd": self.folder}


class LoneSecantus(Secantus):
    """SecantusDB as a server alone, which has no transactions."""

    more = ("--standalone",)


@pytest.fixture(scope="session")
def secantus() -> Iterator[Server]:
    """A SecantusDB of this test run's own."""
    with serving(Secantus) as server:
        yield server


@pytest.fixture(scope="session")
def lone_secantus() -> Iterator[Server]:
    """One without transactions."""
    with serving(LoneSecantus) as server:
        yield server
