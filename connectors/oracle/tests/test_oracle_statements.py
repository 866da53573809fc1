"""What is sent to Oracle for each thing that the family asks for, compared as text: no server has run it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from trunkline.errors import BadRequest
from trunkline_database.filters import And, Comparison, Function, Literal, Node, Not, Or
from trunkline_database.model import Column, Table, TableName
from trunkline_database.plan import Aggregate, Order, Select, Via
from trunkline_database.sql.compile import Compiler
from trunkline_database.store import Arithmetic
from trunkline_oracle.dialect import OracleDialect
from trunkline_oracle.kinds import Double, FixedText, NationalText, Out, Single

DIALECT = OracleDialect()
D, T, Z = "'YYYY-MM-DD HH24:MI:SS'", "'YYYY-MM-DD HH24:MI:SS.FF'", "'YYYY-MM-DD HH24:MI:SS.FF TZH:TZM'"


def column(name: str, declaration: str, kind: str = "", **more: Any) -> Column:
    found = DIALECT.declared(declaration)
    return Column(name, kind or found.type, declaration, length=found.length, precision=found.precision,
                  scale=found.scale, **more)  # fmt: skip


BOOK = Table(
    TableName("BOOK", "SHOP", "BOOK"),
    (
        column("ID", "NUMBER(19)", "id", is_primary_key=True, auto_increment=True, allow_null=False),
        column("SHELF_ID", "NUMBER(19)", "reference"), column("TITLE", "VARCHAR2(80 CHAR)"),
        column("PRICE", "NUMBER(8,2)"), column("IN_PRINT", "NUMBER(1)"), column("MADE", "DATE"),
        column("AT", "TIMESTAMP(6)"), column("SEEN", "TIMESTAMP(6) WITH TIME ZONE"),
        column("OPENS", "INTERVAL DAY(0) TO SECOND(6)"), column("NOTE", "CLOB"), column("COVER", "BLOB"),
        column("DOC", "CLOB", "json"), column("CODE", "CHAR(4 CHAR)"), column("SINGLE", "BINARY_FLOAT"),
        column("TWICE", "BINARY_DOUBLE"), column("NAT", "NVARCHAR2(10)"), column("NLONG", "NCLOB"),
        column("RAWS", "RAW(16)"), column("FLAG", "BOOLEAN"), column("DIMS", "ARRAY SHOP.DIMS"),
        column("LATER", "INTERVAL YEAR(2) TO MONTH"), column("FILED", "BFILE"),
    ),
)  # fmt: skip
LINK = Table(TableName("LINK", "SHOP", "LINK"), (column("BOOK_ID", "NUMBER(19)"), column("GENRE_ID", "NUMBER(19)")))
B = BOOK.by_real_name
ID = (B["ID"],)


def text(statement: Any) -> str:
    return " ".join(statement.text.split()).replace('"SHOP"."BOOK"', "b").replace('"', "")


def where(name: str, op: Any, value: Any = None) -> Comparison:
    if isinstance(value, tuple):
        return Comparison(name, op, tuple(Literal(one) for one in value))
    return Comparison(name, op, value if value is None else Literal(value))


READS = {
    "a page": (
        Select(BOOK, ID, where("TITLE", "contains", "x"), (Order(B["MADE"], True, "last"),), limit=5, offset=10),
        "SELECT b.ID FROM b WHERE b.TITLE LIKE :p0 ORDER BY b.MADE DESC NULLS LAST "
        "OFFSET :p2 ROWS FETCH FIRST :p1 ROWS ONLY",
        {"p0": "%x%", "p1": 5, "p2": 10},
    ),
    "long texts sort by their beginning": (
        Select(BOOK, ID, None, (Order(B["NOTE"], False, "first"),)),
        "SELECT b.ID FROM b ORDER BY dbms_lob.substr(b.NOTE, 255, 1) ASC NULLS FIRST", {},
    ),
    "rows that are held": (
        Select(BOOK, ID, where("ID", "=", 1), lock=True), "SELECT b.ID FROM b WHERE b.ID = :p0 FOR UPDATE", {"p0": 1},
    ),
    "one row that is held": (
        Select(BOOK, ID, where("ID", "=", 1), limit=1, lock=True),
        "SELECT b.ID FROM b WHERE b.ID = :p0 AND ROWNUM <= :p1 FOR UPDATE", {"p0": 1, "p1": 1},
    ),
    "groups": (
        Select(BOOK, (B["SHELF_ID"], Aggregate("count", None), Aggregate("sum", B["PRICE"]),
                      Aggregate("max", B["MADE"])), None, (), (B["SHELF_ID"],)),
        f"SELECT b.SHELF_ID, count(*) AS count_1, sum(b.PRICE) AS sum_1, to_char(max(b.MADE), {D}) AS to_char_1 "
        "FROM b GROUP BY b.SHELF_ID", {},
    ),
    "children of several parents": (
        Select(BOOK, (B["ID"], B["MADE"]), where("SHELF_ID", "in", (1, 2)), limit=2, per=B["SHELF_ID"]),
        f"SELECT ranked.c0, ranked.c1 FROM (SELECT o.ID AS c0, to_char(o.MADE, {D}) AS c1, row_number() OVER "
        "(PARTITION BY o.SHELF_ID ORDER BY NULL) AS n FROM b o WHERE (o.SHELF_ID IN (:p0, :p1))) ranked "
        "WHERE ranked.n <= :p2 ORDER BY ranked.n", {"p0": 1, "p1": 2, "p2": 2},
    ),
    "through a junction": (
        Select(BOOK, ID, None, (Order(B["TITLE"]),),
               via=Via(LINK, LINK.columns[1], LINK.columns[0], B["ID"], (1, 2)), limit=3, offset=1),
        "SELECT ranked.c0, ranked.c_parent FROM (SELECT o.ID AS c0, j.GENRE_ID AS c_parent, row_number() OVER "
        "(PARTITION BY j.GENRE_ID ORDER BY o.TITLE ASC) AS n FROM SHOP.LINK j JOIN b o ON j.BOOK_ID = o.ID "
        "WHERE (j.GENRE_ID IN (:p0, :p1))) ranked WHERE ranked.n <= :p2 AND ranked.n > :p3 ORDER BY ranked.n",
        {"p0": 1, "p1": 2, "p2": 4, "p3": 1},
    ),
    "moments and times as text": (
        Select(BOOK, (B["MADE"], B["AT"], B["SEEN"], B["OPENS"], B["LATER"])),
        f"SELECT to_char(b.MADE, {D}) AS to_char_1, to_char(b.AT, {T}) AS to_char_2, "
        f"to_char(b.SEEN, {Z}) AS to_char_3, "
        "to_char(TIMESTAMP '2000-01-01 00:00:00' + b.OPENS, 'HH24:MI:SS.FF6') AS to_char_4, "
        "to_char(b.LATER) AS to_char_5 FROM b", {},
    ),
    "no file outside": (Select(BOOK, (B["FILED"],)), "SELECT NULL AS anon_1 FROM b", {}),
}  # fmt: skip


@pytest.mark.parametrize(("plan", "expected", "values"), READS.values(), ids=READS)
def test_reads(plan: Select, expected: str, values: dict[str, Any]) -> None:
    statement, collected = Compiler(DIALECT).select(plan)
    assert (text(statement), statement.bound(collected)) == (expected, values)


LOB = "dbms_lob.compare(b.NOTE, to_clob(:p{}))"
CONDITIONS: list[tuple[Node, str, list[Any]]] = [
    (where("MADE", "=", "2026-01-02"), f"b.MADE = to_date(:p0, {D})", ["2026-01-02 00:00:00"]),
    (where("MADE", "<", "2026-01-02T03:04:05+01:00"), f"b.MADE < to_date(:p0, {D})", ["2026-01-02 02:04:05"]),
    (where("AT", "=", "2026-01-02 03:04:05.123456789"), f"b.AT = to_timestamp(:p0, {T})",
     ["2026-01-02 03:04:05.123456789"]),
    (where("AT", ">", "2026-01-02T03:04:05Z"), f"b.AT > to_timestamp(:p0, {T})", ["2026-01-02 03:04:05.0"]),
    (where("SEEN", "=", "2026-01-02T03:04:05+02:00"), f"b.SEEN = to_timestamp_tz(:p0, {Z})",
     ["2026-01-02 03:04:05.0 +02:00"]),
    (where("SEEN", "=", "0044-03-15 12:00:00"), f"b.SEEN = to_timestamp_tz(:p0, {Z})",
     ["0044-03-15 12:00:00.0 +00:00"]),
    (where("OPENS", "between", ("08:00", "17:30:00.5")),
     "b.OPENS BETWEEN to_dsinterval(:p0) AND to_dsinterval(:p1)", ["0 08:00:00.000000", "0 17:30:00.500000"]),
    (where("IN_PRINT", "=", True), "b.IN_PRINT = :p0", [1]),
    (where("FLAG", "=", True), "b.FLAG = :p0", [True]),
    (where("NOTE", "=", "x"), f"{LOB.format(0)} = 0", ["x"]),
    (where("NOTE", "!=", "x"), f"{LOB.format(0)} != 0", ["x"]),
    (where("NOTE", ">=", "x"), f"{LOB.format(0)} >= 0", ["x"]),
    (where("NOTE", "in", ("a", "b")), f"{LOB.format(0)} = 0 OR {LOB.format(1)} = 0", ["a", "b"]),
    (where("NOTE", "not in", ("a", "b")), f"NOT ({LOB.format(0)} = 0 OR {LOB.format(1)} = 0)", ["a", "b"]),
    (where("NOTE", "between", ("a", "b")), f"{LOB.format(0)} >= 0 AND {LOB.format(1)} <= 0", ["a", "b"]),
    (where("NOTE", "not between", ("a", "b")), f"NOT ({LOB.format(0)} >= 0 AND {LOB.format(1)} <= 0)", ["a", "b"]),
    (where("NOTE", "not contains", "a"), "b.NOTE NOT LIKE :p0", ["%a%"]),
    (where("NOTE", "is null"), "b.NOTE IS NULL", []),
    (where("NLONG", "=", "x"), "dbms_lob.compare(b.NLONG, to_nclob(:p0)) = 0", ["x"]),
    (where("PRICE", "like", "1%"), "CAST(b.PRICE AS VARCHAR2(4000 CHAR)) LIKE :p0", ["1%"]),
    (And((where("ID", "=", 1), Not(Or((where("TITLE", "is null"), Comparison("AT", "<", Function("UTC_TIMESTAMP"))))))),
     "b.ID = :p0 AND NOT (b.TITLE IS NULL OR b.AT < SYS_EXTRACT_UTC(SYSTIMESTAMP))", [1]),
    (Comparison("MADE", "=", Function("CURRENT_DATE")), "b.MADE = TRUNC(CURRENT_DATE)", []),
    (Comparison("OPENS", "<", Function("CURRENT_TIME")), "b.OPENS < (LOCALTIMESTAMP - TRUNC(LOCALTIMESTAMP))", []),
]  # fmt: skip


@pytest.mark.parametrize(("node", "expected", "values"), CONDITIONS)
def test_conditions(node: Node, expected: str, values: list[Any]) -> None:
    statement, collected = Compiler(DIALECT).select(Select(BOOK, ID, node))
    assert text(statement) == f"SELECT b.ID FROM b WHERE {expected}"
    assert statement.bound(collected) == {f"p{index}": value for index, value in enumerate(values)}
    counted, collected = Compiler(DIALECT).count(Select(BOOK, (), node))
    assert text(counted) == f"SELECT count(*) AS count_1 FROM b WHERE {expected}"


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [("CODE", "A1", FixedText), ("NAT", "é", NationalText), ("SINGLE", 1.5, Single), ("TWICE", 1e300, Double)],
)
def test_values_say_how_they_travel(name: str, value: Any, kind: type) -> None:
    statement, collected = Compiler(DIALECT).select(Select(BOOK, ID, where(name, "=", value)))
    (sent,) = statement.bound(collected).values()  # type: ignore[union-attr]  # a mapping, as the style is named
    assert (type(sent), sent) == (kind, value)


@pytest.mark.parametrize(("op", "joint"), [("in", "OR"), ("not in", "AND")])
def test_lists_are_split_at_a_thousand(op: str, joint: str) -> None:
    statement, collected = Compiler(DIALECT).select(Select(BOOK, ID, where("ID", op, tuple(range(1500)))))
    parts = text(statement).split(f" {joint} ")
    # Lengthened to a power of two, so that few texts serve all lengths.
    assert [part.count(":p") for part in parts] == [1000, 1000, 48]
    assert parts[1].startswith(f"b.ID {op.upper()} (")
    assert len(statement.bound(collected)) == 2048


def test_counts_of_groups() -> None:
    statement, _ = Compiler(DIALECT).count(Select(BOOK, (), None, (), (B["MADE"],)))
    assert text(statement) == "SELECT count(*) AS count_1 FROM (SELECT b.MADE AS MADE FROM b GROUP BY b.MADE) grouped"


def test_an_insert_answers_into_variables() -> None:
    row = {"TITLE": "x", "MADE": "2026-01-02", "AT": Function("CURRENT_TIMESTAMP"), "DOC": {"a": 1}}
    statement, values_of, more = Compiler(DIALECT).insert(BOOK, row, (B["ID"], B["AT"]))
    assert text(statement) == (
        f"INSERT INTO b (TITLE, MADE, AT, DOC) VALUES (:p0, to_date(:p1, {D}), LOCALTIMESTAMP, :p2) "
        f"RETURNING b.ID, to_char(b.AT, {T}) INTO :ret_0, :ret_1"
    )
    assert statement.bound([*values_of(row), *more]) == {
        "p0": "x", "p1": "2026-01-02 00:00:00", "p2": '{"a":1}', "ret_0": Out("NUMBER"), "ret_1": Out("VARCHAR"),
    }  # fmt: skip


def test_what_an_insert_answers_by_type() -> None:
    names = ("ID", "TITLE", "PRICE", "MADE", "NOTE", "NLONG", "COVER", "DOC", "CODE", "SINGLE", "TWICE", "RAWS", "FLAG",
             "NAT")  # fmt: skip
    statement, _, _ = Compiler(DIALECT).insert(BOOK, {"TITLE": "x"}, tuple(B[name] for name in names))
    assert [one.carrier for one in statement.constants] == [
        "NUMBER", "VARCHAR", "NUMBER", "VARCHAR", "CLOB", "NCLOB", "BLOB", "CLOB", "VARCHAR", "BINARY_FLOAT",
        "BINARY_DOUBLE", "RAW", "BOOLEAN", "NVARCHAR",
    ]  # fmt: skip


def test_an_insert_of_nothing_has_a_default() -> None:
    statement, _, _ = Compiler(DIALECT).insert(BOOK, {}, ID)
    assert text(statement) == "INSERT INTO b (ID) VALUES (DEFAULT) RETURNING b.ID INTO :ret_0"


def test_an_insert_into_a_view_answers_nothing() -> None:
    view = Table(replace(BOOK.identity, is_view=True), BOOK.columns)
    statement, _, _ = Compiler(DIALECT).insert(view, {"TITLE": "x"}, ID)
    assert text(statement) == "INSERT INTO b (TITLE) VALUES (:p0)"


def test_what_no_variable_holds_is_refused_before_anything_is_written() -> None:
    with pytest.raises(BadRequest, match="DIMS"):
        Compiler(DIALECT).insert(BOOK, {"TITLE": "x"}, (B["DIMS"],))


def test_updates_and_deletes() -> None:
    changes = {"PRICE": Arithmetic(B["PRICE"], "+", 2), "MADE": "2026-01-02", "NOTE": None}
    updated, collected = Compiler(DIALECT).update(BOOK, where("ID", "=", 3), changes)
    assert text(updated) == (f"UPDATE b SET PRICE=(b.PRICE + :p0), MADE=to_date(:p1, {D}), NOTE=:p2 WHERE b.ID = :p3")
    assert updated.bound(collected) == {"p0": 2, "p1": "2026-01-02 00:00:00", "p2": None, "p3": 3}
    deleted, _ = Compiler(DIALECT).delete(BOOK, None)
    assert text(deleted) == "DELETE FROM b"


@pytest.mark.parametrize("name", ['a"b', "sel'ect", "x; drop table y", ":p0", "täble", "DATE"])
def test_names_are_quoted(name: str) -> None:
    table = Table(TableName(name, name), (column(name, "NUMBER(10)"),))
    statement, collected = Compiler(DIALECT).select(Select(table, table.columns, where(name, "=", 1)))
    quoted = '"' + name.replace('"', '""') + '"'
    assert " ".join(statement.text.split()) == (
        f"SELECT {quoted}.{quoted}.{quoted} FROM {quoted}.{quoted} WHERE {quoted}.{quoted}.{quoted} = :p0"
    )
    assert statement.bound(collected) == {"p0": 1}


def test_the_text_of_an_administrator_stands_for_a_column() -> None:
    upper = replace(B["TITLE"], db_function=(
        {"use": ["INSERT"], "function": "upper({value})"},
        {"use": ["SELECT"], "function": "lower(title)"},
    ))  # fmt: skip
    table = Table(BOOK.identity, (B["ID"], upper))
    statement, _, _ = Compiler(DIALECT).insert(table, {"TITLE": "x"}, (upper,))
    assert text(statement) == "INSERT INTO b (TITLE) VALUES (upper(:p0)) RETURNING (lower(title)) INTO :ret_0"
