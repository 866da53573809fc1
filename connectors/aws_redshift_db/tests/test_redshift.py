"""The service for Redshift passes the suite of its family on PostgreSQL, with the narrower SQL that Redshift takes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from databases import execute

from trunkline.testing import Client, Gateway
from trunkline_aws_redshift_db.dialect import RedshiftDialect
from trunkline_database.testing import DatabaseSuite
from trunkline_database.testing.library import Library

pytestmark = pytest.mark.live

# What PostgreSQL must be told before Redshift's SQL runs on it: types and functions of Redshift's own, made of its own.
SCRIPT = """
create sequence counter;
create function default_identity(integer, integer, text) returns integer language sql as
  $$ select nextval('counter')::integer $$;
create domain varbyte as bytea;
create domain super as jsonb;
create function from_hex(varchar) returns varbyte language sql as $$ select decode($1, 'hex')::varbyte $$;
create function to_hex(varbyte) returns text language sql as $$ select encode($1::bytea, 'hex') $$;
create function json_parse(varchar) returns super language sql as $$ select $1::jsonb::super $$;
create function json_serialize(super) returns varchar language sql as $$ select $1::text $$;
create function getdate() returns timestamp language sql as $$ select localtimestamp(0) $$;
create function pg_get_late_binding_view_cols() returns setof record language sql as
  $$ select 'public'::name, 'late'::name, name::name, type::varchar, number
     from (values ('id', 'integer', 1), ('word', 'character varying(9)', 2)) as c (name, type, number) $$;
create view pg_proc_info as select oid as prooid, proname, pronamespace, prokind, prorettype, proargtypes,
  proallargtypes, proargmodes, proargnames from pg_proc;
"""
# Two words remain that PostgreSQL has in another form: the declaration of a column that counts, and the places of OUT
# parameters in a call.
WORDS = {"counting": "integer DEFAULT default_identity(1, 0, '1,1')", "names_out": True}
# Literals are read as Redshift reads them.
STATEMENTS = ["set standard_conforming_strings = off", "set escape_string_warning = off"]
ROUTINES = """
create procedure proc_out(a integer, b integer, out total integer, out word varchar) language plpgsql as
  $$ begin total := a + b; word := 'w' || a; end $$;
create procedure proc_note(t varchar) language plpgsql as $$ begin insert into sample (words) values (t); end $$;
create procedure proc_fail(t varchar) language plpgsql as
  $$ begin insert into sample (words) values (t); raise exception 'No such luck.'; end $$;
create procedure proc_rows(lowest integer, inout books refcursor) language plpgsql as
  $$ begin open books for select title, pages from book where pages >= lowest order by pages; end $$;
create procedure proc_both(lowest integer, inout books refcursor, out total integer) language plpgsql as
  $$ begin
    open books for select title, pages from book where pages >= lowest order by pages;
    select count(*) into total from book where pages >= lowest;
  end $$;
create procedure proc_inout(inout n integer) language plpgsql as $$ begin n := 2 * n; end $$;
create function func_add(a integer, b integer) returns integer language sql as $$ select a + b $$;
create function func_echo(t varchar) returns varchar language sql as $$ select t $$;
"""


@pytest.fixture(scope="module", autouse=True)
def _words() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, word in WORDS.items():
            patch.setattr(RedshiftDialect, name, word)
        yield


@pytest.fixture(scope="module")
def redshift_config(postgresql_config: dict[str, Any]) -> dict[str, Any]:
    execute(postgresql_config, SCRIPT)
    return {**postgresql_config, "statements": STATEMENTS}


class TestRedshift(DatabaseSuite):
    service_type = "aws_redshift_db"

    @pytest.fixture
    def config(self, redshift_config: dict[str, Any]) -> dict[str, Any]:
        return redshift_config

    def make_routines(self, config: dict[str, Any], library: Library) -> None:
        execute(config, ROUTINES)


class TestOwn:
    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, gateway: Gateway, redshift_config: dict[str, Any]) -> Client:
        gateway.create_service("wide", "aws_redshift_db", redshift_config)
        fields = [
            {"name": "id", "type": "id"},
            {"name": "code", "type": "string", "length": 5, "is_unique": True, "allow_null": True},
            {"name": "doc", "type": "json", "allow_null": True},
            {"name": "data", "type": "binary", "allow_null": True},
            {"name": "price", "type": "decimal", "precision": 8, "scale": 2, "allow_null": True},
            {"name": "ratio", "type": "float", "allow_null": True},
            {"name": "sign", "type": "string", "default": "a\\'b", "allow_null": True},
            {"name": "born", "type": "timestamp_on_create"},
        ]
        reply = gateway.admin.post("/wide/_schema", json={"resource": [{"name": "thing", "field": fields}]})
        assert reply.status_code == 200, reply.text
        return gateway.admin

    def test_what_redshift_has_instead_comes_back_as_json(self, client: Client) -> None:
        record = {"code": "x", "doc": {"a": [1, 2.5]}, "data": "AAEC/w==", "price": 9.55, "ratio": 0.1}
        made = client.post("/wide/_table/thing", json=record, params={"fields": "*"}).json()
        assert {name: made[name] for name in record} == record
        assert made["sign"] == "a\\'b"
        assert made["id"] > 0
        found = client.get("/wide/_table/thing", params={"filter": "(price > 9.549) and (price < 9.551)"}).json()
        assert [one["id"] for one in found["resource"]] == [made["id"]]
        assert (
            client.get("/wide/_table/thing", params={"filter": "data = 'AAEC/w=='", "count_only": "true"}).json() == 1
        )

    def test_a_description_shows_declared_keys_and_lengths(self, client: Client) -> None:
        table = client.get("/wide/_schema/thing").json()
        kinds = {one["name"]: (one["type"], one["auto_increment"]) for one in table["field"]}
        assert kinds["id"] == ("id", True)
        assert (kinds["doc"], kinds["data"]) == (("json", False), ("binary", False))
        assert next(one for one in table["field"] if one["name"] == "code")["is_unique"]

    def test_numbers_are_found_while_others_insert(self, client: Client) -> None:
        """A key that is answered is that of the very record, however many clients insert the same."""

        async def insert(number: int) -> tuple[int, int]:
            body = [{"price": number}, {"price": number}]
            reply = await asyncio.to_thread(client.post, "/wide/_table/thing", json={"resource": body})
            assert reply.status_code == 200, reply.text
            first, second = (one["id"] for one in reply.json()["resource"])
            return first, second

        async def all_of_them() -> list[tuple[int, int]]:
            return await asyncio.gather(*(insert(number) for number in range(100, 112)))

        for number, pair in enumerate(asyncio.run(all_of_them()), 100):
            rows = client.get("/wide/_table/thing", params={"ids": f"{pair[0]},{pair[1]}", "fields": "price"}).json()
            assert rows["resource"] == [{"price": number}, {"price": number}]
            assert pair[0] != pair[1]

    def test_a_key_that_is_sent_needs_no_search(self, client: Client) -> None:
        assert client.post("/wide/_table/thing", json={"id": 900_000, "code": "y"}).json() == {"id": 900_000}
        client.delete("/wide/_table/thing/900000")

    def test_a_number_below_others_is_unknown(self, client: Client, redshift_config: dict[str, Any]) -> None:
        execute(redshift_config, "insert into thing (id, code) values (800000, 'high')")
        assert client.post("/wide/_table/thing", json={"code": "low"}).json() == {"id": None}
        assert client.get("/wide/_table/thing", params={"filter": "code = 'low'", "count_only": "true"}).json() == 1
        client.delete("/wide/_table/thing/800000")

    def test_a_batch_stops_and_what_came_before_stays(self, client: Client) -> None:
        """Without savepoints each record is a transaction, unless all are one."""
        records = [{"id": 500_001, "code": "a"}, {"id": 500_001, "code": "b"}, {"id": 500_002, "code": "c"}]

        def tried(**params: str) -> list[int]:
            reply = client.post("/wide/_table/thing", json={"resource": records}, params=params)
            assert reply.json()["error"]["code"] == 1000, reply.text
            query = {"filter": "(id > 500000) and (id < 500009)", "fields": "id", "order": "id"}
            left = [one["id"] for one in client.get("/wide/_table/thing", params=query).json()["resource"]]
            client.delete("/wide/_table/thing", params={"filter": "(id > 500000) and (id < 500009)"})
            return left

        assert tried() == [500_001]
        assert tried(**{"continue": "true"}) == [500_001, 500_002]
        assert tried(rollback="true") == []

    def test_only_lengths_of_texts_are_altered(self, client: Client) -> None:
        path = "/wide/_schema/thing/_field"
        assert client.patch(path, json=[{"name": "code", "type": "string", "length": 9}]).status_code == 200
        code = client.get("/wide/_schema/thing/code").json()
        assert code["length"] == 9
        assert client.patch(path, json=[{"name": "price", "type": "string"}]).status_code == 400

    def test_a_column_is_added_with_its_keys(self, client: Client) -> None:
        more = {"name": "other", "type": "reference", "ref_table": "thing", "ref_field": "id", "allow_null": True}
        assert client.post("/wide/_schema/thing/_field", json=[more]).status_code == 200
        table = client.get("/wide/_schema/thing").json()
        assert next(one for one in table["field"] if one["name"] == "other")["ref_table"] == "thing"
        assert "thing_by_other" in [one["name"] for one in table["related"]]

    def test_a_late_binding_view_has_columns(self, client: Client, redshift_config: dict[str, Any]) -> None:
        execute(redshift_config, "create view late as select")
        table = client.get("/wide/_schema/late", params={"refresh": "true"}).json()
        assert [(one["name"], one["type"], one["length"]) for one in table["field"]] == [
            ("id", "integer", None),
            ("word", "string", 9),
        ]

    def test_another_schema_has_its_name_in_front(self, client: Client, redshift_config: dict[str, Any]) -> None:
        execute(redshift_config, "create schema side", "create table side.part (a int, b int, primary key (a, b))")
        names = client.get("/wide/_table", params={"as_list": "true", "refresh": "true"}).json()["resource"]
        assert "side.part" in names
        assert client.get("/wide/_schema/side.part").json()["primary_key"] == ["a", "b"]

    def test_uuid_is_refused(self, client: Client) -> None:
        body = {"code": {"expression": "UUID()"}}
        assert client.post("/wide/_table/thing", json=body).status_code == 400
