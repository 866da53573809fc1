"""The stranger's whole proof: a type, a configuration, and the family's suite."""

import pytest

from trunkline_database.testing import DatabaseSuite


class TestSheets(DatabaseSuite):
    service_type = "acme_memory"

    @pytest.fixture
    def config(self, tmp_path):
        return {"workbook": str(tmp_path / "workbook.db")}
