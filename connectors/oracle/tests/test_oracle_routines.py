"""Procedures and functions: what the catalogue's rows mean, the blocks that call them, and what comes back."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import oracledb
import pytest

from trunkline.errors import BadRequest, InternalError
from trunkline_database.routine import Routine, RoutineKind, RoutineName
from trunkline_database.store import StaleSchema
from trunkline_oracle import routine_catalogue, routines
from trunkline_oracle.dialect import OracleDialect
from trunkline_oracle.service import Oracle, OracleConfig

DIALECT = OracleDialect()
NAME = RoutineName("P", "SHOP")
PACKED = RoutineName("PKG.P", "SHOP", "PKG.P")


def argument(
    position: int, name: str | None, word: str, way: str = "IN", owner: str | None = None, own: str | None = None,
    default: str = "N",
) -> tuple[Any, ...]:  # fmt: skip
    return (position, name, way, word, owner, own, None, None, None, None, None, default)


def described(*rows: tuple[Any, ...], kind: RoutineKind = "procedure", pipelined: bool = False,
              name: RoutineName = NAME) -> Routine:  # fmt: skip
    return routine_catalogue.described(DIALECT, name, kind, pipelined, rows)


CALLS = {
    "nothing": (described(), {}, 'BEGIN "SHOP"."P"; END;', {}),
    "of a package": (described(argument(1, "N", "NUMBER"), name=PACKED), {1: 5},
                     'BEGIN "SHOP"."PKG"."P"("N" => :i1); END;', {"i1": 5}),
    "left out is NULL": (described(argument(1, "N", "NUMBER")), {}, 'BEGIN "SHOP"."P"("N" => :i1); END;', {"i1": None}),
    "left to its default": (
        described(argument(1, "A", "NUMBER", default="Y"), argument(2, "B", "VARCHAR2")), {2: "x"},
        'BEGIN "SHOP"."P"("B" => :i2); END;', {"i2": "x"},
    ),
    "in, out and both": (
        described(argument(1, "A", "NUMBER"), argument(2, "B", "VARCHAR2", "OUT"),
                  argument(3, "C", "NUMBER", "IN/OUT")),
        {1: 1, 3: 3}, 'BEGIN :o3 := :i3; "SHOP"."P"("A" => :i1, "B" => :o2, "C" => :o3); END;', {"i1": 1, "i3": 3},
    ),
    "moments": (
        described(argument(1, "A", "DATE"), argument(2, "B", "TIMESTAMP", "OUT"), argument(3, "C", "DATE", "IN/OUT")),
        {1: "2026-01-02", 3: "2026-01-03"},
        "DECLARE v2 TIMESTAMP(9); v3 DATE; BEGIN v3 := TO_DATE(:i3, 'YYYY-MM-DD HH24:MI:SS'); "
        "\"SHOP\".\"P\"(\"A\" => TO_DATE(:i1, 'YYYY-MM-DD HH24:MI:SS'), \"B\" => v2, \"C\" => v3); "
        ":o2 := TO_CHAR(v2, 'YYYY-MM-DD HH24:MI:SS.FF'); :o3 := TO_CHAR(v3, 'YYYY-MM-DD HH24:MI:SS'); END;",
        {"i1": "2026-01-02 00:00:00", "i3": "2026-01-03 00:00:00"},
    ),
    "a truth": (described(argument(1, "A", "PL/SQL BOOLEAN")), {1: True}, 'BEGIN "SHOP"."P"("A" => :i1); END;',
                {"i1": True}),
    "a function": (
        described(argument(0, None, "NUMBER", "OUT"), argument(1, "A", "NUMBER"), kind="function"), {1: 2},
        'BEGIN :result := "SHOP"."P"("A" => :i1); END;', {"i1": 2},
    ),
    "a function of a moment": (
        described(argument(0, None, "DATE", "OUT"), kind="function"), {},
        "BEGIN :result := TO_CHAR(\"SHOP\".\"P\", 'YYYY-MM-DD HH24:MI:SS'); END;", {},
    ),
    "a function of rows": (
        described(argument(0, None, "TABLE", "OUT", "SHOP", "T"), argument(1, "A", "NUMBER"), kind="function",
                  pipelined=True), {1: 2},
        'SELECT * FROM TABLE("SHOP"."P"("A" => :i1))', {"i1": 2},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("routine", "values", "text", "given"), CALLS.values(), ids=CALLS)
def test_blocks(routine: Routine, values: dict[int, Any], text: str, given: dict[str, Any]) -> None:
    made = routines.block(DIALECT, routine, values)
    assert (made.text, made.given) == (text, given)


def test_descriptions() -> None:
    routine = described(
        argument(0, None, "PL/SQL BOOLEAN", "OUT"), argument(1, "N", "NUMBER", default="Y"),
        argument(2, "D", "DATE", "IN/OUT"), argument(3, "L", "CLOB", "OUT"), kind="function",
    )  # fmt: skip
    shown = routine.describe(31)
    assert shown["return_type"] == "boolean"
    assert [(one["name"], one["param_type"], one["type"], one["db_type"]) for one in shown["params"]] == [
        ("N", "IN", "decimal", "NUMBER"), ("D", "INOUT", "date", "DATE"), ("L", "OUT", "text", "CLOB"),
    ]  # fmt: skip
    assert [one.optional for one in routine.parameters] == [True, False, False]


@pytest.mark.parametrize(
    "row", [argument(1, "A", "TABLE", "IN", "SHOP", "T"), argument(1, "A", "REF CURSOR"),
            argument(1, "A", "OBJECT", "OUT", "SHOP", "O")],
)  # fmt: skip
def test_what_nothing_carries_is_refused(row: tuple[Any, ...]) -> None:
    with pytest.raises(BadRequest, match="Parameter 'A' has a type that can not be passed"):
        routines.block(DIALECT, described(row), {1: "x"})


@pytest.fixture
def call(script: Any) -> Any:
    """What calls a routine through a store."""
    service = Oracle.__new__(Oracle)
    service.config = OracleConfig(host="h", database="d")

    async def made(routine: Routine, values: dict[int, Any]) -> Any:
        store = service.open_store()
        try:
            return await store.call(routine, values)
        finally:
            await store.close()

    return made


@pytest.mark.anyio
async def test_values_come_back(script: Any, call: Any) -> None:
    """The known fault of the original, OUT texts cut to one character, is one of sizes (dreamfactory issue 386)."""
    script.returned = [["w2"], [3], ["2026-01-02 00:00:00"]]
    routine = described(
        argument(1, "A", "VARCHAR2", "OUT"), argument(2, "B", "NUMBER", "IN/OUT"), argument(3, "C", "DATE", "OUT")
    )
    outcome = await call(routine, {2: 2})
    assert outcome.out == {"A": "w2", "B": 3, "C": "2026-01-02"}
    assert [one.asked[:2] for one in script.variables] == [
        (oracledb.DB_TYPE_VARCHAR, 32767), (Decimal, 0), (oracledb.DB_TYPE_VARCHAR, 32767),
    ]  # fmt: skip
    assert script.said[-3:] == ["BEGIN DBMS_SESSION.RESET_PACKAGE; END;", "commit", "close"]


@pytest.mark.anyio
async def test_cursors_are_result_sets(script: Any, call: Any) -> None:
    moment = dt.datetime(2026, 1, 2, 3, 4, 5)
    script.returned = [[script.cursor([("Dune", moment)], ("TITLE", "MADE"))], [2], [None]]
    script.implicit = [script.cursor([(Decimal("1.50"),)], ("PRICE",))]
    routine = described(
        argument(1, "R", "REF CURSOR", "OUT"), argument(2, "N", "NUMBER", "OUT"), argument(3, "E", "REF CURSOR", "OUT")
    )
    outcome = await call(routine, {})
    assert outcome.sets == [[{"TITLE": "Dune", "MADE": "2026-01-02 03:04:05"}], [{"PRICE": Decimal("1.50")}]]
    assert outcome.out == {"N": 2}


@pytest.mark.anyio
async def test_a_function_of_a_cursor_answers_rows(script: Any, call: Any) -> None:
    script.returned = [[script.cursor([(1,)], ("A",))]]
    routine = described(argument(0, None, "REF CURSOR", "OUT"), kind="function")
    assert routine.returns_rows
    assert (await call(routine, {})).sets == [[{"A": 1}]]


@pytest.mark.anyio
async def test_a_pipelined_function_answers_rows(script: Any, call: Any) -> None:
    script.answer("FROM TABLE", [(1,), (2,)], ("A",))
    routine = described(argument(0, None, "TABLE", "OUT", "SHOP", "T"), kind="function", pipelined=True)
    assert (await call(routine, {})).sets == [[{"A": 1}, {"A": 2}]]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("code", "message", "kind", "said"),
    [
        (20001, "ORA-20001: No such luck.\nORA-06512: at line 1", BadRequest, "No such luck."),
        (6550, "ORA-06550: line 1:\nPLS-00306: wrong number of arguments in call to 'P'", StaleSchema, "Try again"),
        (942, "ORA-00942: no such table\nORA-06512: at \"SHOP.P\", line 3", InternalError, "The log has"),
    ],
)  # fmt: skip
async def test_failures(script: Any, fail: Any, call: Any, code: int, message: str, kind: type, said: str) -> None:
    script.answer('"P"', fail(message, code))
    with pytest.raises(kind) as caught:
        await call(described(), {})
    assert said in str(caught.value)
    assert "ORA" not in str(caught.value)
    assert "rollback" in script.said
    assert "commit" not in script.said
    assert "BEGIN DBMS_SESSION.RESET_PACKAGE; END;" in script.said


@pytest.mark.anyio
async def test_long_values_become_temporary_ones(script: Any, call: Any) -> None:
    await call(described(argument(1, "L", "CLOB"), argument(2, "B", "BLOB")), {1: "x" * 40000, 2: b"short"})
    script.connections[0].createlob.assert_awaited_once_with(oracledb.DB_TYPE_CLOB, "x" * 40000)
    assert script.values[1]["i2"] == b"short"


@pytest.mark.anyio
async def test_packages_are_searched(script: Any) -> None:
    script.answer("FROM all_users u WHERE u.username = NVL", [("SHOP",)])
    script.answer("SELECT DISTINCT p.owner", [("HR", "RAISE"), ("SHOP", "P"), ("SHOP", "PKG.P")])
    script.answer("p.pipelined", [(3, "NO"), (4, "NO")])
    script.answer("FROM all_arguments a WHERE a.owner = :owner", [(4, *argument(1, "N", "NUMBER"))])
    service = Oracle.__new__(Oracle)
    service.config = OracleConfig(host="h", database="d")
    store = service.open_store()
    names = await store.routines("procedure")
    assert [one.key for one in names] == ["HR.RAISE", "P", "PKG.P"]
    found = await store.describe_routine(names[2], "procedure")
    assert [[one.name for one in routine.parameters] for routine in found] == [[], ["N"]]
    assert script.values[-2] == {"owner": "SHOP", "holder": "PKG", "name": "P", "kind": "procedure"}
    assert script.values[-1] == {"owner": "SHOP", "name": "P", "pack": "PKG"}
    await store.close()
