"""Cassandra's connector passes the suite of its family, on Apache Cassandra itself."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline_database.testing import DatabaseSuite

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def empty(cassandra_server: Any) -> dict[str, Any]:
    """An empty keyspace on a private server."""
    found: dict[str, Any] = cassandra_server.new_config()
    return found


class TestCassandra(DatabaseSuite):
    service_type = "cassandra"

    @pytest.fixture
    def config(self, empty: dict[str, Any]) -> dict[str, Any]:
        return empty
