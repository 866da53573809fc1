"""Procedures and functions as only PostgreSQL has them: types, overloads, defaults, records, cursors, schemas."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from databases import execute
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
    "$9",
    "{x}",
    "SELECT",
    "Ab",
    "a/*b",
    "\N{PILE OF POO}",
]
# A type, what is sent, and what comes back where that is not the same.
TYPES: list[tuple[str, Any, Any]] = [
    ("numeric", 12345678901234567890.5, None),
    ("numeric", "0.1234567890123456789", None),
    ("numeric(6,2)", 1.25, 1.25),
    ("smallint", 7, 7),
    ("bigint", 2**62, 2**62),
    ("real", 0.1, 0.1),
    ("double precision", 0.1, 0.1),
    ("boolean", True, True),
    ("boolean", "no", False),
    ("text", " a'b ", " a'b "),
    ("character(3)", "ab", "ab"),
    ("date", "2026-01-02", "2026-01-02"),
    ("time", "23:59:59.5", "23:59:59.5"),
    ("timestamp", "2026-01-02 03:04:05.6", "2026-01-02 03:04:05.6"),
    ("timestamptz", "2026-01-02T03:04:05Z", "2026-01-02 03:04:05+00"),
    ("interval", "1 day 02:00:00", "1 day 02:00:00"),
    ("uuid", "0f14d0ab-9605-4a62-a9e4-5ed26688389b", "0f14d0ab-9605-4a62-a9e4-5ed26688389b"),
    ("json", {"a": [1, 2.50]}, {"a": [1, 2.5]}),
    ("jsonb", {"a": None}, {"a": None}),
    ("bytea", "AAH/", "AAH/"),
    ("integer[]", [1, None, 3], [1, None, 3]),
    ("real[]", [0.1, 2], [0.1, 2.0]),
    ("text[]", ['a"b', "c,d"], ['a"b', "c,d"]),
    ("jsonb[]", [{"a": 1}], [{"a": 1}]),
    ("mood", "sad", "sad"),
    ("mood[]", ["ok"], ["ok"]),
    ("short", "abc", "abc"),
    ("inet", "10.0.0.1", "10.0.0.1"),
    ("money", 1.5, None),
    ("bit(3)", "101", "101"),
    ("int4range", "[1,3)", None),
    ("int4range", "[1,)", None),
    ("int4range", "empty", None),
    ("point", "(1,2.5)", None),
]
MADE = """
create type mood as enum ('ok', 'sad');
create type pair as (n integer, t text);
create domain short as varchar(5) check (value <> 'bad');
create table kept (id serial primary key, word text unique);

create function over(a integer) returns text language sql as $$ select 'integer' $$;
create function over(a text) returns text language sql as $$ select 'text' $$;
create function over(a integer, b integer) returns text language sql as $$ select 'two' $$;
create function over(c date) returns text language sql as $$ select 'date' $$;
create function alike(a integer) returns text language sql as $$ select 'integer' $$;
create function alike(a bigint) returns text language sql as $$ select 'bigint' $$;

create function default_or_not(a integer) returns integer language sql as $$ select a $$;
create function default_or_not(a integer, b integer default 1) returns integer language sql as $$ select a $$;
create function defaults(a integer default 1, b text default 'b,c', c integer default 3) returns text
  language sql as $$ select concat_ws('|', a, b, c) $$;
create procedure defaulted(a integer default 1, inout b integer default 2) language plpgsql as
  $$ begin b := a + b; end $$;
create function unnamed(integer, text default 'x') returns text language sql as $$ select $1 || $2 $$;
create function many(a text, variadic others integer[]) returns text language sql as
  $$ select a || cardinality(others) $$;
create function anything(a anyelement) returns anyelement language sql as $$ select a $$;
create function any_of(a anyarray) returns anyelement language sql as $$ select a[1] $$;

create function numbers(n integer) returns setof integer language sql as $$ select generate_series(1, n) $$;
create function pair_of(n integer) returns pair language sql as $$ select (n, 'x')::pair $$;
create procedure keep_pair(inout p pair) language plpgsql as $$ begin end $$;
create function no_pair() returns pair language sql as $$ select null::pair $$;
create function pairs(n integer) returns setof pair language sql as
  $$ select (i, 'x')::pair from generate_series(1, n) i $$;
create function split(a numeric, out whole integer, out rest numeric, out integer) language sql as
  $$ select trunc(a)::integer, a - trunc(a), 9 $$;
create function one_out(out n integer) language sql as $$ select 4 $$;
create function rows_of_kept() returns setof kept language sql as $$ select * from kept $$;
create function nothing() returns void language sql as $$ insert into kept (word) values ('by nothing') $$;
create function shapeless() returns setof record language sql as $$ select 1, 2 $$;
create function shapeless_one() returns record language sql as $$ select 1, 2 $$;
create function half_null() returns table (a integer, b text) language sql as $$ select null::integer, null::text $$;

create function cursor_of() returns refcursor language plpgsql as
  $$ declare c refcursor; begin
    open c for select 1 as n, 0.1::real as r, '{"a":1.50}'::json as j, '2026-01-02'::date as d;
    return c;
  end $$;
create function cursors() returns setof refcursor language plpgsql as
  $$ declare c refcursor; d refcursor := 'odd "name'; begin
    open c for select 1 as n; return next c;
    open d for select 2 as n; return next d;
  end $$;
create procedure both_ways(inout c refcursor, out total integer) language plpgsql as
  $$ begin open c for select 1 as n where false; total := 0; end $$;
create procedure no_cursor(out c refcursor) language plpgsql as $$ begin end $$;

create procedure steps() language plpgsql as
  $$ begin
    insert into kept (word) values ('step one'); commit;
    insert into kept (word) values ('step two'); rollback;
  end $$;
create function told(code text, words text) returns void language plpgsql as
  $$ begin raise exception using errcode = code, message = words; end $$;
create function broken() returns integer language plpgsql as $$ begin return (select n from no_such_table); end $$;
create function divided(a integer) returns integer language sql as $$ select 1 / a $$;
create function denied() returns integer language plpgsql security definer as $$ begin return 1; end $$;

create function watched() returns trigger language plpgsql as
  $$ begin if new.word = 'unwanted' then raise exception 'No % here.', new.word; end if; return new; end $$;
create trigger watch before insert on kept for each row execute function watched();
create aggregate longest(text) (sfunc = textcat, stype = text);
create function raw(internal) returns internal language internal as 'int4_sum';

create schema other;
create function other.there(a integer default 5) returns integer language sql as $$ select a $$;
create function other.over(a integer) returns text language sql as $$ select 'other' $$;
comment on function other.there(integer) is 'It is there.';
"""


@pytest.fixture(scope="class")
def config(postgresql_server: Server) -> dict[str, Any]:
    config = postgresql_server.new_config()
    execute(config, MADE)
    for number, (kind, _, _) in enumerate(TYPES):
        execute(
            config,
            f"create function echo{number}(v {kind}) returns {kind} language sql as $$ select v $$",
            f"create function echoes{number}(v {kind}) returns table (v2 {kind}) language sql as $$ select v $$",
            f"create procedure pass{number}(inout v {kind}) language plpgsql as $$ begin end $$",
            f"create procedure open{number}(v {kind}, out c refcursor) language plpgsql as"
            " $$ begin open c for select v; end $$",
        )
    for number, name in enumerate(HOSTILE):
        quoted, answered = ('"' + one.replace('"', '""') + '"' for one in (name, f"{name}z"))
        execute(
            config,
            f"create function {quoted}({quoted} integer, b integer default 2)"
            f" returns table ({answered} integer, s integer) language sql as $$ select {number}, $1 + $2 $$",
            f"create procedure {quoted}(inout {quoted} bytea) language plpgsql as $$ begin end $$",
        )
    return config


@pytest.fixture(scope="class")
def client(gateway: Gateway, config: dict[str, Any]) -> Client:
    gateway.create_service("code", "pgsql", {**config, "timezone": "UTC"})
    return gateway.admin


def call(client: Client, path: str, params: Any = None, status: int = 200, **query: Any) -> Any:
    """Call with POST where there are parameters, else with GET."""
    verb = "GET" if params is None else "POST"
    body = None if params is None else {"params": params}
    reply = client.request(verb, f"/code/{path}", json=body, params=query)
    assert reply.status_code == status, reply.text
    assert "select" not in reply.text.lower() or status == 200
    return reply.json() if reply.content else None


class TestTypes:
    @pytest.mark.parametrize(("number", "kind"), [(number, one[0]) for number, one in enumerate(TYPES)])
    def test_every_type_reads_as_in_tables(
        self, client: Client, config: dict[str, Any], number: int, kind: str
    ) -> None:
        _, sent, expected = TYPES[number]
        execute(
            config, f"create table t{number} (id serial primary key, v {kind.replace('(3)', '').replace('(6,2)', '')})"
        )
        made = client.post(f"/code/_table/t{number}", json={"v": sent}, params={"fields": "v"})
        if expected is None:
            expected = made.json()["v"]
        assert call(client, f"_func/echo{number}", [sent]) == expected
        assert call(client, f"_func/echoes{number}", {"v": sent}) == [{"v2": expected}]
        assert call(client, f"_proc/pass{number}", {"v": sent}) == {"v": expected}
        assert call(client, f"_proc/open{number}", [sent]) == [{"v": expected}]
        assert call(client, f"_func/echo{number}") is None
        assert call(client, f"_func/echoes{number}") == [{"v2": None}]
        assert call(client, f"_proc/pass{number}") == {"v": None}

    @pytest.mark.parametrize("depth", [100, 400, 900])
    def test_values_that_are_nested_deeply_end(self, client: Client, depth: int) -> None:
        deep: Any = 1
        for _ in range(depth):
            deep = [deep]
        for number in (17, 18, 20, 23):
            for path in (f"_func/echo{number}", f"_proc/pass{number}"):
                reply = client.post(f"/code/{path}", json={"params": {"v": deep}})
                assert reply.status_code in (200, 400), reply.text

    def test_values_that_no_type_takes_are_named_or_refused(self, client: Client) -> None:
        for path, value in (("over", [1, 2**40]), ("echo3", [70000]), ("echo24", ["glad"]), ("echo26", ["bad"])):
            call(client, f"_func/{path}", value, status=400)
        assert "'v'" in call(client, "_func/echo11", ["2026-02-30"], status=400)["error"]["message"]


class TestChoosing:
    def test_overloads_are_chosen_by_name_number_and_kind(self, client: Client) -> None:
        assert call(client, "_func/over", [1]) == "integer"
        assert call(client, "_func/over", ["x"]) == "text"
        assert call(client, "_func/over", ["2026-01-02"]) == "text"
        assert call(client, "_func/over", [1, 2]) == "two"
        assert call(client, "_func/over", {"c": "2026-01-02"}) == "date"
        assert call(client, "_func/over", {"b": 1, "a": 2}) == "two"
        assert call(client, "_func/over", a="1", b="2") == "two"
        assert call(client, "_func/over", a="1") == "integer"
        assert call(client, "_func/over(x)") == "text"
        assert call(client, "_func/over(1,2)") == "two"
        assert call(client, "_func/other.over(1)") == "other"

    def test_none_or_several_that_fit_are_a_400(self, client: Client) -> None:
        assert "No function 'over'" in call(client, "_func/over", [1, 2, 3], status=400)["error"]["message"]
        assert "No function 'over'" in call(client, "_func/over", {"z": 1}, status=400)["error"]["message"]
        assert "Several functions 'alike'" in call(client, "_func/alike", [1], status=400)["error"]["message"]
        # PostgreSQL itself cannot tell these two apart.
        assert "several" in call(client, "_func/default_or_not", [1], status=400)["error"]["message"]
        assert call(client, "_func/default_or_not", [1, 2]) == 1
        described = client.get("/code/_func", params={"ids": "over"}).json()["resource"]
        assert [len(one["params"]) for one in described] == [1, 1, 2, 1]

    def test_defaults_count_wherever_nothing_is_sent(self, client: Client) -> None:
        assert call(client, "_func/defaults") == "1|b,c|3"
        assert call(client, "_func/defaults", {"c": 0}) == "1|b,c|0"
        assert call(client, "_func/defaults", {"b": ""}) == "1||3"
        assert call(client, "_func/defaults", {"b": None}) == "1|3"
        assert call(client, "_func/defaults(,'x,y')") == "1|x,y|3"
        assert call(client, "_proc/defaulted") == {"b": 3}
        assert call(client, "_proc/defaulted", b="5") == {"b": 6}
        described = client.get("/code/_func", params={"ids": "defaults"}).json()["resource"][0]
        assert [one["default"] for one in described["params"]] == ["1", "'b,c'", "3"]

    def test_parameters_without_names_go_by_place(self, client: Client) -> None:
        assert call(client, "_func/unnamed", [1, "y"]) == "1y"
        assert call(client, "_func/unnamed(1,)") is None
        message = call(client, "_func/unnamed", ["z"], status=400)["error"]["message"]
        assert message == "Parameter '1' must be a valid integer."

    def test_variadic_parameters_take_a_list(self, client: Client) -> None:
        assert call(client, "_func/many", ["x", [1, 2, 3]]) == "x3"
        assert call(client, "_func/many", ["x"]) == "x0"

    def test_polymorphic_parameters_are_texts(self, client: Client) -> None:
        assert call(client, "_func/anything", ["x"]) == "x"
        assert call(client, "_func/anything", [5]) == "5"
        assert call(client, "_func/any_of", [["x", "y"]]) == "x"


class TestResults:
    def test_rows_records_and_nothing(self, client: Client) -> None:
        assert call(client, "_proc/keep_pair", ["(1,x)"]) == {"p": {"n": 1, "t": "x"}}
        assert call(client, "_func/numbers(2)") == [{"numbers": 1}, {"numbers": 2}]
        assert call(client, "_func/numbers(0)") == []
        assert call(client, "_func/pair_of(3)") == {"n": 3, "t": "x"}
        assert call(client, "_func/no_pair") == {"n": None, "t": None}
        assert call(client, "_func/pairs(1)") == [{"n": 1, "t": "x"}]
        assert call(client, "_func/split(5.25)") == {"whole": 5, "rest": 0.25, "column3": 9}
        assert call(client, "_func/split(5.25)", returns="string") == "5"
        assert call(client, "_func/one_out") == 4
        assert call(client, "_func/half_null") == [{"a": None, "b": None}]
        assert call(client, "_func/nothing") is None
        assert [one["word"] for one in call(client, "_func/rows_of_kept")] == ["by nothing"]

    def test_functions_that_do_not_say_what_they_answer_are_a_400(self, client: Client) -> None:
        for name in ("shapeless", "shapeless_one"):
            call(client, f"_func/{name}", status=400)

    def test_cursors_are_result_sets(self, client: Client) -> None:
        assert call(client, "_func/cursor_of") == [{"n": 1, "r": 0.1, "j": {"a": 1.5}, "d": "2026-01-02"}]
        assert call(client, "_func/cursors") == [[{"n": 1}], [{"n": 2}]]
        assert call(client, "_proc/both_ways", {"c": "mine"}) == {"resource": [], "total": 0}
        assert call(client, "_proc/no_cursor") == []

    def test_a_procedure_may_commit(self, client: Client, config: dict[str, Any]) -> None:
        assert call(client, "_proc/steps") == []
        assert execute(config, "select word from kept where word like 'step%'") == [("step one",)]


class TestFailures:
    def test_what_the_author_says_is_told(self, client: Client) -> None:
        for code, status in (("P0001", 400), ("23505", 409), ("U0001", 400), ("42P01", 400), ("42501", 403)):
            error = call(client, "_func/told", {"code": code, "words": "Not so."}, status=status)["error"]
            assert error["message"] == "Not so.", code
            assert error["context"]["sqlstate"] == code
        assert len(call(client, "_func/told", ["P0001", "x" * 5000], status=400)["error"]["message"]) == 1000

    def test_a_trigger_may_refuse_a_record_in_words(self, client: Client) -> None:
        reply = client.post("/code/_table/kept", json={"word": "unwanted"})
        assert (reply.status_code, reply.json()["error"]["message"]) == (400, "No unwanted here.")

    def test_what_fails_inside_tells_nothing_of_it(self, client: Client) -> None:
        error = call(client, "_func/broken", status=500)["error"]
        assert error["message"] == "The function failed in the database. The log has the cause."
        call(client, "_func/divided(0)", status=400)

    def test_routines_may_change_outside(self, client: Client, config: dict[str, Any]) -> None:
        call(client, "_func/fresh", status=404)
        execute(config, "create function fresh(a integer) returns integer language sql as 'select a'")
        assert call(client, "_func/fresh(1)") == 1
        execute(
            config,
            "drop function fresh",
            "create function fresh(a integer, b text default 'x') returns text language sql as $$ select a || b $$",
        )
        assert call(client, "_func/fresh(1)") == "1x"
        execute(config, "drop function fresh")
        call(client, "_func/fresh(1)", status=404)
        client.get("/code/_proc")
        execute(config, "create procedure fresh() language sql as ''")
        assert "fresh" not in client.get("/code/_proc", params={"as_list": "true"}).json()["resource"]
        names = client.get("/code/_proc", params={"as_list": "true", "refresh": "true"}).json()["resource"]
        assert "fresh" in names
        assert call(client, "_proc/fresh") == []


class TestNames:
    def test_lists_have_only_what_can_be_called(self, client: Client) -> None:
        names = client.get("/code/_func", params={"as_list": "true"}).json()["resource"]
        assert {"over", "other.over", "other.there", "told"} <= set(names)
        assert not {"watched", "longest", "raw", "steps"} & set(names)
        assert len(names) == len(set(names))
        there = client.get("/code/_func", params={"schema": "other", "fields": "*"}).json()["resource"]
        assert [(one["name"], one["label"]) for one in there] == [
            ("other.over", "Other Over"),
            ("other.there", "Other There"),
        ]
        described = client.get("/code/_func", params={"ids": "other.there", "fields": "name,description"}).json()
        assert described == {"resource": [{"name": "other.there", "description": "It is there."}]}

    def test_other_schemas(self, client: Client, gateway: Gateway, config: dict[str, Any]) -> None:
        assert call(client, "_func/other.there") == 5
        assert call(client, "_func/OTHER.There(6)") == 6
        gateway.create_service("code_other", "pgsql", {**config, "schema": "other"})
        assert client.get("/code_other/_func", params={"as_list": "true"}).json()["resource"] == ["over", "there"]
        assert client.get("/code_other/_func/there(7)").json() == 7
        assert client.get("/code_other/_func/told").status_code == 404

    @pytest.mark.parametrize(("number", "name"), list(enumerate(HOSTILE)))
    def test_names_that_look_like_sql_are_names(self, client: Client, number: int, name: str) -> None:
        path = quote(name, safe="")
        row = [{f"{name}z": number, "s": 3}]
        assert call(client, f"_func/{path}", {name: 1}) == row
        assert call(client, f"_func/{path}", **{name: "1"}) == row
        assert call(client, f"_func/{path}(1)") == row
        assert call(client, f"_proc/{path}", {name.upper(): "AAH/"}) == {name: "AAH/"}
        assert call(client, f"_proc/{path}('AAH/')") == {name: "AAH/"}
