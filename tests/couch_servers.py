"""A database that nobody declared, behind a service and beside it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest
from servers import Server

from trunkline.testing import Client, Gateway

TUNNEL = {"X-HTTP-Method": "GET"}


class Couch:
    """One database of a server: ``direct`` speaks with the server itself, ``client`` with the gateway."""

    def __init__(self, gateway: Gateway, config: dict[str, Any], server: Server) -> None:
        """Make the database, and the service where it is missing."""
        self.gateway, self.config, self.server = gateway, config, server
        if "couch" not in gateway.app.directory.snapshot.services:
            gateway.create_service("couch", "couchdb", {**config, "max_records": 6000})
        self.client = gateway.admin
        self.direct = httpx2.Client(base_url=config["dsn"], timeout=30)
        self.name = f"d{secrets.token_hex(6)}"
        self.direct.put(f"/{self.name}").raise_for_status()

    def path(self, *parts: object) -> str:
        """Build a path below the database."""
        return "/".join((f"/couch/_table/{self.name}", *(str(one) for one in parts)))

    def put(self, *documents: Mapping[str, Any]) -> None:
        """Store documents past the gateway."""
        self.direct.post(f"/{self.name}/_bulk_docs", json={"docs": documents}).raise_for_status()

    def kept(self, name: str) -> dict[str, Any]:
        """Read a document past the gateway."""
        found: dict[str, Any] = self.direct.get(f"/{self.name}/{name}").raise_for_status().json()
        return found

    def rows(self, client: Client | None = None, **params: Any) -> list[dict[str, Any]]:
        """Read documents."""
        reply = (client or self.client).post(self.path(), json=params, headers=TUNNEL)
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()["resource"]
        return found

    def ids(self, **params: Any) -> list[str]:
        """Read the ids of documents."""
        return [one["_id"] for one in self.rows(**{"fields": "_id", "order": "_id", **params})]


@pytest.fixture
def couch(gateway: Gateway, pouchdb_server: Any) -> Iterator[Couch]:
    """An empty database."""
    made = Couch(gateway, pouchdb_server.new_config(), pouchdb_server)
    yield made
    made.direct.close()
