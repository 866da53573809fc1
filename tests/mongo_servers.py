"""The MongoDB of a test run: SecantusDB, which speaks its protocol as a replica set of one."""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Server, serving

from trunkline.testing import Client, Gateway


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


# The id of a team in the documents below.
TEAM = "65a1b2c3d4e5f60718293a4b"
TUNNEL = {"X-HTTP-Method": "GET"}


def people() -> list[dict[str, Any]]:
    """Make documents of several shapes."""
    from bson import Decimal128, ObjectId

    return [
        {
            "name": "Ann",
            "age": 31,
            "tags": ["a", "b"],
            "address": {"city": "Bern", "zip": "3000"},
            "team": ObjectId(TEAM),
        },
        {"name": "Bob", "age": 45, "tags": [], "address": {"city": "Rome"}, "since": dt.datetime(2024, 1, 2, 3, 4, 5)},
        {"name": "Cy", "age": None, "nick": "1.5", "items": [{"n": 1, "ok": True}, {"n": 5, "ok": False}]},
        {"name": "Dee", "age": "45", "address": {"city": "bern"}, "price": Decimal128("9.90")},
    ]  # fmt: skip


class Place:
    """A collection ``people`` that nobody declared, behind a service and beside it."""

    def __init__(self, gateway: Gateway, config: dict[str, Any]) -> None:
        self.gateway = gateway
        self.name = config["database"]
        import pymongo

        self.native = pymongo.MongoClient[dict[str, Any]](config["host"], config["port"])[self.name]
        self.id = gateway.create_service(self.name, "mongodb", config)["id"]
        self.client = gateway.admin

    def path(self, *parts: object) -> str:
        return "/".join((f"/{self.name}/_table", *(str(one) for one in parts)))

    def rows(self, table: str = "people", client: Client | None = None, **params: Any) -> list[dict[str, Any]]:
        reply = (client or self.client).post(self.path(table), json=params, headers=TUNNEL)
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()["resource"]
        return found

    def names(self, **params: Any) -> list[str]:
        return [one["name"] for one in self.rows(**{"fields": "name", "order": "name", **params})]


@pytest.fixture
def mongo_place(gateway: Gateway, secantus: Server) -> Iterator[Place]:
    made = Place(gateway, secantus.new_config())
    made.native.people.insert_many(people())
    for name in ("things", "ids"):
        made.native.create_collection(name)
    yield made
    made.native.client.close()
