"""What the driver does with sessions and statements, on a stand-in with the methods of the library's own classes."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import oracledb
import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout

from trunkline_oracle.driver import NotConnected, OracleDriver, Settings, reads, writes
from trunkline_oracle.kinds import Double, FixedText, NationalText, Out, Single
from trunkline_oracle.rendering import OracleRendering
from trunkline_oracle.values import whole

pytestmark = pytest.mark.anyio


def driving(*, size: int = 2, patience: float = 0.1, statements: tuple[str, ...] = ()) -> OracleDriver:
    settings = Settings({"user": "shop", "sid": "XE"}, statements, size, patience, 0.2, 60.0)
    return OracleDriver(OracleRendering(), settings)


async def test_a_session_is_told_forms_and_the_operators_statements(script: Any) -> None:
    driver = driving(statements=("ALTER SESSION SET TIME_ZONE = 'UTC'",))
    script.answer("SELECT 1", [(1,)])
    assert await driver.fetch("SELECT 1 FROM dual", {}) == [(1,)]
    assert script.told == [{"user": "shop", "sid": "XE"}]
    first, second, third = script.said
    assert first.startswith("ALTER SESSION SET NLS_DATE_FORMAT = 'YYYY-MM-DD HH24:MI:SS'")
    assert (second, third) == ("ALTER SESSION SET TIME_ZONE = 'UTC'", "SELECT 1 FROM dual")
    (connection,) = script.connections
    assert (connection.call_timeout, connection.outputtypehandler, connection.inputtypehandler) == (
        60000,
        reads,
        writes,
    )
    await driver.close()


async def test_sessions_are_used_again(script: Any) -> None:
    driver = driving()
    for _ in range(3):
        await driver.fetch("SELECT 1 FROM dual", {})
    assert len(script.connections) == 1
    await driver.close()
    assert script.said[-1] == "close"


async def test_a_change_commits_with_its_own_round_trip(script: Any) -> None:
    driver = driving()
    script.returned = [[[7]]]
    ran = await driver.run("INSERT ... INTO :ret_0", {"p0": 1, "ret_0": Out("NUMBER")})
    assert (ran.rows, ran.count) == ([(7,)], 1)
    assert script.connections[0].autocommit is True
    assert script.variables[0].asked == (Decimal, 0, {"arraysize": 1, "outconverter": whole})
    assert script.values[-1] == {"p0": 1, "ret_0": script.variables[0]}
    assert "commit" not in script.said
    await driver.close()


async def test_long_answers_are_read(script: Any) -> None:
    class Locator(oracledb.AsyncLOB):
        async def read(self, offset: int = 1, amount: int | None = None) -> str:
            return "long"

        def __del__(self) -> None:
            """Nothing is open."""

    driver = driving()
    script.returned = [[[Locator.__new__(Locator)]]]
    ran = await driver.run("INSERT", {"ret_0": Out("CLOB")})
    assert ran.rows == [("long",)]
    assert script.variables[0].asked == (oracledb.DB_TYPE_CLOB, 0, {"arraysize": 1})
    await driver.close()


async def test_many_rows_are_one_call_in_one_transaction(script: Any) -> None:
    driver = driving()
    script.returned = [[[7], [8]]]
    many = [{"p0": "a", "ret_0": Out("NUMBER")}, {"p0": "b", "ret_0": Out("NUMBER")}]
    done = await driver.run_each("INSERT", many)
    assert [(one.rows, one.count) for one in done] == [([(7,)], 1), ([(8,)], 1)]
    (variable,) = script.variables
    assert variable.asked[2]["arraysize"] == 2
    assert script.values[-1] == [{"p0": "a", "ret_0": variable}, {"p0": "b", "ret_0": variable}]
    assert script.said[-2:] == ["INSERT", "commit"]
    assert script.connections[0].autocommit is False
    await driver.close()


async def test_a_failure_among_many_rolls_all_back(script: Any, fail: Any) -> None:
    driver = driving()
    script.answer("INSERT", fail("ORA-00001: unique constraint (A.B) violated", 1))
    with pytest.raises(oracledb.IntegrityError):
        await driver.run_each("INSERT", [{}, {}])
    assert script.said[-2:] == ["INSERT", "rollback"]
    assert "commit" not in script.said
    await driver.close()


async def test_a_part_is_undone_alone(script: Any, fail: Any) -> None:
    driver = driving()
    script.answer("BAD", fail("ORA-01722: invalid number", 1722))
    async with driver.transaction() as bound:
        await bound.run("ONE", {})
        with pytest.raises(oracledb.DatabaseError):
            async with bound.savepoint():
                await bound.run("BAD", {})
        async with bound.savepoint():
            await bound.run("TWO", {})
    assert script.said[1:] == [
        "ONE", "SAVEPOINT part_1", "BAD", "ROLLBACK TO SAVEPOINT part_1", "SAVEPOINT part_2", "TWO", "commit",
    ]  # fmt: skip
    await driver.close()


async def test_a_lost_session_is_not_told_to_roll_back_and_not_used_again(script: Any, fail: Any) -> None:
    driver = driving()
    script.answer("GONE", fail("DPY-4011: the database or network closed the connection"))

    async def losing() -> None:
        async with driver.transaction() as bound:
            script.connections[0].is_healthy.return_value = False
            await bound.run("GONE", {})

    with pytest.raises(oracledb.DatabaseError):
        await losing()
    assert "rollback" not in script.said
    await driver.fetch("SELECT 1 FROM dual", {})
    assert len(script.connections) == 2
    await driver.close()


async def test_rows_are_read_a_few_at_a_time(script: Any) -> None:
    driver = driving()
    script.answer("SELECT", [(1,), (2,), (3,)])
    assert [part async for part in driver.stream("SELECT", {}, 2)] == [[(1,), (2,)], [(3,)]]
    parts = driver.stream("SELECT", {}, 2)
    assert await anext(parts) == [(1,), (2,)]
    await parts.aclose()
    assert len(script.connections) == 1
    await driver.close()


async def test_a_statement_that_was_left_is_stopped_and_its_session_thrown_away(script: Any) -> None:
    driver = driving(size=1)
    started = asyncio.Event()

    async def never() -> None:
        started.set()
        await asyncio.Event().wait()

    script.answer("SLOW", never)
    task = asyncio.ensure_future(driver.fetch("SLOW", {}))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await driver.fetch("SELECT 1 FROM dual", {})
    assert script.said[1:4] == ["SLOW", "cancel", "terminate"]
    assert len(script.connections) == 2
    await driver.close()


async def test_whoever_waits_too_long_for_a_session_is_told(script: Any) -> None:
    driver = driving(size=1)
    async with driver.connected():
        with pytest.raises(PoolTimeout):
            await driver.fetch("SELECT 1 FROM dual", {})
    await driver.fetch("SELECT 1 FROM dual", {})
    await driver.close()


async def test_connecting_has_an_end(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(**_: Any) -> Any:
        await asyncio.Event().wait()

    driver = driving(size=1)
    monkeypatch.setattr(oracledb, "connect_async", never)
    for _ in range(2):
        with pytest.raises(NotConnected):
            await driver.fetch("SELECT 1 FROM dual", {})
    monkeypatch.setattr(oracledb, "connect_async", script.connect)
    await driver.fetch("SELECT 1 FROM dual", {})
    await driver.close()


async def test_an_old_session_is_asked_first(script: Any, fail: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline_oracle.pool._IDLE_SECONDS", 0.0)
    driver = driving()
    await driver.fetch("ONE", {})
    await driver.fetch("TWO", {})
    assert script.said[1:] == ["ONE", "ping", "TWO"]
    assert script.connections[0].call_timeout == 60000
    script.connections[0].ping.side_effect = fail("DPY-4011: the database or network closed the connection")
    await driver.fetch("THREE", {})
    assert len(script.connections) == 2
    await driver.close()


async def test_definitions_commit_one_by_one(script: Any) -> None:
    driver = driving()
    await driver.define(["CREATE TABLE a (b DATE)", "CREATE INDEX c ON a (b)"])
    assert script.said[1:] == ["CREATE TABLE a (b DATE)", "CREATE INDEX c ON a (b)"]
    await driver.close()


class Column:
    """What the driver says of a column."""

    def __init__(self, kind: Any, precision: int | None = None, scale: int | None = None) -> None:
        self.type_code, self.precision, self.scale = kind, precision, scale


@pytest.mark.parametrize(
    ("column", "asked"),
    [
        (Column(oracledb.DB_TYPE_NUMBER), Decimal),
        (Column(oracledb.DB_TYPE_NUMBER, 0, -127), Decimal),
        (Column(oracledb.DB_TYPE_NUMBER, 8, 2), Decimal),
        (Column(oracledb.DB_TYPE_NUMBER, 10, 0), None),
        (Column(oracledb.DB_TYPE_CLOB), oracledb.DB_TYPE_LONG),
        (Column(oracledb.DB_TYPE_NCLOB), oracledb.DB_TYPE_LONG_NVARCHAR),
        (Column(oracledb.DB_TYPE_BLOB), oracledb.DB_TYPE_LONG_RAW),
        (Column(oracledb.DB_TYPE_VARCHAR), None),
    ],
)  # fmt: skip
async def test_columns_are_read_as(script: Any, column: Column, asked: Any) -> None:
    made = reads(script.cursor(), column)
    assert (made.asked[0] if made is not None else None) is asked


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        (FixedText("A1"), (oracledb.DB_TYPE_CHAR, 2000, {"arraysize": 3, "inconverter": str})),
        (NationalText("é"), (oracledb.DB_TYPE_NVARCHAR, 2000, {"arraysize": 3, "inconverter": str})),
        (NationalText("x" * 2001), None),
        (Single(1.5), (oracledb.DB_TYPE_BINARY_FLOAT, 0, {"arraysize": 3, "inconverter": float})),
        (Double(1e300), (oracledb.DB_TYPE_BINARY_DOUBLE, 0, {"arraysize": 3, "inconverter": float})),
        ("plain", None), (5, None), (None, None),
    ],
)  # fmt: skip
async def test_values_are_sent_as(script: Any, value: Any, asked: Any) -> None:
    made = writes(script.cursor(), value, 3)
    assert (made.asked if made is not None else None) == asked
