"""Several schemas, names that look like SQL, and structure that is changed (database-api 3 and 13)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from databases import execute
from psycopg import sql
from servers import Server

from trunkline.testing import Client, Gateway

pytestmark = pytest.mark.live

HOSTILE = [
    'a"b',
    "a'b",
    "a;b--",
    "a.b",
    "a b",
    "a%b",
    "a:b",
    "a\\b",
    "$1",
    "{x}",
    "a\N{PILE OF POO}",
    "SELECT",
    "Ab",
    "a/*b",
]
SCHEMAS = """
create table home (id serial primary key);
create schema other;
create table other.thing (id serial primary key, home_id integer references home(id), label text);
create schema "odd.one""x";
create table "odd.one""x"."t.a" (id serial primary key, n integer);
create materialized view other.seen as select id, label from other.thing;
create view other.now_seen as select id, label from other.thing;
comment on table other.thing is 'Things.';
comment on column other.thing.label is 'What it is called.';
"""


def names(client: Client, service: str) -> list[str]:
    found: list[str] = client.get(f"/{service}/_table", params={"as_list": "true"}).json()["resource"]
    return found


class TestSchemas:
    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, postgresql_server: Server) -> dict[str, Any]:
        config = postgresql_server.new_config()
        execute(config, SCHEMAS)
        return config

    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, gateway: Gateway, config: dict[str, Any]) -> Client:
        for name, schema in (("every", ""), ("main", "default"), ("other", "other"), ("odd", 'odd.one"x'), ("no", "x")):
            gateway.create_service(name, "pgsql", {**config, "schema": schema})
        return gateway.admin

    @pytest.mark.parametrize(
        ("service", "expected"),
        [
            ("every", ["home", 'odd.one"x.t.a', "other.now_seen", "other.seen", "other.thing"]),
            ("main", ["home"]),
            ("other", ["now_seen", "seen", "thing"]),
            ("odd", ["t.a"]),
            ("no", []),
        ],
    )
    def test_the_configuration_says_which_schemas_are_served(
        self, client: Client, service: str, expected: list[str]
    ) -> None:
        assert names(client, service) == expected

    def test_a_table_of_another_schema_is_written_and_read(self, client: Client) -> None:
        made = client.post("/every/_table/home", json={"id": 7})
        assert made.json() == {"id": 7}
        path = "/every/_table/other.thing"
        assert client.post(path, json={"home_id": 7, "label": "x"}).status_code == 200
        row = client.get(path, params={"related": "home_by_home_id"}).json()["resource"][0]
        assert (row["label"], row["home_by_home_id"]) == ("x", {"id": 7})
        back = client.get("/every/_table/home/7", params={"related": "other.thing_by_home_id"}).json()
        assert [one["label"] for one in back["other.thing_by_home_id"]] == ["x"]
        assert client.get("/every/_table/other.now_seen").json()["resource"] == [{"id": 1, "label": "x"}]

    def test_relations_stay_within_what_is_served(self, client: Client) -> None:
        assert client.get("/other/_schema/thing").json()["related"] == []

    def test_comments_are_descriptions(self, client: Client) -> None:
        found = client.get("/every/_schema/other.thing").json()
        assert found["description"] == "Things."
        assert [one["description"] for one in found["field"]] == [None, None, "What it is called."]
        assert found["constraints"]["thing_home_id_fkey"]["referenced_table_name"] == "home"
        views = {one["name"]: one["is_view"] for one in client.get("/other/_table?fields=*").json()["resource"]}
        assert views == {"now_seen": True, "seen": True, "thing": False}

    def test_a_table_is_made_in_the_schema_that_its_name_says(self, client: Client, config: dict[str, Any]) -> None:
        fields = [
            {"name": "id", "type": "id"},
            {"name": "thing_id", "type": "reference", "ref_table": "other.thing", "ref_field": "id"},
        ]
        body = {"resource": [{"name": "other.made", "field": fields}, {"name": "made.up", "field": fields[:1]}]}
        assert client.post("/every/_schema", json=body).status_code == 200
        query = "select schemaname, tablename from pg_tables where tablename like 'made%' order by 1"
        assert execute(config, query) == [("other", "made"), ("public", "made.up")]
        for name in ("other.made", "made.up"):
            assert client.delete(f"/every/_schema/{name}").json() == {"success": True}

    def test_the_catalogue_is_no_table(self, client: Client) -> None:
        for name in ("pg_user", "pg_catalog.pg_user", "information_schema.tables", "pg_toast.x"):
            assert client.get(f"/every/_table/{name}").status_code == 404

    def test_a_table_that_was_made_elsewhere_is_found_and_one_that_went_is_missed(
        self, client: Client, config: dict[str, Any]
    ) -> None:
        names(client, "main")
        execute(config, "create table late (id integer primary key)")
        assert client.get("/main/_table/late").json() == {"resource": []}
        execute(config, "alter table late add column n integer default 5", "insert into late values (1)")
        assert client.get("/main/_table/late?fields=id").json() == {"resource": [{"id": 1}]}
        execute(config, "drop table late")
        assert client.get("/main/_table/late").status_code == 404

    @pytest.mark.parametrize("name", HOSTILE)
    def test_hostile_names_that_exist_are_names(self, client: Client, config: dict[str, Any], name: str) -> None:
        """Checklist 1 and 5: a schema, a table, a column, a type and a constraint of that name."""
        one, kind = sql.Identifier(name), sql.Identifier(f"{name} kind")
        execute(
            config,
            sql.SQL("create schema {}").format(one),
            sql.SQL("create type {0}.{1} as enum ('x')").format(one, kind),
            sql.SQL("create table {0}.{0} (id serial primary key, {0} {0}.{1} unique)").format(one, kind),
        )
        try:
            path = f"/every/_table/{quote(f'{name}.{name}', safe='')}"
            assert client.post(path, json={name: "x"}).status_code == 200
            quoted = '"' + name.replace('"', '""') + '"'
            for params in ({"filter": f"{quoted} = x"}, {"order": f"{quoted} desc"}, {"fields": quoted}, {}):
                reply = client.get(path, params=params)
                if "." in name and "fields" in params:
                    continue
                assert reply.status_code in (200, 400), reply.text
            assert client.get(path).json() == {"resource": [{"id": 1, name: "x"}]}
            again = client.post(path, json={name: "x"})
            assert again.status_code == 409, again.text
            described = client.get(f"/every/_schema/{quote(f'{name}.{name}', safe='')}").json()
            assert [field["name"] for field in described["field"]] == ["id", name]
        finally:
            execute(config, sql.SQL("drop schema {} cascade").format(one))


class TestChanges:
    """``_schema`` writes that PostgreSQL can do in place (database-api 13.5 and 13.6)."""

    @pytest.fixture(scope="class")
    @classmethod
    def config(cls, postgresql_server: Server) -> dict[str, Any]:
        return postgresql_server.new_config()

    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, gateway: Gateway, config: dict[str, Any]) -> Client:
        gateway.create_service("shop", "pgsql", config)
        return gateway.admin

    def make(self, client: Client, name: str, *fields: dict[str, Any]) -> dict[str, dict[str, Any]]:
        body = {"resource": [{"name": name, "field": [{"name": "id", "type": "id"}, *fields]}]}
        reply = client.post("/shop/_schema", json=body)
        assert reply.status_code == 200, reply.text
        return self.fields(client, name)

    def fields(self, client: Client, name: str) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in client.get(f"/shop/_schema/{name}").json()["field"]}

    def test_simple_types_make_these_columns(self, client: Client) -> None:
        kinds = {
            "string": "character varying(255)", "text": "text", "integer": "integer", "bigint": "bigint",
            "smallint": "smallint", "boolean": "boolean", "decimal": "numeric", "float": "real",
            "double": "double precision", "money": "money", "date": "date", "time": "time without time zone",
            "datetime": "timestamp without time zone", "timestamp": "timestamp without time zone",
            "datetimetz": "timestamp with time zone", "timestamptz": "timestamp with time zone",
            "timetz": "time with time zone", "timestamp_on_create": "timestamp without time zone",
            "user_id": "integer", "binary": "bytea", "json": "json", "uuid": "uuid", "integer[]": "integer[]",
            "inet": "inet", "jsonb": "jsonb", "varchar(7)": "character varying(7)",
        }  # fmt: skip
        given = [{"name": f"f{n}", "type": kind, "allow_null": True} for n, kind in enumerate(kinds)]
        found = self.make(client, "kinds", *given)
        assert [one["db_type"] for one in found.values()][1:] == list(kinds.values())

    def test_defaults_are_data(self, client: Client) -> None:
        found = self.make(
            client,
            "defaults",
            {"name": "a", "type": "string", "default": "it's \\ new()"},
            {"name": "b", "type": "integer", "default": -5},
            {"name": "c", "type": "boolean", "default": False},
            {"name": "d", "type": "timestamp", "default": {"expression": "now()"}},
            {"name": "e", "type": "timestamp_on_update"},
            {"name": "f", "type": "string", "allow_null": True},
        )
        assert [found[name]["default"] for name in "abc"] == ["it's \\ new()", -5, False]
        made = client.post("/shop/_table/defaults?fields=*", json={"f": "x"}).json()
        assert (made["a"], made["b"], made["c"]) == ("it's \\ new()", -5, False)
        assert made["d"]
        assert made["e"]

    def test_types_are_changed_and_values_converted(self, client: Client) -> None:
        self.make(client, "changing", {"name": "v", "type": "integer", "default": 1}, {"name": "w", "type": "string"})
        client.post("/shop/_table/changing", json={"v": 5, "w": "x"})
        body = {"field": [{"name": "v", "type": "string", "length": 20, "default": "none", "allow_null": True}]}
        assert client.patch("/shop/_schema/changing", json=body).status_code == 200
        v = self.fields(client, "changing")["v"]
        assert (v["db_type"], v["default"], v["allow_null"]) == ("character varying(20)", "none", True)
        assert client.get("/shop/_table/changing?fields=v").json()["resource"] == [{"v": "5"}]
        for allowed, status in ((True, 200), (False, 400)):
            body = {"field": [{"name": "w", "type": "string", "length": 255, "allow_null": allowed}]}
            assert client.patch("/shop/_schema/changing", json=body).status_code == 200
            assert self.fields(client, "changing")["w"]["allow_null"] is allowed
            assert client.post("/shop/_table/changing", json={"w": None}).status_code == status
            client.delete("/shop/_table/changing?filter=w is null")
        body = {"field": [{"name": "w", "type": "integer"}]}
        reply = client.patch("/shop/_schema/changing", json=body)
        assert reply.status_code == 400, reply.text
        assert client.delete("/shop/_schema/changing/_field/v").json() == {"success": True}
        assert list(self.fields(client, "changing")) == ["id", "w"]

    def test_what_others_depend_on_stays(self, client: Client) -> None:
        self.make(client, "parent")
        self.make(client, "child", {"name": "p", "type": "reference", "ref_table": "parent", "ref_field": "id"})
        reply = client.delete("/shop/_schema/parent")
        assert reply.status_code == 409, reply.text

    def test_an_unknown_type_is_a_400(self, client: Client) -> None:
        body = {"resource": [{"name": "bad", "field": [{"name": "x", "type": "no_such_type"}]}]}
        reply = client.post("/shop/_schema", json=body)
        assert reply.status_code == 400, reply.text

    def test_identities_are_given_by_the_database(self, client: Client, config: dict[str, Any]) -> None:
        execute(
            config,
            "create table numbered (id bigint generated always as identity primary key, w text)",
            "create table extra (k text primary key, n bigserial, i integer generated by default as identity)",
        )
        assert client.post("/shop/_table/numbered", json={"w": "x"}).json() == {"id": 1}
        assert client.post("/shop/_table/numbered", json={"id": 5, "w": "x"}).status_code == 400
        assert client.post("/shop/_table/extra?fields=*", json={"k": "x"}).json() == {"k": "x", "n": 1, "i": 1}

    def test_the_login_may_be_allowed_less(self, client: Client, config: dict[str, Any], gateway: Gateway) -> None:
        execute(
            config,
            "create table closed (id integer)",
            f"create role r{config['database']} login password 'x'",
        )
        gateway.create_service("guest", "pgsql", {**config, "username": f"r{config['database']}", "password": "x"})
        assert client.get("/guest/_table/closed").status_code == 403
