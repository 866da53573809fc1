"""The message brokers of a test run."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import free_port
from servers import PATIENCE, Server, serving


class Broker(Server):
    """A message broker."""

    def is_ready(self) -> bool:
        """Say whether the port is open."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


class Mosquitto(Broker):
    """Mosquitto, which stores its messages after each change."""

    name = "Mosquitto"
    programs = ("mosquitto", "mosquitto_passwd")
    account = "mosquitto"
    # What it does with its messages: by default it stores them after each change.
    stores: tuple[str, ...] = ("persistence true", "autosave_on_changes true", "autosave_interval 1")

    def prepare(self) -> None:
        """Write the configuration: one login, and one topic that it may not publish to."""
        lines = (
            f"listener {self.port} 127.0.0.1", "allow_anonymous false", f"password_file {self.folder}/users",
            f"acl_file {self.folder}/rights", *self.stores, f"persistence_location {self.folder}/",
            "max_queued_messages 100000",
        )  # fmt: skip
        (self.folder / "m.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "rights").write_text("user web\ntopic readwrite #\ntopic deny closed/#\n")
        self.run(self.program("mosquitto_passwd"), "-c", "-b", str(self.folder / "users"), "web", self.password)

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [self.program("mosquitto"), "-c", str(self.folder / "m.conf")]

    def new_config(self) -> dict[str, Any]:
        """Answer the configuration of a service that is a client of its own."""
        return {
            "host": "127.0.0.1", "port": self.port, "client_id": f"t{time.monotonic_ns()}", "username": "web",
            "password": self.password,
        }  # fmt: skip


class ForgetfulMosquitto(Mosquitto):
    """Mosquitto as it is measured: it keeps nothing on disk."""

    stores = ("persistence false",)


class RabbitMQ(Broker):
    """RabbitMQ, with node name, cookie and port mapper of its own."""

    name = "RabbitMQ"
    programs = ("rabbitmq-server", "epmd")
    places = ("/usr/lib/rabbitmq/bin", "/usr/sbin")
    account = "rabbitmq"

    def __init__(self, folder: Path) -> None:
        """Choose the ports of the node and of the port mapper as well."""
        super().__init__(folder)
        self._mapper, self._node = free_port(), free_port()
        self._epmd: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Write the configuration, and start the port mapper, which outlives the node."""
        lines = (
            f"listeners.tcp.1 = 127.0.0.1:{self.port}", "vm_memory_high_watermark.absolute = 256MB",
            "disk_free_limit.absolute = 1MB", "default_user = web", f"default_pass = {self.password}",
        )  # fmt: skip
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "plugins").write_text("[].")
        command = [self.program("epmd"), "-port", str(self._mapper), "-address", "127.0.0.1"]
        self._epmd = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, **self._as_account())

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [self.program("rabbitmq-server")]

    def stop(self) -> None:
        """End the node and the port mapper."""
        super().stop()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait(timeout=PATIENCE)

    def new_config(self) -> dict[str, Any]:
        """Answer the configuration of a service."""
        return {"host": "127.0.0.1", "port": self.port, "username": "web", "password": self.password}

    def _as_account(self) -> dict[str, Any]:
        options = super()._as_account()
        options["env"] |= {
            "RABBITMQ_NODENAME": f"t{self.port}@localhost", "RABBITMQ_MNESIA_BASE": f"{self.folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{self.folder}/log.d", "RABBITMQ_CONFIG_FILE": f"{self.folder}/rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self.folder}/plugins", "RABBITMQ_DIST_PORT": str(self._node),
            "ERL_EPMD_PORT": str(self._mapper), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": f"{self.folder}/none", "PATH": f"/usr/sbin:{os.environ.get('PATH', '')}",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }  # fmt: skip
        return options


@pytest.fixture(scope="session")
def mosquitto_server() -> Iterator[Server]:
    """A Mosquitto that all tests share; who kills one takes one of their own."""
    with serving(Mosquitto) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[Server]:
    """A RabbitMQ that all tests share; who kills one takes one of their own."""
    with serving(RabbitMQ) as server:
        yield server
