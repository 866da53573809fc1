"""PostgreSQL passes the suite of its family."""

from typing import Any

import pytest

from trunkline_database.testing import DatabaseSuite

pytestmark = pytest.mark.live


class TestPgsql(DatabaseSuite):
    service_type = "pgsql"

    @pytest.fixture
    def config(self, postgresql_config: dict[str, Any]) -> dict[str, Any]:
        return postgresql_config
