"""The object stores of a test run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import uuid
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import free_port
from servers import PATIENCE, Server, serving

NODE = Path(__file__).parent / "node"


class ObjectServer(Server):
    """A server that has containers of objects."""

    def is_ready(self) -> bool:
        """Say whether the port is open."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    @abstractmethod
    def config(self, container: str) -> dict[str, Any]:
        """Answer the configuration of a service on a container, whether that is there or not."""

    def new_config(self) -> dict[str, Any]:
        """Answer the configuration of a service on a container that is made when first used."""
        return self.config(f"c{secrets.token_hex(6)}")


class OwnProcess(ObjectServer):
    """A server that runs as whoever runs the tests, since the interpreter may be theirs alone."""

    account = "root"

    def prepare(self) -> None:
        """Do nothing: it makes all that it needs."""

    def _as_account(self) -> dict[str, Any]:
        return {"cwd": self.folder, "env": {**os.environ, "HOME": str(self.folder)}}


class Ceph(ObjectServer):
    """The RADOS gateway of Ceph, on one monitor and one store in memory; only the gateway is killed and started again.

    What is on it outlives the gateway, but not the run.
    """

    name = "Ceph"
    programs = ("ceph-mon", "ceph-osd", "radosgw", "ceph-authtool", "monmaptool", "radosgw-admin", "ceph")
    account = "ceph"

    def __init__(self, folder: Path) -> None:
        """Choose a port for the monitor as well."""
        super().__init__(folder)
        self._monitor = free_port()
        self._behind: list[subprocess.Popen[bytes]] = []

    def prepare(self) -> None:
        """Start monitor and store, and make a user."""
        identity, osd = uuid.uuid4(), uuid.uuid4()
        folder, keys = self.folder, str(self.folder / "keys")
        lines = {
            "fsid": identity, "mon host": f"[v2:127.0.0.1:{self._monitor}/0]", "public addr": "127.0.0.1",
            "cluster addr": "127.0.0.1", "auth cluster required": "cephx", "auth service required": "cephx",
            "auth client required": "cephx", "keyring": keys, "osd objectstore": "memstore",
            "memstore device bytes": 6 << 30, "osd pool default size": 1, "osd pool default min size": 1,
            "mon allow pool size one": "true", "osd crush chooseleaf type": 0, "osd pool default pg num": 1,
            "osd pool default pgp num": 1, "osd pool default pg autoscale mode": "off", "osd class load list": "*",
            "osd class default list": "*", "mon data": folder / "mon", "osd data": folder / "osd",
            "run dir": folder, "log file": folder / "$name.log", "pid file": folder / "$name.pid",
            "admin socket": folder / "$name.$pid.asok", "crash dir": folder,
            "rgw frontends": f"beast endpoint=127.0.0.1:{self.port}", "rgw data": folder / "rgw",
            "rgw enable gc threads": "false", "rgw enable lc threads": "false", "rgw run sync thread": "false",
            "rgw enable usage log": "false", "debug rgw": 0,
        }  # fmt: skip
        text = "[global]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items())
        (folder / "ceph.conf").write_text(text)
        everything = [part for one in ("mon", "osd", "mgr", "mds") for part in ("--cap", one, "allow *")]
        tool = self.program("ceph-authtool")
        self.run(tool, "--create-keyring", keys, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self.run(tool, keys, "--gen-key", "-n", "client.admin", *everything)
        map_of = ("--create", "--fsid", str(identity), "--addv", "a", f"[v2:127.0.0.1:{self._monitor}]")
        self.run(self.program("monmaptool"), *map_of, str(folder / "monmap"))
        self.run("mkdir", str(folder / "mon"), str(folder / "osd"), str(folder / "rgw"))
        monitor = (*self._ceph("ceph-mon"), "-i", "a")
        self.run(*monitor, "--mkfs", "--monmap", str(folder / "monmap"), "--keyring", keys)
        self._start_behind(*monitor, "-f")
        self._wait(lambda: self._told("osd", "stat") is not None)
        self.run(*self._ceph("ceph"), "osd", "new", str(osd))
        rights = ("mon", "allow *", "osd", "allow *")
        self.run(*self._ceph("ceph"), "auth", "get-or-create", "osd.0", *rights, "-o", str(folder / "osd" / "keyring"))
        store = (*self._ceph("ceph-osd"), "-i", "0", "--keyring", str(folder / "osd" / "keyring"))
        self.run(*store, "--mkfs", "--osd-uuid", str(osd))
        self._start_behind(*store, "-f")
        self._wait(lambda: "1 up" in (self._told("osd", "stat") or ""))
        user = ("--uid=t", "--display-name=t", "--access-key=test", f"--secret={self.password}")
        self.run(*self._ceph("radosgw-admin"), "user", "create", *user)

    def command(self) -> list[str]:
        """Run the gateway in the foreground."""
        return [*self._ceph("radosgw"), "-d", "-n", "client.admin"]

    def stop(self) -> None:
        """End the gateway and what is behind it."""
        super().stop()
        for one in reversed(self._behind):
            one.kill()
            one.wait(timeout=PATIENCE)

    def config(self, container: str) -> dict[str, Any]:
        """Answer the configuration of a service on a bucket."""
        return s3(self.port, container, "test", self.password)

    def _ceph(self, program: str) -> tuple[str, ...]:
        return (self.program(program), "-c", str(self.folder / "ceph.conf"))

    def _told(self, *command: str) -> str | None:
        told = subprocess.run(
            [*self._ceph("ceph"), "--connect-timeout", "5", *command],
            capture_output=True, text=True, **self._as_account(),
        )  # fmt: skip
        return None if told.returncode else told.stdout

    def _start_behind(self, *command: str) -> None:
        with self.log.open("ab") as log:
            options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
            self._behind.append(subprocess.Popen(command, start_new_session=True, **options, **self._as_account()))

    def _wait(self, holds: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if any(one.poll() is not None for one in self._behind) or time.monotonic() > deadline:
                raise RuntimeError(f"Ceph did not start:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)


class Moto(OwnProcess):
    """moto, which stands for S3 where speed counts; it takes any credentials."""

    name = "moto"
    programs = ("moto_server",)
    places = (str(Path(sys.executable).parent),)

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [self.program("moto_server"), "-H", "127.0.0.1", "-p", str(self.port)]

    def config(self, container: str) -> dict[str, Any]:
        """Answer the configuration of a service on a bucket."""
        return s3(self.port, container, "any", self.password)


class Azurite(OwnProcess):
    """Azurite, the emulator of Azure's storage by those who make the storage."""

    name = "Azurite"
    programs = ("node", "npm")

    def prepare(self) -> None:
        """Install it where the tools of the project are, unless it is there."""
        node_package(self, "azurite")

    def command(self) -> list[str]:
        """Run in the foreground, its data in its folder."""
        main = node_package(self, "azurite") / "dist" / "src" / "blob" / "main.js"
        return [
            self.program("node"), str(main), "--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--location",
            str(self.folder / "data"), "--silent", "--skipApiVersionCheck", "--disableTelemetry",
        ]  # fmt: skip

    def config(self, container: str) -> dict[str, Any]:
        """Answer the configuration of a service on a container, with the account that Azurite has."""
        key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
        return {
            "account_name": "devstoreaccount1", "account_key": key, "protocol": "http", "container": container,
            "endpoint": f"http://127.0.0.1:{self.port}/devstoreaccount1",
        }  # fmt: skip


def node_package(server: Server | type[Server], name: str) -> Path:
    """Answer the folder of a package of ``tests/node/package.json``, which is installed once for all runs."""
    cache = NODE.parents[1] / ".nox" / "node"
    cache.mkdir(parents=True, exist_ok=True)
    wanted = (NODE / "package.json").read_text()
    # Tests of several processes may want it at once.
    with (cache / "installed").open("a+") as installed:
        fcntl.flock(installed, fcntl.LOCK_EX)
        installed.seek(0)
        if installed.read() != wanted:
            shutil.copy(NODE / "package.json", cache)
            options = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts")
            command = [server.program("npm"), "install", *options]
            done = subprocess.run(command, cwd=cache, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"npm failed:\n{done.stderr[-2000:]}")
            installed.truncate(0)
            installed.write(wanted)
    return cache / "node_modules" / name


def s3(port: int, bucket: str, key: str, secret: str) -> dict[str, Any]:
    """Answer the configuration of a service on a bucket of a server of this machine."""
    return {
        "key": key, "secret": secret, "region": "us-east-1", "container": bucket,
        "endpoint": f"http://127.0.0.1:{port}", "path_style": True,
    }  # fmt: skip


@pytest.fixture(scope="session")
def ceph_server() -> Iterator[Server]:
    """A Ceph of this test run's own."""
    with serving(Ceph) as server:
        yield server


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Server]:
    """A moto of this test run's own."""
    with serving(Moto) as server:
        yield server


@pytest.fixture(scope="session")
def azurite_server() -> Iterator[Server]:
    """An Azurite of this test run's own."""
    with serving(Azurite) as server:
        yield server
