"""Private servers for the tests marked ``live``: each starts when first asked for and ends with the run."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import free_port

# Seconds that a server may take to start; a busy machine is slow, a broken server ends at once.
PATIENCE = 60.0
# Where the servers are, with the fixtures that start them.
pytest_plugins = [
    "databases", "object_servers", "transfer_servers", "web_servers", "swift_servers", "brokers", "cache_servers",
    "directory_servers", "remote_servers", "identity_servers", "saml_servers", "document_servers", "mongo_servers",
    "couch_servers",
]  # fmt: skip


class Server(ABC):
    """One server on a port and in a folder of its own; it starts nothing of the system's and touches nothing of it."""

    #: How a skipped test names what is missing, and the programs that must be there.
    name: str
    programs: tuple[str, ...]
    #: Folders where packages keep programs that are not on the path.
    places: tuple[str, ...] = ("/usr/sbin",)
    #: Whose rights the server takes when the tests run as root.
    account: str

    def __init__(self, folder: Path) -> None:
        """Choose port and password; ``start`` starts."""
        self.folder = folder
        self.port = free_port()
        self.password = secrets.token_hex(8)
        self.process: subprocess.Popen[bytes] | None = None
        if os.getuid() == 0:
            owner = pwd.getpwnam(self.account)
            os.chown(folder, owner.pw_uid, owner.pw_gid)

    @classmethod
    def program(cls, name: str) -> str:
        """Find a program; skips the test when it is not installed, unless that is what CI is for."""
        path = os.pathsep.join([os.environ.get("PATH", ""), *cls.places])
        if found := shutil.which(name, path=path):
            return found
        told = f"{cls.name} is not installed ({name} was not found)"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)

    @abstractmethod
    def prepare(self) -> None:
        """Make the data folder."""

    @abstractmethod
    def command(self) -> list[str]:
        """Answer what starts the server in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Say whether it takes connections."""

    @abstractmethod
    def new_config(self) -> dict[str, Any]:
        """Make an empty place on the server and answer the configuration of a service on it."""

    def start(self) -> None:
        """Start the server on the data that is there, and wait until it takes connections."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **self._as_account(),
            )
        deadline = time.monotonic() + PATIENCE
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End the server and all its children at once, as a power cut does."""
        if self.process is not None:
            # PostgreSQL's children have process groups of their own, and still answer for a moment after its death.
            children = children_of(self.process.pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            self.process.wait(timeout=PATIENCE)
            self.process = None

    def stop(self) -> None:
        """Ask the server to end, and make sure."""
        if self.process is not None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=10)
            self.kill()

    @property
    def log(self) -> Path:
        """What the server said."""
        return self.folder / "log"

    def run(self, *command: str) -> None:
        """Run a helper of the server; raises with its words when it fails."""
        done = subprocess.run(command, capture_output=True, text=True, **self._as_account())
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

    def _as_account(self) -> dict[str, Any]:
        """Answer how to start a process: in the folder, and not as root."""
        options: dict[str, Any] = {"cwd": self.folder, "env": {**os.environ, "HOME": str(self.folder)}}
        if os.getuid() == 0:
            options |= {"user": self.account, "group": self.account, "extra_groups": []}
        return options


def children_of(process: int) -> list[int]:
    """List the processes that a process started, where the kernel tells."""
    with contextlib.suppress(OSError):
        return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return []


@contextlib.contextmanager
def serving(kind: type[Server]) -> Iterator[Server]:
    """Keep a server for the length of the block; skips or fails when it is not installed."""
    for name in kind.programs:
        kind.program(name)
    # Not pytest's folder: that one is closed to the account the server runs under.
    with tempfile.TemporaryDirectory(prefix="trunkline-", ignore_cleanup_errors=True) as folder:
        server = kind(Path(folder))
        try:
            server.prepare()
            server.start()
            yield server
        finally:
            server.stop()
