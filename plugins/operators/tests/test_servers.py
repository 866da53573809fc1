"""Files and explanations on real servers."""

from __future__ import annotations

from pathlib import Path

import operating
import pytest
from servers import Server

from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for
from trunkline_operators.secrets import Password

pytestmark = pytest.mark.live


@pytest.mark.parametrize("name", ["postgresql_server", "mariadb_server"])
def test_a_file_goes_from_one_system_database_to_another(
    request: pytest.FixtureRequest, name: str, fresh_gateway: Gateway, tmp_path: Path
) -> None:
    operating.furnish(fresh_gateway)
    salt = fresh_gateway.app.vault.export_salt()
    password = Password("of the file", salt)
    text = operating.exported(fresh_gateway, password="of the file", salt=salt)
    server: Server = request.getfixturevalue(name)
    with Gateway(settings_for(tmp_path / "other", **server.new_database())) as gateway:
        plan = operating.apply(gateway, text, planning=True, password=password)
        assert operating.told(operating.apply(gateway, text, password=password)) == operating.told(plan)
        assert operating.apply(gateway, text, planning=True, prune=True, password=password).changes == []
        assert operating.exported(gateway, password="of the file", salt=salt) == text


@pytest.mark.parametrize(("kind", "name"), [("pgsql", "postgresql_server"), ("mysql", "mariadb_server")])
def test_statements_are_told_and_not_run(
    request: pytest.FixtureRequest, fresh_gateway: Gateway, kind: str, name: str
) -> None:
    server: Server = request.getfixturevalue(name)
    fresh_gateway.create_service("db", kind, server.new_config())
    admin = fresh_gateway.admin
    table = {"name": "note", "field": [{"name": "id", "type": "id"}, {"name": "text", "type": "string"}]}
    assert admin.post("/db/_schema", json={"resource": [table]}).status_code == 200
    assert admin.post("/db/_table/note", json={"text": "a"}).json() == {"id": 1}
    app = fresh_gateway.create_app(fresh_gateway.create_role([
        {"service": "db", "component": "_table/*", "verb_mask": 31, "filters": [
            {"name": "text", "operator": "=", "value": "a"}
        ]},
    ]))  # fmt: skip
    for method, path, body, begins in (
        ("GET", "db/_table/note?filter=id>1", None, "select"),
        ("GET", "db/_table/note/1", None, "select"),
        ("GET", "db/_table/note?paging=keyset", None, "select"),
        ("POST", "db/_table/note", {"resource": [{"text": "a"}]}, ("insert", "with")),
        ("POST", "db/_table/note", {"text": "a"}, ("insert", "with")),
        ("PATCH", "db/_table/note/1", {"text": "a"}, ("update", "select", "with")),
        ("DELETE", "db/_table/note/1", None, ("delete", "select")),
        ("DELETE", "db/_table/note?force=true", None, "delete"),
    ):
        asked = {"method": method, "path": path, "body": body, "api_key": app["api_key"], "run": method != "GET"}
        plan = admin.post("/system/explain", json=asked).json()["plan"]
        assert str(plan["statement"]).lower().startswith(begins), plan
        assert "'a'" not in plan["statement"]
        assert plan["binds"], plan
    assert admin.get("/db/_table/note").json() == {"resource": [{"id": 1, "text": "a"}]}
    # Not even a number was taken.
    assert admin.post("/db/_table/note", json={"text": "a"}).json() == {"id": 2}
