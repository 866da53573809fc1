"""The system database on real servers: the same gateway, whatever keeps its configuration."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from servers import Server

from trunkline import commands
from trunkline.app import App
from trunkline.db import tables
from trunkline.db.database import Database
from trunkline.errors import Conflict
from trunkline.settings import Settings
from trunkline.testing import Client, Gateway
from trunkline.testing.fixtures import settings_for

pytestmark = pytest.mark.live
PASSWORD = "a long enough password"
# A change of another node is learned by polling once a second; a little more is given to busy machines.
SOON = 3.0


@pytest.fixture(scope="module", params=["postgresql_server", "mariadb_server"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def database(server: Server) -> dict[str, Any]:
    """The settings for an empty database."""
    return server.new_database()


@pytest.fixture
def gateway(database: dict[str, Any], tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that migrated from nothing."""
    with Gateway(settings_for(tmp_path / "one", **database)) as started:
        yield started


def soon(holds: Callable[[], bool]) -> float:
    """Wait until something holds and answer how many seconds that took."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < SOON, "it did not come to hold in time"
        time.sleep(0.02)
    return time.monotonic() - started


def created(client: Client, path: str, record: dict[str, Any]) -> dict[str, Any]:
    """Create a record and answer all of it."""
    reply = client.post(f"{path}?fields=*&related=*", json={"resource": [record]})
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()["resource"][0]
    return found


def test_the_migrations_make_what_the_tables_say(gateway: Gateway) -> None:
    with gateway.app.database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


@pytest.mark.parametrize("done", [1, 4, 9])
def test_an_interrupted_migration_is_completed_by_the_next_start(
    server: Server, database: dict[str, Any], tmp_path: Path, done: int
) -> None:
    """MySQL cannot undo DDL: what was made before a power cut is there when the next run begins."""
    if server.name == "MariaDB":
        half = Database(settings_for(tmp_path, **database))
        with half.engine.begin() as connection:
            for table in tables.metadata.sorted_tables[:done]:
                table.create(connection)
        half.close()
    with Gateway(settings_for(tmp_path, **database)) as started:
        assert created(started.admin, "/system/role", {"name": "first"})["id"] == 1


def test_long_texts_are_kept(gateway: Gateway) -> None:
    """MySQL's TEXT ends at 64 KiB."""
    doc = {"service_doc_by_service_id": {"content": "ü" * 100_000}}
    assert gateway.admin.patch("/system/service/1", json=doc).status_code == 200
    found = gateway.admin.get("/system/service/1", params={"related": "*"}).json()
    assert found["service_doc_by_service_id"]["content"] == "ü" * 100_000
    assert len(created(gateway.admin, "/system/lookup", {"name": "long", "value": "x" * 70_000})["value"]) == 70_000


def test_many_nodes_may_start_at_once(database: dict[str, Any], tmp_path: Path) -> None:
    """Checklist 30: one migrates, the others wait; the services that must exist come to exist once."""

    async def start(settings: Settings) -> list[str]:
        async with App(settings).running() as app:
            return sorted(app.directory.snapshot.services)

    nodes = [settings_for(tmp_path / f"node{number}", **database) for number in range(4)]
    with ThreadPoolExecutor(len(nodes)) as pool:
        found = list(pool.map(lambda settings: asyncio.run(start(settings)), nodes))
    assert found == [["api_docs", "system", "user"]] * len(nodes)


def test_setup_closes_after_the_first_administrator(database: dict[str, Any], tmp_path: Path) -> None:
    """Checklist 30: first-run set-up closes after the first administrator."""
    settings = settings_for(tmp_path, **database)
    asyncio.run(commands.setup(settings, "first@example.com", PASSWORD, {}))
    with pytest.raises(Conflict, match="There is an administrator already"):
        asyncio.run(commands.setup(settings, "second@example.com", PASSWORD, {}))


def test_an_administrator_sets_up_a_role_an_app_a_user_and_a_service(gateway: Gateway) -> None:
    """The whole story of an installation; all of it is seen by a user with a key."""
    admin = gateway.admin
    lookups = [{"name": "zone", "value": "ü€" * 300}, {"name": "pin", "value": "99", "private": True}]
    role = created(
        admin,
        "/system/role",
        {
            "name": "Reader",
            "is_active": True,
            "role_service_access_by_role_id": [
                {
                    "service_id": gateway._service_id("system"),
                    "component": "service_type",
                    "verb_mask": 1,
                    "filters": [{"name": "name", "operator": "=", "value": "x"}],
                }
            ],
            "lookup_by_role_id": lookups,
        },
    )
    assert [one["value"] for one in role["lookup_by_role_id"]] == [lookups[0]["value"], "**********"]
    app = created(admin, "/system/app", {"name": "shop", "is_active": True, "role_id": role["id"]})
    assignment = [{"app_id": app["id"], "role_id": role["id"]}]
    user = created(
        admin,
        "/system/user",
        {"email": "Ana@example.com", "password": PASSWORD, "user_to_app_to_role_by_user_id": assignment},
    )
    assert (user["is_active"], user["confirmed"], user["username"]) == (True, True, "Ana@example.com")
    service = {"name": "shop_db", "type": "sqlite", "config": {"database": "shop.sqlite"}, "is_active": True}
    assert created(admin, "/system/service", service)["config"]["database"] == "shop.sqlite"

    keyed = gateway.with_key(app["api_key"])
    assert keyed.get("/system/service_type").status_code == 200
    login = keyed.post("/user/session", json={"email": "ana@example.com", "password": PASSWORD})
    assert (login.status_code, login.json()["role"]) == (200, "Reader")
    token = login.json()["session_token"]
    headers = {"X-DreamFactory-Session-Token": token}
    session = keyed.get("/user/session", headers=headers).json()
    assert session["last_login_date"] is not None
    assert keyed.delete("/user/session", headers=headers).status_code == 200
    assert keyed.get("/user/session", headers=headers).status_code == 403


def test_records_are_found_sorted_paged_and_counted_alike(gateway: Gateway) -> None:
    """What differs between databases (case, booleans, text of numbers, limits) must not show."""
    admin = gateway.admin
    records = [{"name": name, "is_active": name == "beta"} for name in ("alpha", "beta", "gamma", "50%_off")]
    assert admin.post("/system/role", json={"resource": records}).status_code == 201

    def names(filter_: str, **params: Any) -> list[str]:
        reply = admin.get("/system/role", params={"filter": filter_, "order": "id", **params})
        assert reply.status_code == 200, reply.text
        return [one["name"] for one in reply.json()["resource"]]

    assert names("is_active=true") == ["beta"]
    assert names("(is_active=false) and (name like '%a%')") == ["alpha", "gamma"]
    assert names("name contains MM") == ["gamma"]
    assert names("name in (alpha,gamma)", order="name desc") == ["gamma", "alpha"]
    assert names("id > 0", limit=2, offset=1) == ["beta", "gamma"]
    assert names("created_by_id is not null", limit=1) == ["alpha"]
    assert names("created_date > '2020-01-01'", limit=1) == ["alpha"]
    counted = admin.get("/system/role", params={"count_only": "true", "filter": "id > 0"})
    assert counted.json() == 4


def test_names_and_addresses_are_taken_whatever_their_case(gateway: Gateway) -> None:
    """D17: the refusal names the field, and is no 500 of the database."""
    for path, first, second, field in (
        ("/system/role", {"name": "Reader"}, {"name": "READER"}, "name"),
        ("/system/user", {"email": "a1@example.com"}, {"email": "A1@EXAMPLE.COM"}, "email"),
    ):
        created(gateway.admin, path, first)
        reply = gateway.admin.post(path, json={"resource": [second]})
        assert reply.status_code == 400, reply.text
        assert set(reply.json()["error"]["context"]["resource"][0]["context"]) == {field}


def test_a_batch_keeps_or_undoes_what_it_did_as_asked(gateway: Gateway) -> None:
    admin = gateway.admin
    batch = {"resource": [{"name": "one"}, {"name": None}, {"name": "two"}]}

    def after(**params: str) -> list[str]:
        assert admin.post("/system/role", params=params, json=batch).status_code == 400
        found = [one["name"] for one in admin.get("/system/role").json()["resource"]]
        admin.delete("/system/role?force=true")
        return found

    assert after(rollback="true") == []
    assert after(**{"continue": "true"}) == ["one", "two"]
    assert after() == ["one"]


def test_two_gateways_creating_the_same_name_make_it_once(
    gateway: Gateway, database: dict[str, Any], tmp_path: Path
) -> None:
    """D17: what two transactions cannot see of each other, the unique key of the table decides, without a 500."""
    with Gateway(settings_for(tmp_path / "two", **database)) as other:
        for number in range(5):
            record = {"resource": [{"name": f"race {number}"}]}
            with ThreadPoolExecutor(2) as pool:
                clients = [gateway.admin, other.admin]
                replies = list(pool.map(lambda client, sent=record: client.post("/system/role", json=sent), clients))
            assert sorted(reply.status_code for reply in replies) == [201, 400], [one.text for one in replies]


def test_a_change_on_one_node_counts_on_another_within_a_second(
    gateway: Gateway, database: dict[str, Any], tmp_path: Path
) -> None:
    """Checklist 15: the nodes share nothing but the database."""
    grant = [{"service": "system", "component": "service_type", "verb_mask": 1}]
    role = gateway.create_role(grant)
    app = gateway.create_app(role)
    with Gateway(settings_for(tmp_path / "two", **database)) as other:
        known = other.with_key(app["api_key"])
        assert known.get("/system/service_type").status_code == 200

        key = created(gateway.admin, "/system/app", {"name": "new", "is_active": True, "role_id": role})["api_key"]
        fresh = other.with_key(key)
        took = [soon(lambda: fresh.get("/system/service_type").status_code == 200)]

        assert gateway.admin.delete(f"/system/app/{app['id']}").status_code == 200
        took.append(soon(lambda: known.get("/system/service_type").status_code == 400))

        assert gateway.admin.patch(f"/system/role/{role}", json={"is_active": False}).status_code == 200
        took.append(soon(lambda: fresh.get("/system/service_type").status_code == 403))
        assert max(took) < 2.0, took


def test_a_gateway_outlives_its_database(server: Server, gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """Checklist 34: what is known goes on, what must be read is a 503, and all is well when the server is back."""
    app = gateway.create_app(gateway.create_role([{"service": "system", "component": "*", "verb_mask": 3}]))
    known = gateway.with_key(app["api_key"])
    assert known.get("/system/service_type").status_code == 200
    server.kill()
    try:
        for _ in range(3):
            assert known.get("/system/service_type").status_code == 200
        for reply in (
            known.get("/system/role"),
            known.post("/system/role", json={"resource": [{"name": "lost"}]}),
            gateway.anonymous.post("/user/session", json={"email": "nobody@example.com", "password": "x"}),
            gateway._http.get("/status"),
            gateway._http.get("/"),
        ):
            assert reply.status_code == 503, reply.text
            assert int(reply.headers["Retry-After"]) > 0
            error = reply.json()["error"]
            assert error["message"] == "The system database is not available."
            assert (error["code"], error["status_code"], error["context"]) == (503, 503, None)
        assert gateway._http.get("/up").status_code == 200
        # A poll that fails ends neither the gateway nor the polling.
        soon(lambda: caplog.text.count("polling the system database failed") >= 2)
        assert known.get("/system/service_type").status_code == 200
    finally:
        server.start()
    assert created(gateway.admin, "/system/role", {"name": "kept"})["name"] == "kept"
    assert [one["name"] for one in known.get("/system/role").json()["resource"]] == ["role 1", "kept"]
