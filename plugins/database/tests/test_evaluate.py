"""Conditions, orders and groups judged here are what SQLite makes of them; and what they may cost has an end."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects.sqlite import dialect

from trunkline.errors import BadRequest
from trunkline_database.documents.evaluate import Evaluator
from trunkline_database.documents.splitting import split, throughout
from trunkline_database.filters import And, Comparison, Literal, Node, Not, Or
from trunkline_database.model import Column, Table, TableName
from trunkline_database.plan import Aggregate, Order, Select
from trunkline_database.sql.compile import Compiler
from trunkline_database.sql.sqlite import SqliteDialect

ID, N, S = (
    Column("id", "id", "INTEGER", is_primary_key=True),
    Column("n", "integer", "INT"),
    Column("s", "string", "TEXT"),
)
TABLE = Table(TableName("t"), (ID, N, S))
COMPILER = Compiler(SqliteDialect(dialect()))
WORDS = st.sampled_from(["", "a", "B", "ab", "aB%", "_", "%b", "a_c", "A", "x.y", "(", "aab"])
NUMBERS = st.integers(-2, 3)
ROWS = st.lists(st.tuples(st.none() | NUMBERS, st.none() | WORDS), max_size=8)


def literal(value: Any) -> Literal:
    return Literal(value, quoted=True)


def comparisons() -> st.SearchStrategy[Comparison]:
    def of(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Comparison]:
        scalars = (values | st.none()).map(literal)
        field, lists = st.just(name), st.lists(scalars, min_size=1, max_size=3).map(tuple)
        return st.one_of(
            st.builds(Comparison, field, st.sampled_from(["=", "!=", "<", ">", "<=", ">="]), scalars),
            st.builds(Comparison, field, st.sampled_from(["is null", "is not null"])),
            st.builds(Comparison, field, st.sampled_from(["in", "not in"]), lists),
            st.builds(Comparison, field, st.sampled_from(["between", "not between"]), st.tuples(scalars, scalars)),
        )

    words = ["like", "contains", "starts with", "ends with"]
    likes = st.sampled_from([*words, *(f"not {word}" for word in words)])
    return of("n", NUMBERS) | of("s", WORDS) | st.builds(Comparison, st.just("s"), likes, WORDS.map(literal))


TREES: st.SearchStrategy[Node] = st.recursive(
    comparisons(),
    lambda inner: (
        st.builds(Not, inner)
        | st.lists(inner, min_size=2, max_size=3).map(lambda items: And(tuple(items)))
        | st.lists(inner, min_size=2, max_size=3).map(lambda items: Or(tuple(items)))
    ),
    max_leaves=6,
)
ORDERS = st.lists(
    st.builds(Order, st.sampled_from([N, S]), st.booleans(), st.sampled_from([None, "first", "last"])), max_size=2
).map(lambda some: (*some, Order(ID)))


def stored(rows: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
    return [{"id": index, "n": n, "s": s} for index, (n, s) in enumerate(rows)]


def by_sqlite(plan: Select, rows: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
    statement, values = COMPILER.select(plan)
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("create table t (id integer primary key, n int, s text)")
        connection.executemany("insert into t values (:id, :n, :s)", stored(rows))
        return statement.rows(connection.execute(statement.text, statement.bound(values)).fetchall())
    finally:
        connection.close()


@settings(max_examples=400, deadline=None)
@given(ROWS, TREES, ORDERS, st.none() | st.integers(1, 4), st.integers(0, 2))
def test_what_is_judged_here_is_what_sqlite_answers(
    rows: list[tuple[Any, Any]], tree: Node, order: tuple[Order, ...], limit: int | None, offset: int
) -> None:
    plan = Select(TABLE, (ID, N, S), tree, order, limit=limit, offset=offset if limit is not None else 0)
    assert Evaluator().select(plan, stored(rows)) == by_sqlite(plan, rows)


@settings(max_examples=150, deadline=None)
@given(ROWS, TREES)
def test_groups_are_what_sqlite_answers(rows: list[tuple[Any, Any]], tree: Node) -> None:
    functions = tuple(Aggregate(name, N) for name in ("count", "sum", "min", "max", "avg"))
    for group in ((), (S,)):
        plan = Select(TABLE, (*group, Aggregate("count", None), *functions), tree, tuple(map(Order, group)), group)
        assert Evaluator().select(plan, stored(rows)) == by_sqlite(plan, rows)


@settings(max_examples=200, deadline=None)
@given(ROWS, TREES)
def test_what_is_split_holds_together_where_the_whole_does(rows: list[tuple[Any, Any]], tree: Node) -> None:
    evaluator = Evaluator()
    able = throughout(lambda one: one.field == "n", And)
    engine, rest = split(tree, able)
    assert engine is None or able(engine)
    for row in stored(rows):
        both = evaluator.matches(TABLE, engine, row) and evaluator.matches(TABLE, rest, row)
        assert both == evaluator.matches(TABLE, tree, row)


def test_no_more_is_examined_than_allowed() -> None:
    async def parts() -> AsyncIterator[list[dict[str, Any]]]:
        for _ in range(10):
            yield stored([(1, "a")] * 10)

    def run(plan: Select) -> Any:
        return asyncio.run(Evaluator(most=50).gather(plan, parts()))

    assert len(run(Select(TABLE, (ID,), limit=40))) == 40
    for plan in (Select(TABLE, (ID,)), Select(TABLE, (ID,), order=(Order(N),), limit=1)):
        with pytest.raises(BadRequest, match="more than 50 records"):
            run(plan)
