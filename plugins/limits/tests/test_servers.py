"""Limits in system databases on real servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from limiting import key, limited, service_id, statuses, user
from servers import Server

from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for

pytestmark = pytest.mark.live


@pytest.mark.parametrize("name", ["postgresql_server", "mariadb_server"])
def test_limits_are_kept_and_counted(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> None:
    server: Server = request.getfixturevalue(name)
    with Gateway(settings_for(tmp_path, **server.new_database())) as gateway:
        client, user_id = user(gateway, "u@ex.org")
        system = service_id(gateway, "system")
        limited(
            gateway, type="instance.user.service.endpoint", user_id=user_id, service_id=system, endpoint="r" * 255,
        )  # fmt: skip
        record = {"name": "a", "type": "instance", "rate": 2, "period": "minute"}
        assert gateway.admin.post("/system/limit", json=record).status_code == 200
        again = gateway.admin.post("/system/limit", json=record)
        message = "A limit already exists with those parameters. No records added."
        assert again.json()["error"]["context"]["resource"][0]["message"] == message
        assert statuses(client, 3) == [200, 200, 429]
        assert statuses(key(gateway), 1) == [429]
        assert len(gateway.admin.get("/system/limit?related=limit_cache_by_limit_id").json()["resource"]) == 2
