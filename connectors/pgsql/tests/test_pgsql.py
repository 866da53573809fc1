"""PostgreSQL passes the suite of its family."""

from typing import Any

import pytest
from databases import execute

from trunkline_database.testing import DatabaseSuite
from trunkline_database.testing.library import Library
from trunkline_database.testing.postgresql import ROUTINES

pytestmark = pytest.mark.live


class TestPgsql(DatabaseSuite):
    service_type = "pgsql"

    @pytest.fixture
    def config(self, postgresql_config: dict[str, Any]) -> dict[str, Any]:
        return postgresql_config

    def make_routines(self, config: dict[str, Any], library: Library) -> None:
        execute(config, ROUTINES)
