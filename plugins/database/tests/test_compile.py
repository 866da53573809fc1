"""Statements: values are never part of the text, and one text serves all values of a shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql.psycopg import dialect as PostgresDialect
from sqlalchemy.dialects.sqlite.pysqlite import dialect as PysqliteDialect

from trunkline_database.filters import Comparison, Literal, parse
from trunkline_database.model import Column, Table, TableName
from trunkline_database.plan import Aggregate, Order, Select, Via
from trunkline_database.resolve import resolved
from trunkline_database.sql.compile import Compiler
from trunkline_database.sql.dialect import Dialect
from trunkline_database.sql.postgresql import PostgresqlDialect
from trunkline_database.sql.sqlite import SqliteDialect
from trunkline_database.store import Arithmetic

ID = Column("id", "id", "integer", auto_increment=True, is_primary_key=True, allow_null=False)
NAME = Column('na"me', "string", "varchar", alias="name")
PAGES = Column("pages", "integer", "integer")
FLAG = Column("flag", "boolean", "boolean")
BOOK = Table(TableName("book"), (ID, NAME, PAGES, FLAG))
LINK = Table(TableName("link"), (Column("book_id", "integer", ""), Column("genre_id", "integer", "")))
# Long enough that no keyword or name of ours contains it by chance.
HOSTILE = st.text(min_size=1, max_size=20).map(lambda text: f"zq{text}zq")


@pytest.fixture
def compiler() -> Compiler:
    return Compiler(SqliteDialect(PysqliteDialect()))


def read(text: str, **more: Any) -> Select:
    return Select(BOOK, BOOK.columns, resolved(BOOK, parse(text)), **more)


@given(HOSTILE, st.sampled_from(["=", "!=", "like", "contains", "not starts with", "in", "between"]))
def test_no_value_becomes_text(text: str, op: str) -> None:
    """Checklist 2."""
    literal = Literal(text, quoted=True)
    value: Any = (literal, literal) if op in ("in", "between") else literal
    for dialect in (SqliteDialect(PysqliteDialect()), Dialect(PostgresDialect()), PostgresqlDialect()):
        statement, values = Compiler(dialect).select(Select(BOOK, BOOK.columns, Comparison(NAME.name, op, value)))  # type: ignore[arg-type]
        assert text not in statement.text
        assert any(text in str(one) for one in values)


def test_one_text_serves_all_values(compiler: Compiler) -> None:
    first, values = compiler.select(read("pages > 5 and (name = x or flag = 1)", limit=3))
    second, others = compiler.select(read("pages > 9 and (name = y or flag = 0)", limit=8))
    assert first is second
    assert (first.bound(values), first.bound(others)) == ([5, "x", True, 3, 0], [9, "y", False, 8, 0])


@pytest.mark.parametrize("text", ["pages >= 5", "pages > 5 or flag = 1", "not pages > 5", "name > 5", "pages in (5)"])
def test_other_shapes_are_other_texts(compiler: Compiler, text: str) -> None:
    assert compiler.select(read("pages > 5"))[0] is not compiler.select(read(text))[0]


def test_long_lists_share_few_texts(compiler: Compiler) -> None:
    texts = {compiler.select(read(f"id in ({','.join(map(str, range(size)))})"))[0].text for size in range(100, 500)}
    assert len(texts) == 3


def test_names_are_quoted_by_the_dialect(compiler: Compiler) -> None:
    statement, _ = compiler.select(Select(BOOK, (NAME,), order=(Order(NAME, descending=True, nulls="last"),)))
    assert statement.text.split() == [
        "SELECT",
        'book."na""me"',
        "FROM",
        "book",
        "ORDER",
        "BY",
        'book."na""me"',
        "DESC",
        "NULLS",
        "LAST",
    ]
    assert statement.rows([("x",)]) == [{"name": "x"}]


def test_limits_count_for_each_parent_through_a_junction(compiler: Compiler) -> None:
    parent, ref = LINK.columns
    via = Via(LINK, parent, ref, ID, (1, 2, 3))
    plan = Select(BOOK, (ID,), order=(Order(ID),), per=ID, limit=2, offset=1, via=via)
    statement, values = compiler.select(plan)
    assert statement.bound(values) == [1, 2, 3, 3, 1]
    assert "PARTITION BY j.book_id" in statement.text


def test_aggregates_have_the_recorded_names(compiler: Compiler) -> None:
    plan = Select(BOOK, (FLAG, Aggregate("count", None), Aggregate("sum", PAGES)), group=(FLAG,))
    statement, _ = compiler.select(plan)
    assert statement.rows([(1, 2, 3)]) == [{"flag": True, "count_all": 2, "sum_pages": 3}]


def test_changes_are_bound_in_the_order_of_the_text(compiler: Compiler) -> None:
    where = resolved(BOOK, parse("id = 7"))
    changes = {'na"me': "x", "pages": Arithmetic(PAGES, "+", 10)}
    statement, values = compiler.update(BOOK, where, changes)
    assert statement.bound(values) == ["x", 10, 7]
    assert "pages=(book.pages + ?)" in statement.text.replace("pages=book.pages + ?", "pages=(book.pages + ?)")


def test_a_named_style_gets_named_values() -> None:
    compiler = Compiler(Dialect(PostgresDialect()))
    statement, values = compiler.select(read("pages between 1 and 2", limit=5))
    assert statement.bound(values) == {"p0": 1, "p1": 2, "p2": 5}
