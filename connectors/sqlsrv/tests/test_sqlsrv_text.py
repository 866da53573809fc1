"""SQL Server's SQL, compared as text: no SQL Server has run it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytds
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.filters import And, Comparison, Literal, Node, Not
from trunkline_database.model import Column, Table, TableName
from trunkline_database.plan import Aggregate, Order, Select, Via
from trunkline_database.routine import Parameter, Routine, RoutineName
from trunkline_database.sql import ddl
from trunkline_database.sql.compile import Compiler
from trunkline_database.store import Arithmetic
from trunkline_sqlsrv import Sqlsrv, catalogue, definitions, routines, tls
from trunkline_sqlsrv.connection import SESSION, parameter
from trunkline_sqlsrv.dialect import SqlsrvDialect
from trunkline_sqlsrv.driver import PytdsDialect

DIALECT = SqlsrvDialect()
PLAIN = SqlsrvDialect(PytdsDialect(values=False))
ID = Column("id", "id", "int", is_primary_key=True, auto_increment=True)
SHELF = Column("shelf_id", "reference", "int")
TITLE = Column("title", "string", "nvarchar(40)")
PAGES = Column("pages", "integer", "int")
PRINTED = Column("in_print", "boolean", "bit")
BORN = Column("born", "datetime", "datetime2(7)")
MARK = Column("mark", "uuid", "uniqueidentifier")
PLACE = Column("place", "string", "geography")
ORDER = Column("order", "string", "varchar(9)")
BOOK = Table(TableName("book", "dbo"), (ID, SHELF, TITLE, PAGES, PRINTED, BORN, MARK, PLACE, ORDER))
LINK = Table(TableName("link", "dbo"), (SHELF, PAGES))
VIEW = Table(TableName("seen", "dbo", is_view=True), (TITLE,))


def one_line(text: str) -> str:
    return " ".join(text.split())


def where(name: str, op: Any, value: Any) -> Node:
    return Comparison(name, op, Literal(value))


READS: dict[Select, str] = {
    Select(BOOK, (ID, TITLE)): "SELECT dbo.book.id, dbo.book.title FROM dbo.book",
    Select(BOOK, (ID,), limit=2):
        "SELECT dbo.book.id FROM dbo.book ORDER BY (SELECT NULL) OFFSET 0 ROWS FETCH FIRST %s ROWS ONLY",
    Select(BOOK, (ID,), order=(Order(TITLE),), limit=2, offset=4):
        "SELECT dbo.book.id FROM dbo.book ORDER BY dbo.book.title ASC OFFSET %s ROWS FETCH FIRST %s ROWS "
        "ONLY",
    Select(BOOK, (ID,), order=(Order(PAGES, True, "last"),)):
        "SELECT dbo.book.id FROM dbo.book ORDER BY CASE WHEN (dbo.book.pages IS NULL) THEN 1 ELSE 0 END, "
        "dbo.book.pages DESC",
    Select(BOOK, (ID,), order=(Order(PAGES, False, "first"),)):
        "SELECT dbo.book.id FROM dbo.book ORDER BY CASE WHEN (dbo.book.pages IS NULL) THEN 0 ELSE 1 END, "
        "dbo.book.pages ASC",
    Select(BOOK, (ID,), where("in_print", "=", True)): "SELECT dbo.book.id FROM dbo.book WHERE dbo.book.in_print = %s",
    Select(BOOK, (ID,), where("title", "contains", "a[b")):
        "SELECT dbo.book.id FROM dbo.book WHERE dbo.book.title LIKE %s",
    Select(BOOK, (ID,), Not(where("pages", "starts with", "1"))):
        "SELECT dbo.book.id FROM dbo.book WHERE CAST(dbo.book.pages AS VARCHAR(max)) NOT LIKE %s",
    Select(BOOK, (BORN, MARK, PLACE)):
        "SELECT convert(varchar(34), dbo.book.born, 121) AS convert_1, CAST(dbo.book.mark AS CHAR(36)) "
        "AS mark, CAST(dbo.book.place AS NVARCHAR(max)) AS place FROM dbo.book",
    Select(BOOK, (ID,), And((where("born", ">", "2024-01-02"), where("mark", "=", "x")))):
        "SELECT dbo.book.id FROM dbo.book WHERE dbo.book.born > CAST(%s AS datetime2) AND dbo.book.mark "
        "= CAST(%s AS uniqueidentifier)",
    Select(BOOK, (ORDER,), where("order", "=", "x")):
        "SELECT dbo.book.[order] FROM dbo.book WHERE dbo.book.[order] = %s",
    Select(BOOK, (Aggregate("count", None), Aggregate("sum", PAGES), Aggregate("avg", PAGES))):
        "SELECT count(*) AS count_1, sum(CAST(dbo.book.pages AS BIGINT)) AS sum_1, "
        "avg(CAST(dbo.book.pages AS FLOAT)) AS avg_1 FROM dbo.book",
    Select(BOOK, (SHELF, Aggregate("max", BORN)), group=(SHELF,)):
        "SELECT dbo.book.shelf_id, convert(varchar(34), max(dbo.book.born), 121) AS convert_1 FROM "
        "dbo.book GROUP BY dbo.book.shelf_id",
    Select(BOOK, (ID,), where("id", "=", 1), lock=True):
        "SELECT dbo.book.id FROM dbo.book WITH (UPDLOCK) WHERE dbo.book.id = %s",
    Select(BOOK, (ID,), limit=2, per=SHELF):
        "SELECT ranked.c0 FROM (SELECT o.id AS c0, row_number() OVER (PARTITION BY o.shelf_id ORDER BY "
        "(SELECT NULL)) AS n FROM dbo.book AS o) AS ranked WHERE ranked.n <= %s ORDER BY ranked.n",
    Select(BOOK, (ID,), via=Via(LINK, SHELF, PAGES, ID, (7,))):
        "SELECT o.id AS c0, j.shelf_id AS c_parent FROM dbo.link AS j JOIN dbo.book AS o ON j.pages = "
        "o.id WHERE j.shelf_id IN (%s)",
}  # fmt: skip


@pytest.mark.parametrize(("plan", "text"), READS.items())
def test_reads(plan: Select, text: str) -> None:
    assert one_line(Compiler(DIALECT).select(plan)[0].text) == text


def test_a_bracket_in_a_pattern_is_a_sign() -> None:
    statement, values = Compiler(DIALECT).select(Select(BOOK, (ID,), where("title", "contains", "a[b]%")))
    assert statement.bound(values) == ["%a[[]b]%%"]


def test_a_page_is_bound_in_the_order_of_the_text() -> None:
    statement, values = Compiler(DIALECT).select(Select(BOOK, (ID,), where("id", ">", 3), limit=2, offset=4))
    assert list(statement.bound(values)) == [3, 4, 2]


def test_groups_are_counted() -> None:
    counted, _ = Compiler(DIALECT).count(Select(BOOK, (SHELF,), group=(SHELF,)))
    assert one_line(counted.text) == (
        "SELECT count(*) AS count_1 FROM (SELECT dbo.book.shelf_id AS shelf_id FROM dbo.book GROUP BY "
        "dbo.book.shelf_id)"
        " AS grouped"
    )


INSERTS: list[tuple[Table, dict[str, Any], tuple[Column, ...], str]] = [
    (BOOK, {"title": "x"}, (ID,), "INSERT INTO dbo.book (title) OUTPUT inserted.id VALUES (%s)"),
    (BOOK, {}, (ID,), "INSERT INTO dbo.book OUTPUT inserted.id DEFAULT VALUES"),
    (BOOK, {"born": "2024-01-02"}, (BORN,),
        "INSERT INTO dbo.book (born) OUTPUT convert(varchar(34), inserted.born, 121) AS convert_1 VALUES "
        "(CAST(%s AS datetime2))"),
    (BOOK, {"id": 7, "title": "x"}, (ID,),
        "SET IDENTITY_INSERT dbo.book ON; INSERT INTO dbo.book (id, title) OUTPUT inserted.id VALUES "
        "(%s, %s); SET IDENTITY_INSERT dbo.book OFF"),
    (VIEW, {"title": "x"}, (TITLE,), "INSERT INTO dbo.seen (title) OUTPUT inserted.title VALUES (%s)"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "row", "returning", "text"), INSERTS)
def test_inserts(table: Table, row: dict[str, Any], returning: tuple[Column, ...], text: str) -> None:
    statement, _, _ = Compiler(DIALECT).insert(table, row, returning)
    assert one_line(statement.text) == text


def test_changes() -> None:
    compiler = Compiler(DIALECT)
    updated, values = compiler.update(BOOK, where("id", "=", 1), {"pages": Arithmetic(PAGES, "+", 1), "title": None})
    assert one_line(updated.text) == "UPDATE dbo.book SET title=%s, pages=(dbo.book.pages + %s) WHERE dbo.book.id = %s"
    assert list(updated.bound(values)) == [None, 1, 1]
    assert one_line(compiler.delete(BOOK, None)[0].text) == "DELETE FROM dbo.book"


def test_functions() -> None:
    found = [str(DIALECT.function(name)) for name in ("CURRENT_TIMESTAMP", "UTC_TIMESTAMP", "CURRENT_DATE", "UUID")]
    assert found == ["SYSDATETIME()", "SYSUTCDATETIME()", "CAST(SYSDATETIME() AS date)", "NEWID()"]


TYPES = {
    "id": "INTEGER NOT NULL IDENTITY", "string": "nvarchar(255) NULL", "text": "nvarchar(max) NULL",
    "boolean": "bit NULL", "datetime": "datetime2 NULL", "timestamptz": "datetimeoffset NULL", "uuid":
        "uniqueidentifier NULL",
    "binary": "varbinary(max) NULL", "json": "nvarchar(max) NULL", "money": "money NULL", "double": "float NULL",
    "timestamp_on_create": "datetime2 NULL DEFAULT SYSDATETIME()", "xml": "xml NULL",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), TYPES.items())
def test_columns_are_added(kind: str, text: str) -> None:
    column = ColumnDefinition("n", kind, allow_null=True)
    added = definitions.add_column(PLAIN, TableName("t", "s"), column, TableName)
    assert [one_line(one) for one in added] == [f"ALTER TABLE s.t ADD n {text}"]


def test_tables_are_made() -> None:
    columns = (
        ColumnDefinition("id", "id"),
        ColumnDefinition("code", "string", length=9, is_unique=True, default="it's", has_default=True),
        ColumnDefinition("ok", "boolean", default=True, has_default=True),
        ColumnDefinition("other", "reference", ref_table="o", ref_field="id", ref_on_delete="CASCADE", allow_null=True),
        ColumnDefinition("price", "decimal", precision=8, scale=2, is_index=True),
    )
    assert [one_line(one) for one in ddl.create_table(PLAIN, TableDefinition("My t%", columns), TableName)] == [
        "CREATE TABLE [My t%] ( id INTEGER NOT NULL IDENTITY, code nvarchar(9) NOT NULL DEFAULT 'it''s', "
        "ok bit NOT NULL DEFAULT 1, other int NULL, price decimal(8,2) NOT NULL, PRIMARY KEY (id), UNIQUE (code), "
        "FOREIGN KEY(other) REFERENCES o (id) ON DELETE CASCADE )",
        "CREATE INDEX [My t%_price_index] ON [My t%] (price)",
    ]


def test_a_percent_in_a_name_is_doubled_only_where_values_are_filled_in() -> None:
    odd = Table(TableName("a%s", "dbo"), (ID,))
    assert one_line(Compiler(DIALECT).select(Select(odd, (ID,)))[0].text) == "SELECT dbo.[a%%s].id FROM dbo.[a%%s]"
    assert ddl.drop_table(PLAIN, odd) == ["DROP TABLE dbo.[a%s]"]


def test_columns_are_changed_and_dropped() -> None:
    table = TableName("t", "s")
    longer = ColumnDefinition("code", "string", length=99)
    assert definitions.alter_column(PLAIN, table, longer, True, ["DF_code"]) == [
        "ALTER TABLE s.t ALTER COLUMN code nvarchar(99) NULL"
    ]
    other = ColumnDefinition("code", "integer", default=5, has_default=True, null_given=True)
    assert definitions.alter_column(PLAIN, table, other, True, ["DF x"]) == [
        "ALTER TABLE s.t DROP CONSTRAINT [DF x]",
        "ALTER TABLE s.t ALTER COLUMN code int NOT NULL",
        "ALTER TABLE s.t ADD DEFAULT 5 FOR code",
    ]
    assert definitions.drop_column(PLAIN, table, TITLE, ["DF]x"]) == [
        "ALTER TABLE s.t DROP CONSTRAINT [DF]]x]",
        "ALTER TABLE s.t DROP COLUMN title",
    ]


DECLARED = {
    ("nvarchar", 80, 0, 0): ("nvarchar(40)", "string", 40), ("nvarchar", -1, 0, 0): ("nvarchar(max)", "text", None),
    ("varchar", 9, 0, 0): ("varchar(9)", "string", 9), ("decimal", 9, 8, 2): ("decimal(8,2)", "decimal", 8),
    ("bit", 1, 1, 0): ("bit", "boolean", None), ("datetime2", 8, 27, 7): ("datetime2(7)", "datetime", None),
    ("varbinary", -1, 0, 0): ("varbinary(max)", "binary", None), ("timestamp", 8, 0, 0): ("timestamp", "binary", None),
    ("datetimeoffset", 10, 34, 7): (
        "datetimeoffset(7)", "timestamptz", None), ("int", 4, 10, 0): ("int", "integer", None),
    ("uniqueidentifier", 16, 0, 0): ("uniqueidentifier", "uuid", None), ("xml", -1, 0, 0): ("xml", "string", None),
}  # fmt: skip


@pytest.mark.parametrize(("found", "expected"), DECLARED.items())
def test_declarations(found: tuple[str, int, int, int], expected: tuple[str, str, int | None]) -> None:
    declared = DIALECT.declared(catalogue.declaration(*found))
    assert (declared.db_type, declared.type, declared.length) == expected


def test_moments_keep_their_digits() -> None:
    convert = DIALECT.converter(BORN)
    assert convert is not None
    given = [
        "2024-01-02 03:04:05.0000000",
        "2024-01-02 03:04:05.1234567",
        "2024-01-02 03:04:05.0000000 +02:00",
        "2024-01-02",
    ]
    assert [convert(one) for one in given] == [
        "2024-01-02 03:04:05", "2024-01-02 03:04:05.1234567", "2024-01-02 03:04:05 +02:00", "2024-01-02",
    ]  # fmt: skip


def routine(kind: Any, *parameters: Parameter, **more: Any) -> Routine:
    return Routine(RoutineName("add it]", "dbo"), kind, parameters, **more)


def test_functions_are_called() -> None:
    number = Parameter(Column("n", "integer", "int"), 1)
    scalar = routine("function", number, Parameter(TITLE, 2), returns=BORN)
    made = routines.function(DIALECT, scalar, {1: 5})
    assert (made.text, made.values) == ("SELECT convert(varchar(34), dbo.[add it]]](%s, %s), 121)", [5, None])
    table = routine("function", number, returns_rows=True, row=[TITLE, MARK])
    made = routines.function(DIALECT, table, {1: 5})
    assert made.text == "SELECT title, CAST(mark AS CHAR(36)) FROM dbo.[add it]]](%s)"


def test_procedures_are_called_by_name() -> None:
    number, cost = Column("n", "integer", "int"), Column("cost", "money", "money")
    called = routine("procedure", Parameter(number, 1, optional=True), Parameter(cost, 2, "INOUT", optional=True))
    assert routines.called_by(called) == "[dbo].[add it]]]"
    given = routines.arguments(called, {1: 5})
    assert list(given) == ["@cost", "@n"]
    assert (given["@n"], given["@cost"].value, given["@cost"].type) == (5, pytds.default, "decimal(19,4)")
    assert list(routines.arguments(called, {})) == ["@cost"]
    assert routines.arguments(called, {}, frozenset({"@n", "@cost"}))["@cost"].value is None


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        ("x", "NVARCHAR(4000)"), ("x" * 4001, "NVARCHAR(MAX)"), ("\U0001f4a9" * 2001, "NVARCHAR(MAX)"),
        (b"x", "VARBINARY(8000)"), (b"x" * 8001, "VARBINARY(MAX)"), (True, "BIT"), (5, "INT"), (2**40, "BIGINT"),
        (Decimal("1.50"), "DECIMAL(2, 1)"), (1.5, "FLOAT"),
    ],
)  # fmt: skip
def test_parameters_have_the_types_that_indexes_go_with(value: Any, declared: str) -> None:
    from pytds import tds_types

    made = parameter(value)
    kind = (
        made.type
        if hasattr(made, "type")
        else tds_types.TdsTypeInferrer(tds_types.SerializerFactory(0x74000004)).from_value(made)
    )
    assert kind.get_declaration() == declared


def test_settings_mean_what_they_say() -> None:
    service = Sqlsrv.__new__(Sqlsrv)
    config = {"host": "h", "database": "d", "username": "u", "password": "p"}
    service.config = Sqlsrv.config_class().model_validate(config)
    plain = service.settings()
    assert (plain.port, plain.encrypt, plain.trusting, plain.readonly, plain.appname) == (
        1433, False, True, False, "trunkline",
    )  # fmt: skip
    assert tuple(plain.statements) == SESSION
    more = {"readonly": True, "encrypt": True, "trust_server_certificate": False, "appname": "a", "statements": ["x"]}
    service.config = Sqlsrv.config_class().model_validate(
        {**config, **more, "pooling": False, "options": {"ssl_ca": "f"}}
    )
    found = service.settings()
    assert (found.readonly, found.encrypt, found.trusting, found.appname) == (True, True, False, "a")
    assert (found.authorities, found.statements[-1]) == ("f", "x")


def test_a_certificate_must_name_the_host() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "other.example")])
    names = x509.SubjectAlternativeName([x509.DNSName("*.db.example"), x509.DNSName("one.example")])
    now = dt.datetime(2024, 1, 1)
    signed = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now).not_valid_after(now).add_extension(names, False).sign(key, hashes.SHA256())
    )  # fmt: skip
    hosts = ("one.example", "a.DB.example", "a.b.db.example", "db.example", "other.example", "10.0.0.1")
    assert [tls.is_for(signed, host) for host in hosts] == [True, True, False, False, False, False]
