"""The type ``couchdb`` on pouchdb-server."""

from __future__ import annotations

from typing import Any

import pytest
from servers import Server

from trunkline_database.testing import DatabaseSuite


@pytest.mark.live
class TestCouchdb(DatabaseSuite):
    """What every database service promises."""

    service_type = "couchdb"

    @pytest.fixture(scope="class")
    @staticmethod
    def config(pouchdb_server: Server) -> dict[str, Any]:
        """The whole server."""
        return pouchdb_server.new_config()
