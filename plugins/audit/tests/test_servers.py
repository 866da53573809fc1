"""The trail in system databases on real servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import records, trail_of
from servers import Server

from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for
from trunkline_audit.trail import purge

pytestmark = pytest.mark.live


@pytest.mark.parametrize("name", ["postgresql_server", "mariadb_server"])
def test_the_trail_is_kept_and_searched(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> None:
    server: Server = request.getfixturevalue(name)
    with Gateway(settings_for(tmp_path, **server.new_database())) as gateway:
        gateway.admin.post("/system/role", json=[{"name": "r\u00f6le"}])
        gateway.admin.delete("/system/role/" + "\u00e4\U0001f600" * 300)
        gateway.anonymous.post("/user/session", json={"email": "a@ex.org", "password": "x"})
        found = records(gateway, order="time", filter="time > '2020-01-01T00:00:00Z'")
        assert [(one["kind"], one["status"]) for one in found] == [("write", 201), ("write", 404), ("login", 401)]
        assert found[0]["fields"] == ["name"]
        assert len(found[1]["resource"]) == 512
        # Microseconds are kept, or the order of what happens within a second would be lost.
        assert any(not one["time"].endswith(".000000Z") for one in found)
        assert trail_of(gateway).dropped == 0
        assert purge(gateway.app, 1) == 0
