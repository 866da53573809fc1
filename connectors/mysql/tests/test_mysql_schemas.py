"""Several databases of one server, and structure that is changed (database-api 3 and 13, connectors 14.8)."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pymysql
import pytest

from trunkline.testing import Client, Gateway

pytestmark = pytest.mark.live

HOSTILE = ["a`b", "a'b", 'a"b', "a;b--", "a.b", "a b", "a%b", "a%sb", "a:b", "a\\b", "?", "{x}", "SELECT", "a/*b", "ä☃"]

Execute = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def config(mariadb_server: Any) -> dict[str, Any]:
    """A service's configuration whose login may use every database of a server."""
    found: dict[str, Any] = mariadb_server.new_config()
    with _root(mariadb_server) as cursor:
        cursor.execute(f"create user if not exists all_{found['username']}@'127.0.0.1' identified by 'x'")
        cursor.execute(f"grant all on *.* to all_{found['username']}@'127.0.0.1'")
    return {**found, "username": f"all_{found['username']}", "password": "x"}


@contextlib.contextmanager
def _root(server: Any) -> Any:
    connection = pymysql.connect(unix_socket=str(server.folder / "socket"), user="root", autocommit=True)
    with contextlib.closing(connection), connection.cursor() as cursor:
        yield cursor


@pytest.fixture(scope="module")
def execute(config: dict[str, Any], mariadb_server: Any) -> Execute:
    """What runs statements in the database and answers the rows of the last one."""

    def run(*statements: str) -> list[Any]:
        with _root(mariadb_server) as cursor:
            cursor.execute(f"use `{config['database']}`")
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    return run


def names(client: Client, service: str) -> list[str]:
    found: list[str] = client.get(f"/{service}/_table", params={"as_list": "true"}).json()["resource"]
    return found


class TestSchemas:
    @pytest.fixture(scope="class")
    @classmethod
    def other(cls, execute: Execute) -> str:
        """Another database beside the one of the configuration."""
        name = f"other{secrets.token_hex(3)}"
        execute(
            "create table home (id int auto_increment primary key, note varchar(9) comment 'What it says.') "
            "comment 'Home.'",
            f"create database {name}",
            f"create table {name}.thing (id int auto_increment primary key, home_id int, label text)",
            f"create view {name}.seen as select id, label from {name}.thing",
        )
        (home,) = execute("select database()")
        execute(
            f"alter table {name}.thing add foreign key (home_id) references `{home[0]}`.home (id) on delete cascade"
        )
        return name

    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, gateway: Gateway, config: dict[str, Any], other: str) -> Client:
        for name, schema in (("every", ""), ("main", "default"), ("other", other), ("no", "no_such")):
            gateway.create_service(name, "mysql", {**config, "schema": schema})
        return gateway.admin

    def test_the_configuration_says_which_schemas_are_served(self, client: Client, other: str) -> None:
        assert {"home", f"{other}.seen", f"{other}.thing"} <= set(names(client, "every"))
        assert not {name for name in names(client, "every") if name.startswith(("mysql.", "sys.", "information_"))}
        assert names(client, "main") == ["home"]
        assert names(client, "other") == ["seen", "thing"]
        assert names(client, "no") == []

    def test_a_table_of_another_schema_is_written_and_read(self, client: Client, other: str) -> None:
        assert client.post("/every/_table/home", json={"id": 7}).json() == {"id": 7}
        path = f"/every/_table/{other}.thing"
        assert client.post(path, json={"home_id": 7, "label": "x"}).status_code == 200
        row = client.get(path, params={"related": "home_by_home_id"}).json()["resource"][0]
        assert (row["label"], row["home_by_home_id"]["id"]) == ("x", 7)
        back = client.get("/every/_table/home/7", params={"related": f"{other}.thing_by_home_id"}).json()
        assert [one["label"] for one in back[f"{other}.thing_by_home_id"]] == ["x"]
        assert client.get(f"/every/_table/{other}.seen").json()["resource"] == [{"id": 1, "label": "x"}]
        assert (
            client.patch(path, params={"filter": "label = x"}, json={"resource": [{"label": "y"}]}).status_code == 200
        )
        assert client.get("/other/_table/thing?fields=label").json()["resource"] == [{"label": "y"}]
        assert client.delete(path, params={"filter": "label = y"}).status_code == 200
        assert client.get(path).json() == {"resource": []}

    def test_relations_stay_within_what_is_served(self, client: Client) -> None:
        assert client.get("/other/_schema/thing").json()["related"] == []

    def test_comments_are_descriptions(self, client: Client, other: str) -> None:
        found = client.get("/every/_schema/home").json()
        assert found["description"] == "Home."
        assert [one["description"] for one in found["field"]] == [None, "What it says."]
        constraints = client.get(f"/every/_schema/{other}.thing").json()["constraints"]
        foreign = next(one for one in constraints.values() if one["constraint_type"] == "FOREIGN KEY")
        assert (foreign["referenced_table_name"], foreign["delete_rule"]) == ("home", "CASCADE")

    def test_a_table_is_made_in_the_schema_that_its_name_says(
        self, client: Client, execute: Execute, other: str
    ) -> None:
        fields = [
            {"name": "id", "type": "id"},
            {"name": "thing_id", "type": "reference", "ref_table": f"{other}.thing", "ref_field": "id"},
        ]
        body = {"resource": [{"name": f"{other}.made", "field": fields}, {"name": "made.up", "field": fields[:1]}]}
        reply = client.post("/every/_schema", json=body)
        assert reply.json() == {"resource": [{"name": f"{other}.made"}, {"name": "made.up"}]}
        query = (
            "select table_schema = database(), table_name from information_schema.tables "
            "where table_name like 'made%' order by table_name"
        )
        assert execute(query) == [(0, "made"), (1, "made.up")]
        for name in (f"{other}.made", "made.up"):
            assert client.delete(f"/every/_schema/{name}").json() == {"success": True}
        assert client.post("/other/_schema/fresh", json={"field": fields[:1]}).status_code == 200
        assert names(client, "other") == ["fresh", "seen", "thing"]
        assert client.delete("/other/_schema/fresh").json() == {"success": True}

    def test_the_catalogue_is_no_table(self, client: Client) -> None:
        for name in ("mysql.user", "information_schema.tables", "sys.version", "performance_schema.accounts"):
            assert client.get(f"/every/_table/{name}").status_code == 404

    @pytest.mark.parametrize("name", HOSTILE)
    def test_hostile_names_that_exist_are_names(self, client: Client, execute: Execute, name: str) -> None:
        """Checklist 1 and 5: a database, a table, a column and a key of that name."""
        one = "`" + name.replace("`", "``") + "`"
        execute(
            f"create database {one} character set utf8mb4",
            f"create table {one}.{one} (id int auto_increment primary key, {one} varchar(9), unique key {one} ({one}))",
        )
        try:
            path = f"/every/_table/{quote(f'{name}.{name}', safe='')}"
            assert client.post(path, json={name: "x"}).status_code == 200
            assert client.get(path).json() == {"resource": [{"id": 1, name: "x"}]}
            assert client.post(path, json={name: "x"}).status_code == 409
            where = f"/every/_schema/{quote(f'{name}.{name}', safe='')}"
            assert [field["name"] for field in client.get(where).json()["field"]] == ["id", name]
            body = {"field": [{"name": name, "type": "string", "length": 30, "default": name}]}
            reply = client.patch(where, json=body)
            assert reply.status_code == 200, reply.text
            field = client.get(where).json()["field"][1]
            assert (field["length"], field["default"]) == (30, name)
        finally:
            execute(f"drop database {one}")

    def test_very_many_tables_are_described_soon(self, client: Client, execute: Execute, gateway: Gateway) -> None:
        (home,) = execute("select database()")
        try:
            execute(
                "create database crowd",
                "create procedure crowd.fill() begin declare n int default 0; while n < 1500 do "
                "execute immediate concat('create table crowd.t', n, ' (id int primary key, p int, key (p)) "
                "engine=aria transactional=0'); set n = n + 1; end while; end",
                "call crowd.fill()",
            )
            client.delete("/system/cache/every")
            started = time.monotonic()
            assert client.get("/every/_table/crowd.t77").json() == {"resource": []}
            assert time.monotonic() - started < 5
            assert len([one for one in names(client, "every") if one.startswith("crowd.")]) == 1500
        finally:
            execute("drop database if exists crowd", f"use `{home[0]}`")


class TestChanges:
    """``_schema`` writes that MySQL can do in place (database-api 13.5 and 13.6)."""

    @pytest.fixture(scope="class", params=["", "NO_BACKSLASH_ESCAPES,ANSI_QUOTES"], ids=["plain", "odd"])
    @classmethod
    def service(cls, request: pytest.FixtureRequest, gateway: Gateway, config: dict[str, Any]) -> str:
        name = "odd" if request.param else "plain"
        gateway.create_service(name, "mysql", {**config, "schema": "default", "modes": request.param or None})
        return name

    @pytest.fixture
    def client(self, gateway: Gateway, service: str) -> Client:
        return gateway.admin

    def fields(self, client: Client, service: str, name: str) -> dict[str, dict[str, Any]]:
        found = client.get(f"/{service}/_schema/{name}", params={"refresh": "true"}).json()["field"]
        return {one["name"]: one for one in found}

    def test_what_is_not_changed_stays(self, client: Client, service: str, execute: Execute) -> None:
        execute(
            "drop table if exists kept",
            r"create table kept (id int unsigned auto_increment primary key comment 'k''s \\ c', "
            r"a varchar(40) collate utf8mb4_bin not null default 'it''s \\ new\n' comment 'it''s \\ a', "
            r"b int not null default 5 check (b <> 7), "
            "d datetime(3) default current_timestamp(3) on update current_timestamp(3) comment 'd', "
            "e json, u varchar(36) default uuid(), n int)",
        )
        before = self.fields(client, service, "kept")
        assert (before["a"]["default"], before["a"]["description"]) == ("it's \\ new\n", "it's \\ a")
        changes = [
            {"name": "id", "type": "id", "allow_null": False},
            {"name": "a", "type": "string", "length": 80},
            {"name": "b", "type": "bigint"},
            {"name": "d", "type": "timestamp", "allow_null": True},
            {"name": "u", "type": "string", "length": 50},
            {"name": "n", "type": "decimal", "precision": 10, "scale": 2, "allow_null": False, "default": 1.5},
        ]
        for _ in range(2):
            reply = client.patch(f"/{service}/_schema/kept", json={"field": changes})
            assert reply.status_code == 200, reply.text
            after = self.fields(client, service, "kept")
            assert {name: one["default"] for name, one in after.items() if name in "ab"} == {
                name: one["default"] for name, one in before.items() if name in "ab"
            }
            assert {name: one["description"] for name, one in after.items()} == {
                name: one["description"] for name, one in before.items()
            }
            assert (after["a"]["length"], after["b"]["db_type"], after["n"]["allow_null"]) == (80, "bigint(20)", False)
            assert after["id"]["auto_increment"]
        (made,) = execute("show create table kept")
        for part in (
            "utf8mb4_bin",
            "CHECK (`b` <> 7)",
            "DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6) COMMENT",
            "DEFAULT uuid()",
            "DEFAULT 1.50",
        ):
            assert part.lower() in made[1].lower(), made[1]
        row = client.post(f"/{service}/_table/kept", json={"e": [1]}, params={"fields": "a,b,n,e"}).json()
        assert row == {"a": "it's \\ new\n", "b": 5, "n": 1.5, "e": [1]}
        assert client.post(f"/{service}/_table/kept", json={"b": 7}).status_code == 400

    def test_types_are_changed_and_values_converted(self, client: Client, service: str) -> None:
        fields = [{"name": "id", "type": "id"}, {"name": "v", "type": "integer", "default": 1}]
        fields += [{"name": "w", "type": "string"}]
        assert client.post(f"/{service}/_schema/changing_{service}", json={"field": fields}).status_code == 200
        table = f"changing_{service}"
        client.post(f"/{service}/_table/{table}", json={"v": 5, "w": "x"})
        body = {"field": [{"name": "v", "type": "string", "length": 20, "default": "none\\'", "allow_null": True}]}
        assert client.patch(f"/{service}/_schema/{table}", json=body).status_code == 200
        v = self.fields(client, service, table)["v"]
        assert (v["db_type"], v["default"], v["allow_null"]) == ("varchar(20)", "none\\'", True)
        assert client.get(f"/{service}/_table/{table}?fields=v").json()["resource"] == [{"v": "5"}]
        assert client.post(f"/{service}/_table/{table}?fields=v", json={"w": "y"}).json() == {"v": "none\\'"}
        if service == "plain":
            # Only strict sessions refuse, and the odd one is not.
            reply = client.patch(f"/{service}/_schema/{table}", json={"field": [{"name": "w", "type": "integer"}]})
            assert reply.status_code == 400, reply.text
            assert self.fields(client, service, table)["w"]["type"] == "string"
        reply = client.patch(f"/{service}/_schema/{table}", json={"field": [{"name": "w", "type": "no_such_type"}]})
        assert reply.status_code == 400, reply.text

    def test_columns_come_with_their_keys_or_not_at_all(self, client: Client, service: str, execute: Execute) -> None:
        for name in ("parent", "child"):
            body = {"field": [{"name": "id", "type": "id"}]}
            assert client.post(f"/{service}/_schema/{name}_{service}", json=body).status_code == 200
        child = f"/{service}/_schema/child_{service}"
        good = {
            "name": "p",
            "type": "reference",
            "ref_table": f"parent_{service}",
            "ref_field": "id",
            "allow_null": True,
        }
        bad = {**good, "name": "q", "ref_table": "no_such"}
        reply = client.patch(child, json={"field": [good, bad]})
        assert reply.status_code == 400, reply.text
        assert list(self.fields(client, service, f"child_{service}")) == ["id"]
        more = {"name": "code", "type": "string", "length": 9, "is_unique": True, "allow_null": True}
        assert client.patch(child, json={"field": [good, more]}).status_code == 200
        found = self.fields(client, service, f"child_{service}")
        assert (found["p"]["ref_table"], found["code"]["is_unique"]) == (f"parent_{service}", True)
        reply = client.delete(f"/{service}/_schema/parent_{service}")
        assert reply.status_code == 409, reply.text
        reply = client.patch(f"/{service}/_schema/parent_{service}", json={"field": [{"name": "id", "type": "string"}]})
        assert reply.status_code == 409, reply.text

    def test_a_computed_field_is_not_changed(self, client: Client, service: str, execute: Execute) -> None:
        execute("drop table if exists doubled", "create table doubled (id int primary key, d int as (id * 2))")
        reply = client.patch(f"/{service}/_schema/doubled", json={"field": [{"name": "d", "type": "string"}]})
        assert reply.status_code == 400, reply.text

    def test_odd_values_are_read_as_the_server_writes_them(
        self, client: Client, service: str, execute: Execute
    ) -> None:
        execute(
            "set sql_mode = ''", "drop table if exists odd_values",
            "create table odd_values (id int primary key, "
            "d date, m datetime(2), t time, f float, g float, z timestamp null)",
            "insert into odd_values values (1, '0000-00-00', '2024-00-00', '-838:59:59', 1.1, 16777217, "
            "'2024-01-02 03:04:05'), (2, '2024-02-00', '2024-01-01 00:00:00.10', '100:00:00', 3.4e38, 1e-30, null)",
        )  # fmt: skip
        rows = client.get(f"/{service}/_table/odd_values").json()["resource"]
        assert rows == [
            {"id": 1, "d": "0000-00-00", "m": "2024-00-00 00:00:00", "t": "-838:59:59", "f": 1.1, "g": 16777216.0,
             "z": "2024-01-02 03:04:05"},
            {"id": 2, "d": "2024-02-00", "m": "2024-01-01 00:00:00.10", "t": "100:00:00", "f": 3.4e38, "g": 1e-30,
             "z": None},
        ]  # fmt: skip
