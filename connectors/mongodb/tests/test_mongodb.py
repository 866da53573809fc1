"""The type ``mongodb`` on SecantusDB, with and without transactions."""

from __future__ import annotations

from typing import Any

import pytest
from servers import Server

from trunkline_database.testing import DatabaseSuite


@pytest.mark.live
class TestMongodb(DatabaseSuite):
    """What every database service promises, on a replica set."""

    service_type = "mongodb"

    @pytest.fixture(scope="class")
    @staticmethod
    def config(secantus: Server) -> dict[str, Any]:
        """A database of its own."""
        return secantus.new_config()


@pytest.mark.live
class TestMongodbAlone(DatabaseSuite):
    """The same without transactions: what was written is put back."""

    service_type = "mongodb"

    @pytest.fixture(scope="class")
    @staticmethod
    def config(lone_secantus: Server) -> dict[str, Any]:
        """A database of its own."""
        return lone_secantus.new_config()


@pytest.mark.live
class TestMongodbOnFerret(DatabaseSuite):
    """The same on FerretDB, which has neither transactions nor decimals nor most of aggregation."""

    service_type = "mongodb"
    # Quotes in the name of a collection break its SQL.
    server_lacks = frozenset({"any_names"})

    @pytest.fixture(scope="class")
    @staticmethod
    def config(ferretdb_server: Server) -> dict[str, Any]:
        """A database of its own."""
        return ferretdb_server.new_config()
