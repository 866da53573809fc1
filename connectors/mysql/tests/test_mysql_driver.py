"""The driver by itself: what it does with connections, sessions and statements that somebody left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pymysql
import pytest
from asyncmy.errors import MySQLError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from trunkline_mysql.connection import Connection, NotConnected, Settings
from trunkline_mysql.dialect import PreparedMysql
from trunkline_mysql.driver import MysqlDriver

pytestmark = [pytest.mark.live, pytest.mark.anyio]

HOSTILE = [
    "'", "\\", "\\'", "'' or 1=1 -- ", "%s", "?", "%(a)s", '"', "`", "\0", "\n\r\x1a", "☃💩", "縗", "\xbf'",
    "; drop table t",
    "?'?", "/*", "\u0000'", "表'", "ソ'", "\\\\",
]  # fmt: skip


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def database(mariadb_server: Any) -> dict[str, Any]:
    """A database with a table."""
    found: dict[str, Any] = mariadb_server.new_config()
    with cursor_of(found) as cursor:
        cursor.execute("create table t (id int auto_increment primary key, a text, n int unique)")
    return found


@contextlib.contextmanager
def cursor_of(config: dict[str, Any]) -> Any:
    names = {"user": "username", "host": "host", "port": "port", "database": "database", "password": "password"}
    connection = pymysql.connect(**{mine: config[theirs] for mine, theirs in names.items()}, autocommit=True)
    with contextlib.closing(connection), connection.cursor() as cursor:
        yield cursor


@contextlib.asynccontextmanager
async def driving(
    config: dict[str, Any], *, size: int = 2, patience: float = 0.3, read_timeout: float = 20.0,
    connect_timeout: float = 5.0,
    session: tuple[tuple[str, list[Any]], ...] = (), statements: tuple[str, ...] = (), **connect: Any,
) -> AsyncIterator[MysqlDriver]:  # fmt: skip
    login = {
        "host": config["host"], "port": config["port"], "user": config["username"],
        "password": config["password"].encode(), "database": config["database"], "charset": "utf8mb4", **connect,
    }  # fmt: skip
    driver = MysqlDriver(
        PreparedMysql(), Settings(login, session, statements, connect_timeout), size, patience, read_timeout
    )
    try:
        yield driver
    finally:
        await driver.close()


def running(config: dict[str, Any], text: str) -> int:
    with cursor_of(config) as cursor:
        query = "select 1 from information_schema.processlist where info like %s and id <> connection_id()"
        return int(cursor.execute(query, (f"%{text}%",)))


def sessions(config: dict[str, Any]) -> int:
    with cursor_of(config) as cursor:
        return int(
            cursor.execute(
                "select 1 from information_schema.processlist where id <> connection_id() and db = database()"
            )
        )


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def soon(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, condition)


async def ids(driver: MysqlDriver) -> int:
    ((number,),) = await driver.fetch("select connection_id()", ())
    return int(number)


@pytest.mark.parametrize("charset", ["utf8mb4", "gbk", "cp932", "latin1", "big5"])
@pytest.mark.parametrize("mode", ["", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT"])
async def test_values_are_never_part_of_a_statement(database: dict[str, Any], charset: str, mode: str) -> None:
    """Checklist 1: whatever the character set and the modes are, what was sent is what is stored and found."""
    session = (("set session sql_mode = ?", [mode]),)
    async with driving(database, charset=charset, session=session) as driver:
        for value in HOSTILE:
            try:
                value.encode(charset.removesuffix("mb4"))
            except UnicodeEncodeError:
                with pytest.raises(UnicodeEncodeError):
                    await driver.run("insert into t (a) values (?)", [value])
                continue
            made = await driver.run("insert into t (a) values (?)", [value])
            (row,) = await driver.fetch("select a, ?, id from t where id = ? and a = ?", [value, made.last_id, value])
            assert tuple(row) == (value, value, made.last_id)
        async with driver.transaction() as bound:
            (row,) = await bound.fetch("select ?, 1", ["' or '1"])
            assert row[0] == "' or '1"


async def test_the_server_sees_values_beside_the_text_only(database: dict[str, Any], mariadb_server: Any) -> None:
    """What the server logs as prepared has places, and what it is asked in plain text has no values."""
    root = pymysql.connect(unix_socket=str(mariadb_server.folder / "socket"), user="root", autocommit=True)
    with contextlib.closing(root), root.cursor() as cursor:
        cursor.execute("set global log_output = 'TABLE'")
        cursor.execute("set global general_log = 1")
        try:
            async with driving(database) as driver:
                await driver.run("insert into t (a) values (?)", ["needle"])
                with pytest.raises(MySQLError):
                    await driver.fetch("select ? from no_such_table", ["needle"])
                with pytest.raises(MySQLError):
                    await driver.fetch("selec ?", ["needle"])
        finally:
            cursor.execute("set global general_log = 0")
        cursor.execute("select command_type from mysql.general_log where argument like '%needle%'")
        assert {row[0] for row in cursor.fetchall()} - {"Execute"} <= {"Query"}
        cursor.execute(
            "select argument from mysql.general_log where command_type in ('Query', 'Prepare') and argument like "
            "'%needle%' and argument not like '%general_log%'"
        )
        assert cursor.fetchall() == ()


async def test_two_statements_in_one_text_are_refused(database: dict[str, Any]) -> None:
    async with driving(database) as driver:
        with pytest.raises(MySQLError):
            await driver.fetch("select 1; select 2", ())
        with pytest.raises(MySQLError):
            await driver.define(["create table two (a int); drop table two"])
        async with driver.connected() as connection:
            with pytest.raises(MySQLError):
                await connection.say("select 1; select 2")
        with cursor_of(database) as cursor:
            assert cursor.execute("show tables like 'two'") == 0


async def test_who_leaves_ends_the_statement_and_nobody_reads_its_reply(database: dict[str, Any]) -> None:
    """Checklist 32."""
    async with driving(database, size=1) as driver:
        first = await ids(driver)
        task = asyncio.create_task(driver.fetch("select sleep(30), 'left_one'", ()))
        await soon(lambda: running(database, "left_one") == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await soon(lambda: running(database, "left_one") == 0)
        assert await driver.fetch("select 7", ()) == ((7,),)
        assert await ids(driver) != first
        driver.read_timeout = 0.3
        with pytest.raises(TimeoutError):
            await driver.fetch("select sleep(30), 'left_two'", ())
        await soon(lambda: running(database, "left_two") == 0)
        driver.read_timeout = 20.0
        assert await driver.fetch("select 8", ()) == ((8,),)


@pytest.mark.parametrize("delay", [0.0, 0.0001, 0.0003, 0.0006, 0.001, 0.002])
async def test_replies_belong_to_their_questions_whenever_somebody_leaves(
    database: dict[str, Any], delay: float
) -> None:
    """Checklist 33: cancelled at any moment, in any state."""
    async with driving(database, size=3, patience=10.0) as driver:

        async def ask(number: int) -> None:
            rows = await driver.fetch("select ?, repeat('x', 5000)", [number])
            assert rows[0][0] == number

        async def change(number: int) -> None:
            async with driver.transaction() as bound, bound.savepoint():
                rows = await bound.fetch("select ? + 0, n from t limit 1", [number])
                assert not rows or rows[0][0] == number
                assert (await bound.run("update t set a = ? where id = -1", [str(number)])).count == 0

        for number in range(60):
            tasks = [asyncio.create_task(one(number * 10 + place)) for place in range(6) for one in (ask, change)]
            await asyncio.sleep(delay)
            for task in tasks[::2]:
                task.cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(one is None or isinstance(one, asyncio.CancelledError) for one in found), found
    await soon(lambda: sessions(database) == 0)


async def test_who_leaves_a_transaction_leaves_nothing(database: dict[str, Any]) -> None:
    async with driving(database, size=1) as driver:

        async def half() -> None:
            async with driver.transaction() as bound:
                await bound.run("insert into t (a) values (?)", ["half"])
                await asyncio.sleep(30)

        task = asyncio.create_task(half())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        rows = await driver.fetch("select count(*) from t where a = 'half'", ())
        assert rows == ((0,),)


async def test_transactions_and_savepoints_undo_what_is_theirs(database: dict[str, Any]) -> None:
    async with driving(database) as driver:

        async def broken() -> None:
            async with driver.transaction() as bound:
                await bound.run("insert into t (a) values (?)", ["undone"])
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await broken()
        async with driver.transaction() as bound:
            await bound.run("insert into t (a) values (?)", ["kept"])
            with contextlib.suppress(MySQLError):
                async with bound.savepoint():
                    await bound.run("insert into t (a, n) values (?, ?)", ["undone", 1])
                    await bound.run("insert into t (a, n) values (?, ?)", ["undone", 1])
        rows = await driver.fetch("select a from t where a in ('kept', 'undone')", ())
        assert [row[0] for row in rows] == ["kept"]
        with pytest.raises(MySQLError):
            await driver.run_each("insert into t (a, n) values (?, ?)", [["each", 5], ["each", 5]])
        assert await driver.fetch("select 1 from t where a = 'each'", ()) == ()
        done = await driver.run_each("insert into t (a) values (?)", [["each"], ["each"]])
        assert done[1].last_id == done[0].last_id + 1
        returned = await driver.run("insert into t (a) values (?) returning a, n", ["back"])
        assert [tuple(row) for row in returned.rows] == [("back", None)]


async def test_rows_are_counted_as_found(database: dict[str, Any]) -> None:
    async with driving(database) as driver:
        made = await driver.run("insert into t (a) values (?)", ["same"])
        done = await driver.run("update t set a = ? where id = ?", ["same", made.last_id])
        assert done.count == 1


async def test_after_a_deadlock_nothing_is_written_and_nothing_is_said_to_be(database: dict[str, Any]) -> None:
    """The server rolls the whole transaction back, and would keep what came after."""
    async with driving(database, size=3) as driver:
        one = (await driver.run("insert into t (a) values (?)", ["one"])).last_id
        two = (await driver.run("insert into t (a) values (?)", ["two"])).last_id
        update = "update t set a = concat(a, ?) where id = ?"
        ready = asyncio.Barrier(2)

        async def work(first: int, second: int, name: str) -> None:
            async with driver.transaction() as bound:
                await bound.run(update, [name, first])
                await ready.wait()
                with contextlib.suppress(MySQLError):
                    async with bound.savepoint():
                        await bound.run(update, [name, second])
                with contextlib.suppress(MySQLError):
                    await bound.run("insert into t (a) values (?)", [f"after {name}"])

        found = await asyncio.gather(work(one, two, "x"), work(two, one, "y"), return_exceptions=True)
        lost = [error for error in found if error is not None]
        assert [error.args[0] for error in lost] == [1213]
        rows = await driver.fetch("select a from t where id in (?, ?) or a like 'after%' order by id", [one, two])
        winner = "x" if found[0] is None else "y"
        assert [row[0] for row in rows] == [f"one{winner}", f"two{winner}", f"after {winner}"]


async def test_nobody_waits_for_ever(database: dict[str, Any]) -> None:
    async with driving(database, size=1, patience=0.2) as driver:
        async with driver.transaction() as bound:
            await bound.fetch("select 1", ())
            with pytest.raises(PoolTimeout):
                await driver.fetch("select 1", ())
        assert await driver.fetch("select 1", ()) == ((1,),)
        assert driver.dialect.is_mariadb
        assert driver.dialect.insert_returning


async def test_a_stream_brings_all_rows_a_few_at_a_time(database: dict[str, Any]) -> None:
    text = "select seq, ? as t, cast(? as decimal(10,2)) from seq_1_to_10000 where seq > ? limit ?"
    values = ["a'b\\%s?☃", Decimal("1.25"), 1000, 5000]
    async with driving(database, size=1) as driver:
        for size in (7, 1000, 100000):
            found = [list(part) async for part in driver.stream(text, values, size)]
            assert max(len(part) for part in found) == min(size, 5000)
            rows = [tuple(row) for part in found for row in part]
            assert len(rows) == 5000
            assert rows[-1] == (6000, "a'b\\%s?☃", Decimal("1.25"))
        assert [part async for part in driver.stream("select 1 from t where id = -1", (), 5)] == []
        with pytest.raises(MySQLError):
            assert [part async for part in driver.stream("select 1 from no_such", (), 5)]
        assert await driver.fetch("select 1", ()) == ((1,),)


async def test_a_stream_that_nobody_reads_waits_and_one_that_is_left_ends(database: dict[str, Any]) -> None:
    async with driving(database, size=1) as driver:
        parts = driver.stream("select repeat('x', 100000), 'left_stream' from seq_1_to_100000", (), 10)
        assert len(await anext(parts)) == 10
        await asyncio.sleep(0.3)
        (connection,) = [one for one in gc.get_objects() if isinstance(one, Connection) and one.is_running]
        assert len(connection._raw._proto.buffer) < 20_000_000
        assert running(database, "left_stream") == 1
        await parts.aclose()
        await soon(lambda: running(database, "left_stream") == 0)
        assert await driver.fetch("select 1", ()) == ((1,),)


async def test_a_connection_that_was_ended_elsewhere_is_replaced(database: dict[str, Any]) -> None:
    async with driving(database, size=1) as driver:
        first = await ids(driver)
        with cursor_of(database) as cursor:
            cursor.execute(f"kill {first}")
        await soon(lambda: sessions(database) == 0)
        await asyncio.sleep(0.05)
        assert await ids(driver) != first


async def test_no_connection_is_no_connection(database: dict[str, Any]) -> None:
    async with driving(database, port=1) as driver:
        with pytest.raises(MySQLError) as failed:
            await driver.fetch("select 1", ())
        assert failed.value.args[0] == 2003
    async with driving(database, charset="no_such") as driver:
        with pytest.raises(NotConnected):
            await driver.fetch("select 1", ())
    # Somebody who takes connections and says nothing.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with driving(database, port=silent.getsockname()[1], connect_timeout=0.2) as driver:
            with pytest.raises(NotConnected):
                await driver.fetch("select 1", ())


async def test_what_a_table_became_is_what_is_read(database: dict[str, Any]) -> None:
    """A statement stays prepared while its columns change under it."""
    async with driving(database, size=1) as driver:
        with cursor_of(database) as cursor:
            cursor.execute("create table turning (id int primary key, a int, b varchar(9))")
            cursor.execute("insert into turning values (1, 5, 'x')")
            for change, expected in (
                ("modify a int", 5), ("modify a bigint", 5), ("modify a varchar(9)", "5"), ("modify a tinyint", 5),
                ("modify a double", 5.0),
            ):  # fmt: skip
                cursor.execute(f"alter table turning {change}")
                for _ in range(2):
                    rows = await driver.fetch("select id, a, b from turning where id = ?", [1])
                    assert [tuple(row) for row in rows] == [(1, expected, "x")]


async def test_statements_are_forgotten_before_the_server_has_too_many(database: dict[str, Any]) -> None:
    async with driving(database, size=1) as driver:
        for number in range(400):
            assert await driver.fetch(f"select {number}, ?", [number]) == ((number, number),)
        async with driver.connected() as connection:
            ((_, count),) = await connection.rows("show session status like 'com_stmt_close'")
            assert int(count) > 250


async def test_sessions_are_set_up_as_the_operator_says(database: dict[str, Any]) -> None:
    session = (("set session time_zone = ?", ["+05:00"]), ("set session sql_mode = ?", ["ANSI_QUOTES"]))
    async with driving(database, session=session, statements=("set @mine = 'here'", "select 1")) as driver:
        rows = await driver.fetch("select @mine, @@time_zone, @@sql_mode", ())
        assert rows == (("here", "+05:00", "ANSI_QUOTES"),)


async def test_a_socket_leads_to_the_server_as_well(database: dict[str, Any], mariadb_server: Any) -> None:
    path = str(mariadb_server.folder / "socket")
    async with driving(database, unix_socket=path, user="root", password=b"", port=1) as driver:
        assert await driver.fetch("select 1", ()) == ((1,),)
