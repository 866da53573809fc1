"""What brokers have confirmed is handled, and handled once, when brokers and gateways are killed under load."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from brokers import Mosquitto, RabbitMQ
from processes import TRUNKLINE, clean_environment, free_port
from servers import Server, serving

pytestmark = [pytest.mark.live, pytest.mark.slow]
LOGIN = {"email": "admin@example.com", "password": "a long enough password"}
PATIENCE = 60.0
PLACES: dict[str, dict[str, Any]] = {
    "mqtt": {"topic": "load"},
    "amqp": {"queue": {"name": "load", "durable": True, "auto_delete": False}},
}


class Instance:
    """A gateway in a process of its own, perhaps beside others on the same data."""

    def __init__(self, storage: Path) -> None:
        self.storage = storage
        self.port = free_port()
        self.headers = {"Content-Type": "application/json"}
        environment = clean_environment(TRUNKLINE_STORAGE=str(storage), LOG_CHANNEL=str(storage / "log"))
        command = [TRUNKLINE, "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=environment, cwd=storage, start_new_session=True)
        deadline = time.monotonic() + PATIENCE
        while self._status() is None:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        self.headers["X-DreamFactory-Session-Token"] = self.ask("POST", "/system/admin/session", LOGIN)[1][
            "session_token"
        ]

    def _status(self) -> int | None:
        try:
            return self.ask("GET", "")[0]
        except OSError:
            return None

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request and answer status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with closing(connection):
            connection.request(method, f"/api/v2{path}", None if body is None else json.dumps(body), self.headers)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process and those that it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
            self.process.wait(timeout=PATIENCE)


@contextmanager
def instances(storage: Path) -> Iterator[Callable[[], Instance]]:
    """What starts gateways on a folder; all end with the block."""
    environment = clean_environment(TRUNKLINE_STORAGE=str(storage), LOG_CHANNEL=str(storage / "log"))
    login = ("--admin-email", LOGIN["email"], "--admin-password", LOGIN["password"])
    subprocess.run([TRUNKLINE, "setup", *login], env=environment, check=True, capture_output=True, cwd=storage)
    with ExitStack() as stack:

        def start() -> Instance:
            one = Instance(storage)
            stack.callback(one.end)
            return one

        yield start


class Load:
    """Threads that publish numbered messages and remember which were confirmed."""

    def __init__(self, gateway: Instance, place: dict[str, Any]) -> None:
        self.gateway, self.place = gateway, place
        self.confirmed: list[str] = []
        self.statuses: Counter[int] = Counter()
        self._numbers, self._name = itertools.count(), secrets.token_hex(2)
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._publish) for _ in range(4)]

    def __enter__(self) -> Load:
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for one in self._threads:
            one.join()

    def _publish(self) -> None:
        while not self._ends.wait(0.01):
            message = f"m{self._name} {next(self._numbers)}"
            status, _ = self.gateway.ask("POST", "/broker/pub", {**self.place, "message": message})
            self.statuses[status] += 1
            if status == 200:
                self.confirmed.append(message)


def handled(storage: Path) -> Counter[str]:
    """Count what was written, by message."""
    with closing(sqlite3.connect(storage / "databases" / "log.sqlite")) as database:
        return Counter(one for (one,) in database.execute("select message from log where message like 'm%'"))


def subscribed(gateway: Instance, kind: str, server: Server) -> None:
    """Make the services and the subscription, and wait until messages come."""
    file = gateway.storage / "databases" / "log.sqlite"
    file.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(file)) as database:
        database.executescript("create table log (id integer primary key, message text)")
    config = {**server.new_config(), "timeout": 5}
    for name, type_of, given in (("shop", "sqlite", {"database": "log.sqlite"}), ("broker", kind, config)):
        record = {"name": name, "type": type_of, "is_active": True, "config": given}
        assert gateway.ask("POST", "/system/service", [record])[0] == 201
    assert gateway.ask("POST", "/broker/sub", {**PLACES[kind], "service": "shop/_table/log"})[0] == 200
    probe = {**PLACES[kind], "message": "probe"}

    def comes() -> bool:
        assert gateway.ask("POST", "/broker/pub", probe)[0] == 200
        return bool(gateway.ask("GET", "/shop/_table/log?count_only=true")[1])

    wait(comes)


def wait(holds: Callable[[], Any]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.2)


def settled(storage: Path, confirmed: list[str]) -> Counter[str]:
    """Wait until all that was confirmed is handled, and a little longer for what should not come."""
    wait(lambda: set(confirmed) <= set(handled(storage)))
    time.sleep(3)
    return handled(storage)


@pytest.mark.parametrize("kind", ["mqtt", "amqp"])
def test_a_broker_that_is_ended_and_started_under_load(kind: str, tmp_path: Path) -> None:
    """RabbitMQ is killed. Mosquitto is ended in order, as it confirms messages before it has stored them."""
    with serving({"mqtt": Mosquitto, "amqp": RabbitMQ}[kind]) as server, instances(tmp_path) as start:
        gateway = start()
        subscribed(gateway, kind, server)
        with Load(gateway, PLACES[kind]) as load:
            for _ in range(2):
                time.sleep(2)
                before = len(load.confirmed)
                assert before
                server.kill() if kind == "amqp" else server.stop()
                time.sleep(1)
                # Other services do not notice.
                assert gateway.ask("GET", "/shop/_table/log?limit=1")[0] == 200
                server.start()
                wait(lambda before=before: len(load.confirmed) > before + 20)
        found = settled(tmp_path, load.confirmed)
    assert set(load.statuses) <= {200, 503, 504}, load.statuses
    assert load.statuses[503]
    assert {message: count for message, count in found.items() if count > 1} == {}


@pytest.mark.parametrize("kind", ["mqtt", "amqp"])
def test_a_broker_that_stands_still(kind: str, tmp_path: Path) -> None:
    """Half-open: everything is connected and nobody answers. Calls end in time, others go on, and all comes back."""
    with serving({"mqtt": Mosquitto, "amqp": RabbitMQ}[kind]) as server, instances(tmp_path) as start:
        gateway = start()
        subscribed(gateway, kind, server)
        message = {**PLACES[kind], "message": "m stands still"}
        with frozen(server):
            for _ in range(2):
                began = time.monotonic()
                assert gateway.ask("POST", "/broker/pub", message)[0] == 504
                assert 4 < time.monotonic() - began < 7
                assert gateway.ask("GET", "/shop/_table/log?limit=1")[0] == 200
        wait(lambda: gateway.ask("POST", "/broker/pub", message)[0] == 200)
        with Load(gateway, PLACES[kind]) as load:
            time.sleep(2)
        found = settled(tmp_path, load.confirmed)
    assert load.confirmed
    assert all(found[one] == 1 for one in load.confirmed)


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    """Keep a server from doing anything, for a while."""
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(server.process.pid, signal.SIGCONT)


def test_a_mosquitto_that_is_killed_comes_back(tmp_path: Path) -> None:
    """What it had not stored yet is lost with it; everything after that is handled again."""
    with serving(Mosquitto) as server, instances(tmp_path) as start:
        gateway = start()
        subscribed(gateway, "mqtt", server)
        server.kill()
        assert gateway.ask("POST", "/broker/pub", {**PLACES["mqtt"], "message": "m lost"})[0] == 503
        server.start()
        with Load(gateway, PLACES["mqtt"]) as load:
            time.sleep(8)
            del load.confirmed[:]
            time.sleep(2)
        found = settled(tmp_path, load.confirmed)
    assert load.confirmed
    assert {message: count for message, count in found.items() if count > 1} == {}


@pytest.mark.parametrize("kind", ["mqtt", "amqp"])
def test_a_gateway_that_is_killed_under_load(kind: str, tmp_path: Path) -> None:
    """The other one takes over; of what the killed one did, only the call at that moment may be made again."""
    with serving({"mqtt": Mosquitto, "amqp": RabbitMQ}[kind]) as server, instances(tmp_path) as start:
        first = start()
        subscribed(first, kind, server)
        second = start()
        with Load(second, PLACES[kind]) as load:
            time.sleep(3)
            known = len(handled(tmp_path))
            assert known
            first.end(signal.SIGKILL)
            wait(lambda: len(handled(tmp_path)) > known + 100)
        found = settled(tmp_path, load.confirmed)
        assert set(load.statuses) == {200}
        assert sum(count - 1 for count in found.values()) <= 1
        # An orderly end hands over at once, and nothing is done twice.
        third = start()
        with Load(third, PLACES[kind]) as more:
            time.sleep(2)
            second.end()
            time.sleep(2)
        again = settled(tmp_path, more.confirmed)
    assert set(more.statuses) == {200}
    assert {message: count for message, count in again.items() if count > 1 and message not in found} == {}
