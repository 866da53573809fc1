"""DynamoDB's connector passes the suite of its family, on DynamoDB Local."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline_database.testing import DatabaseSuite

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def account(dynamodb_server: Any) -> dict[str, Any]:
    """An account without tables on a private server."""
    found: dict[str, Any] = dynamodb_server.new_config()
    return found


class TestAwsDynamodb(DatabaseSuite):
    service_type = "aws_dynamodb"

    @pytest.fixture
    def config(self, account: dict[str, Any]) -> dict[str, Any]:
        return account
