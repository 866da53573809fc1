"""SQLite passes the suite of its family."""

from pathlib import Path
from typing import Any

import pytest

from trunkline_database.testing import DatabaseSuite


class TestSqlite(DatabaseSuite):
    service_type = "sqlite"

    @pytest.fixture
    def config(self, tmp_path: Path) -> dict[str, Any]:
        return {"database": str(tmp_path / "test.db")}
