"""Procedures and functions as the store calls them (database-api 15)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pymysql
import pytest

from trunkline.errors import BadRequest, Conflict, Forbidden, GatewayTimeout, InternalError
from trunkline_database.routine import Outcome, Routine, RoutineKind
from trunkline_database.store import StaleSchema
from trunkline_mysql import Mysql, MysqlConfig
from trunkline_mysql.store import MysqlStore

pytestmark = [pytest.mark.live, pytest.mark.anyio]

MADE = """
create table log (id int auto_increment primary key, t varchar(40) unique);;
create procedure kinds(
  IN i int, INOUT n decimal(10,2), OUT d datetime, OUT t time(3), OUT flag tinyint(1), OUT raw varbinary(4),
  OUT doc json, INOUT words varchar(40), OUT big bigint unsigned, OUT half double)
begin
  set n = n + i; set d = '2024-01-02 03:04:05'; set t = '01:02:03.5'; set flag = i > 1; set raw = x'00ff';
  set doc = json_object('a', i + 0); set words = concat(words, '☃'); set big = 18446744073709551615; set half = i / 2;
end;;
create procedure sets(IN i int)
begin
  select i as n, cast('2024-01-02' as date) as d, x'00ff' as raw, cast(1.50 as decimal(5,2)) as m, null as nothing,
    timestamp'2024-01-02 03:04:05' as at;
  insert into log (t) values (concat('set ', i));
  select t from log where id = 0;
  select 'a%s' as `a?b`, true as yes;
end;;
create procedure nothing_taken() insert into log (t) values ('nothing');;
create procedure leaves(IN v varchar(40))
begin
  set @left_behind = v; set session sql_mode = 'ANSI_QUOTES'; set session time_zone = '+07:00';
  create temporary table if not exists left_table (a int); set session transaction read only;
end;;
create procedure commits(IN v varchar(40)) begin insert into log (t) values (v); commit; end;;
create procedure breaks() begin insert into log (t) values ('broken'); select * from no_such_table; end;;
create procedure twice(IN v varchar(40)) begin insert into log (t) values (v); insert into log (t) values (v); end;;
create procedure says(IN v varchar(40)) begin insert into log (t) values (v); signal sqlstate '45000'
  set message_text = 'Not today.'; end;;
create procedure sleeps() select sleep(30);;
create procedure `a``b'?%s`(IN `x``y` int, OUT `o"` int) set `o"` = `x``y` + 1;;
create function plus(a int, b int) returns bigint deterministic comment 'Adds.' return a + b;;
create function tomorrow(d date) returns date deterministic return d + interval 1 day;;
create function at_noon(d date) returns datetime(3) deterministic return timestamp(d, '12:00:00.5');;
create function bytes_of(t varchar(40)) returns varbinary(40) deterministic return t;;
create function is_one(n int) returns tinyint(1) deterministic return n = 1;;
create function object(t varchar(40)) returns json deterministic return json_object('t', t);;
create function kinds() returns int deterministic return 1;;
create function third() returns float deterministic return 1.1
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def config(mariadb_server: Any) -> dict[str, Any]:
    """A database with routines."""
    found: dict[str, Any] = mariadb_server.new_config()
    with cursor_of(found) as cursor:
        for statement in MADE.split(";;"):
            cursor.execute(statement)
    return found


@contextlib.contextmanager
def cursor_of(config: dict[str, Any]) -> Any:
    names = {"user": "username", "host": "host", "port": "port", "database": "database", "password": "password"}
    connection = pymysql.connect(**{mine: config[theirs] for mine, theirs in names.items()}, autocommit=True)
    with contextlib.closing(connection), connection.cursor() as cursor:
        yield cursor


@contextlib.asynccontextmanager
async def storing(config: dict[str, Any], **more: Any) -> AsyncIterator[MysqlStore]:
    # A store needs nothing of the server but the configuration.
    service = Mysql.__new__(Mysql)
    service.config = MysqlConfig.model_validate({**config, **more})
    store = service.open_store()
    try:
        yield store
    finally:
        await store.close()


async def routine(store: MysqlStore, name: str, kind: RoutineKind = "procedure") -> Routine:
    (found,) = [one for one in await store.routines(kind) if one.key == name]
    (described,) = await store.describe_routine(found, kind)
    return described


async def called(store: MysqlStore, name: str, *values: Any, kind: RoutineKind = "procedure") -> Outcome:
    return await store.call(await routine(store, name, kind), dict(enumerate(values, 1)))


def logged(config: dict[str, Any]) -> list[str]:
    with cursor_of(config) as cursor:
        cursor.execute("select t from log order by id")
        return [row[0] for row in cursor.fetchall()]


async def test_routines_are_listed_and_described(config: dict[str, Any]) -> None:
    async with storing(config) as store:
        procedures = {one.key for one in await store.routines("procedure")}
        functions = {one.key for one in await store.routines("function")}
        assert {"kinds", "sets", "a`b'?%s"} <= procedures
        assert {"kinds", "plus"} <= functions
        assert not functions & procedures - {"kinds"}
        described = await routine(store, "kinds")
        assert [(one.name, one.position, one.direction, one.column.type) for one in described.parameters] == [
            ("i", 1, "IN", "integer"), ("n", 2, "INOUT", "decimal"), ("d", 3, "OUT", "datetime"),
            ("t", 4, "OUT", "time"), ("flag", 5, "OUT", "boolean"), ("raw", 6, "OUT", "binary"),
            ("doc", 7, "OUT", "text"), ("words", 8, "INOUT", "string"), ("big", 9, "OUT", "bigint"),
            ("half", 10, "OUT", "double"),
        ]  # fmt: skip
        assert described.returns is None
        plus = await routine(store, "plus", "function")
        assert plus.returns is not None
        assert (plus.returns.type, plus.description) == ("bigint", "Adds.")
        gone = plus.identity
        assert await store.describe_routine(gone, "procedure") == []


async def test_values_go_in_and_come_out_by_parameters(config: dict[str, Any]) -> None:
    async with storing(config) as store:
        found = await store.call(await routine(store, "kinds"), {1: 3, 2: Decimal("1.25"), 8: "a'b\\"})
        assert found.sets == []
        assert found.out == {
            "n": Decimal("4.25"), "d": "2024-01-02 03:04:05", "t": "01:02:03.500", "flag": True, "raw": "AP8=",
            "doc": '{"a": 3}', "words": "a'b\\☃", "big": 2**64 - 1, "half": 1.5,
        }  # fmt: skip
        found = await store.call(await routine(store, "kinds"), {})
        assert (found.out["n"], found.out["words"], found.out["half"]) == (None, None, None)


async def test_every_result_set_comes(config: dict[str, Any]) -> None:
    async with storing(config) as store:
        found = await called(store, "sets", 7)
        assert found.sets == [
            [{"n": 7, "d": "2024-01-02", "raw": "AP8=", "m": Decimal("1.50"), "nothing": None,
              "at": "2024-01-02 03:04:05"}],
            [],
            [{"a?b": "a%s", "yes": 1}],
        ]  # fmt: skip
        assert "set 7" in logged(config)
        assert await called(store, "nothing_taken") == Outcome()
        assert "nothing" in logged(config)


async def test_functions_answer_a_value(config: dict[str, Any]) -> None:
    async with storing(config) as store:
        for name, given, expected in (
            ("plus", (2, 3), 5), ("plus", (2,), None), ("tomorrow", ("2024-02-28",), "2024-02-29"),
            ("at_noon", ("2024-02-28",), "2024-02-28 12:00:00.500"), ("bytes_of", ("ab",), "YWI="),
            ("is_one", (1,), True), ("is_one", (2,), False), ("kinds", (), 1), ("third", (), 1.1),
        ):  # fmt: skip
            assert (await called(store, name, *given, kind="function")).value == expected, name
        text = "x'); drop table log; -- \\"
        assert (await called(store, "object", text, kind="function")).value == '{"t": "x\'); drop table log; -- \\\\"}'


async def test_names_are_only_names(config: dict[str, Any]) -> None:
    async with storing(config, modes="ANSI_QUOTES,NO_BACKSLASH_ESCAPES") as store:
        assert (await called(store, "a`b'?%s", 4)).out == {'o"': 5}


async def test_nothing_of_the_session_is_left_behind(config: dict[str, Any]) -> None:
    async with storing(config, options={"pool_size": 1}) as store:
        before = await store._driver.fetch("select @@sql_mode, @@time_zone, @@tx_read_only", ())
        await called(store, "leaves", "secret")
        after = await store._driver.fetch("select @@sql_mode, @@time_zone, @@tx_read_only", ())
        assert after == before
        found = await store._driver.fetch("select @left_behind, @trunkline_1", ())
        assert [tuple(row) for row in found] == [(None, None)]
        with pytest.raises(Exception, match="left_table"):
            await store._driver.fetch("select * from left_table", ())


async def test_a_call_is_all_or_nothing(config: dict[str, Any]) -> None:
    async with storing(config) as store:
        with pytest.raises(InternalError):
            await called(store, "breaks")
        with pytest.raises(Conflict):
            await called(store, "twice", "double")
        with pytest.raises(BadRequest, match="Not today"):
            await called(store, "says", "said")
        assert not {"broken", "double", "said"} & set(logged(config))
        await called(store, "commits", "itself")
        assert "itself" in logged(config)


async def test_a_call_that_takes_too_long_ends(config: dict[str, Any]) -> None:
    async with storing(config, options={"statement_timeout": 0.3, "pool_size": 1}) as store:
        with pytest.raises(GatewayTimeout):
            await called(store, "sleeps")
        assert (await called(store, "plus", 1, 1, kind="function")).value == 2
        with cursor_of(config) as cursor:
            query = "select 1 from information_schema.processlist where info like %s and id <> connection_id()"
            assert cursor.execute(query, ("%sleep(30)%",)) == 0


async def test_a_routine_that_is_gone_or_denied_is_told_so(config: dict[str, Any], mariadb_server: Any) -> None:
    async with storing(config) as store:
        plus = await routine(store, "plus", "function")
        sets = await routine(store, "sets")
        with cursor_of(config) as cursor:
            cursor.execute("create function brief() returns int return 1")
        brief = await routine(store, "brief", "function")
        with cursor_of(config) as cursor:
            cursor.execute("drop function brief")
        with pytest.raises(StaleSchema):
            await store.call(brief, {})
    root = pymysql.connect(unix_socket=str(mariadb_server.folder / "socket"), user="root", autocommit=True)
    with contextlib.closing(root), root.cursor() as cursor:
        cursor.execute("create user if not exists reader@'127.0.0.1' identified by 'x'")
        cursor.execute(f"grant select on {config['database']}.* to reader@'127.0.0.1'")
    async with storing(config, username="reader", password="x") as store:
        assert await store.routines("procedure") == []
        for one in (plus, sets):
            with pytest.raises(Forbidden):
                await store.call(one, {1: 1, 2: 1})


async def test_those_of_other_schemas_have_them_in_their_names(config: dict[str, Any], mariadb_server: Any) -> None:
    root = pymysql.connect(unix_socket=str(mariadb_server.folder / "socket"), user="root", autocommit=True)
    with contextlib.closing(root), root.cursor() as cursor:
        cursor.execute("create database `apart.x`")
        cursor.execute("create function `apart.x`.far(a int) returns int deterministic return a")
    login = {"unix_socket": str(mariadb_server.folder / "socket"), "username": "root", "password": None}
    async with storing(config, **login) as store:
        assert (await called(store, "apart.x.far", 4, kind="function")).value == 4
        assert not [one.key for one in await store.routines("procedure") if one.schema in ("sys", "mysql")]
    async with storing(config, **login, schema="default") as store:
        assert "apart.x.far" not in {one.key for one in await store.routines("function")}
    async with storing(config, **login, schema="apart.x") as store:
        assert [one.key for one in await store.routines("function")] == ["far"]
