"""SQLite passes the suite of its family."""

from pathlib import Path
from typing import Any

import pytest

from trunkline.testing import Gateway
from trunkline_database.testing import DatabaseSuite


class TestSqlite(DatabaseSuite):
    service_type = "sqlite"

    @pytest.fixture
    def config(self, tmp_path: Path) -> dict[str, Any]:
        return {"database": str(tmp_path / "test.db")}

    def test_a_field_that_records_could_not_have_is_refused(self, gateway: Gateway, service: str) -> None:
        admin = gateway.admin
        fields = [{"name": "id", "type": "id"}]
        assert admin.post(f"/{service}/_schema", json={"name": "growing", "field": fields}).status_code == 200
        assert admin.post(f"/{service}/_table/growing", json={"id": 1}).status_code == 200
        reply = admin.post(f"/{service}/_schema/growing/_field", json={"name": "needed", "type": "integer"})
        assert reply.status_code == 400
        assert "needs a default" in reply.json()["error"]["message"]
