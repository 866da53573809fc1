"""AlloyDB passes the suite of its family."""

from typing import Any

import pytest

from trunkline_database.testing import DatabaseSuite

pytestmark = pytest.mark.live


class TestAlloydb(DatabaseSuite):
    service_type = "alloydb"

    @pytest.fixture
    def config(self, postgresql_config: dict[str, Any]) -> dict[str, Any]:
        return postgresql_config
