"""MySQL's connector passes the suite of its family, on MariaDB."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline_database.testing import DatabaseSuite

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def database(mariadb_server: Any) -> dict[str, Any]:
    """An empty database on a private server."""
    found = mariadb_server.new_database()
    return {name: found[f"db_{name}"] for name in ("host", "port", "database", "username", "password")}


class TestMysql(DatabaseSuite):
    service_type = "mysql"

    @pytest.fixture
    def config(self, database: dict[str, Any]) -> dict[str, Any]:
        return database
