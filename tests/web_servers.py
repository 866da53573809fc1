"""The WebDAV and Swift servers of a test run."""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Server, serving

USER = "trunk"
_MODULES = Path("/usr/lib/apache2/modules")


class WebdavServer(Server):
    """A server of WebDAV, whose files lie in ``data`` below its own folder."""

    account = "www-data"

    def is_ready(self) -> bool:
        """Say whether the port is open."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def new_config(self) -> dict[str, Any]:
        """Make an empty folder and answer the configuration of a service on it."""
        name = f"d{secrets.token_hex(4)} ä"
        self.run("mkdir", str(self.folder / "data" / name))
        return {
            "base_uri": f"http://127.0.0.1:{self.port}", "username": USER, "password": self.password,
            "container": f"/{name}/",
        }  # fmt: skip

    def place(self, config: dict[str, Any]) -> Path:
        """Answer where on this machine the folder of a service is."""
        return self.folder / "data" / str(config["container"]).strip("/")


class Apache(WebdavServer):
    """Apache with mod_dav and basic authentication, for users whose passwords it keeps in a file."""

    name = "Apache"
    programs = ("apache2", "openssl")

    def prepare(self) -> None:
        """Write the configuration."""
        self.run("mkdir", "data", "var")
        (self.folder / "users").write_text(self.users())
        modules = (
            "mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "auth_digest", "dav",
            "dav_fs", "mime", "dir",
        )  # fmt: skip
        lines = [
            *(f"LoadModule {name}_module {_MODULES}/mod_{name}.so" for name in modules),
            f"ServerRoot {self.folder}", f"Listen 127.0.0.1:{self.port}", "ServerName localhost",
            f"PidFile {self.folder}/var/pid", f"ErrorLog {self.folder}/var/error.log",
            f"Mutex file:{self.folder}/var", f"DavLockDB {self.folder}/var/locks", "TypesConfig /etc/mime.types",
            f'DocumentRoot "{self.folder}/data"', f'<Directory "{self.folder}/data">', "Dav on", "DirectoryIndex none",
            "Options None", *self.login(), f"AuthUserFile {self.folder}/users", "Require valid-user", "</Directory>",
        ]  # fmt: skip
        (self.folder / "conf").write_text("\n".join(lines) + "\n")

    def users(self) -> str:
        """Answer the file of users."""
        command = ["openssl", "passwd", "-apr1", "-stdin"]
        done = subprocess.run(command, input=self.password, capture_output=True, text=True, check=True)
        return f"{USER}:{done.stdout}"

    def login(self) -> tuple[str, ...]:
        """Answer the lines that say how to log in."""
        return ("AuthType Basic", "AuthName test")

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [self.program("apache2"), "-DFOREGROUND", "-f", str(self.folder / "conf")]


class ApacheDigest(Apache):
    """Apache with digest authentication, whose nonces end soon."""

    def users(self) -> str:
        """Answer the file of users."""
        import hashlib

        known = hashlib.md5(f"{USER}:test:{self.password}".encode()).hexdigest()
        return f"{USER}:test:{known}\n"

    def login(self) -> tuple[str, ...]:
        """Answer the lines that say how to log in."""
        return ("AuthType Digest", "AuthName test", "AuthDigestProvider file", "AuthDigestNonceLifetime 1")


class Rclone(WebdavServer):
    """The server of rclone."""

    name = "rclone"
    programs = ("rclone",)

    def prepare(self) -> None:
        """Make the folder of all files."""
        self.run("mkdir", "data", "cache")

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [
            self.program("rclone"), "serve", "webdav", str(self.folder / "data"), "--addr", f"127.0.0.1:{self.port}",
            "--user", USER, "--pass", self.password, "--config", "/dev/null", "--cache-dir",
            str(self.folder / "cache"), "--dir-cache-time", "1s",
        ]  # fmt: skip

    def new_config(self) -> dict[str, Any]:
        """Make an empty folder, and wait until the server knows of it."""
        config = super().new_config()
        time.sleep(1.1)
        return config


@pytest.fixture(scope="session")
def apache_server() -> Iterator[Server]:
    """An Apache of this test run's own."""
    with serving(Apache) as server:
        yield server


@pytest.fixture(scope="session")
def apache_digest_server() -> Iterator[Server]:
    """An Apache of this test run's own that wants digest authentication."""
    with serving(ApacheDigest) as server:
        yield server


@pytest.fixture(scope="session")
def rclone_server() -> Iterator[Server]:
    """An rclone of this test run's own."""
    with serving(Rclone) as server:
        yield server
