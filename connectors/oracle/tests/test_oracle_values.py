"""Values on their way through the converters, in both directions, and types as the catalogue spells them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.model import Column
from trunkline_oracle import values
from trunkline_oracle.catalogue import declaration, default_text
from trunkline_oracle.dialect import OracleDialect

DIALECT = OracleDialect()
NO = (None, None)


def column(declared: str, kind: str = "") -> Column:
    found = DIALECT.declared(declared)
    return Column("N", kind or found.type, declared, length=found.length, precision=found.precision, scale=found.scale)


@pytest.mark.parametrize(
    ("declared", "kind", "came", "shown"),
    [
        ("DATE", "", "2026-01-02 00:00:00", "2026-01-02"),
        ("DATE", "", "2026-01-02 03:04:05", "2026-01-02 03:04:05"),
        ("TIMESTAMP(6)", "", "2026-01-02 03:04:05.000000", "2026-01-02 03:04:05"),
        ("TIMESTAMP(9)", "", "2026-01-02 03:04:05.123456789", "2026-01-02 03:04:05.123456789"),
        ("TIMESTAMP(0)", "", "2026-01-02 03:04:05.", "2026-01-02 03:04:05"),
        ("TIMESTAMP(6) WITH TIME ZONE", "", "2026-01-02 03:04:05.500000 +02:00", "2026-01-02 03:04:05.500000+02:00"),
        ("TIMESTAMP(6) WITH TIME ZONE", "", "2026-01-02 03:04:05.000000 -08:00", "2026-01-02 03:04:05-08:00"),
        ("INTERVAL DAY(0) TO SECOND(6)", "", "03:04:05.000000", "03:04:05"),
        ("NUMBER(1)", "", 1, True),
        ("NUMBER(1)", "", 7, 7),
        ("BOOLEAN", "", False, False),
        ("BINARY_FLOAT", "", 1.100000023841858, 1.1),
        ("BLOB", "", b"\x00\xff", "AP8="),
        ("RAW(16)", "", b"\x01", "AQ=="),
        ("CLOB", "json", '{"a": [1, 12345678901234567890.5]}', {"a": [1, Decimal("12345678901234567890.5")]}),
        ("CLOB", "json", "no json", "no json"),
        ("JSON", "", {"a": Decimal(5), "b": "5"}, {"a": 5, "b": "5"}),
        ("JSON", "", "5", "5"),
        ("FLOAT(126)", "", Decimal("0.1"), 0.1),
    ],
)
def test_out(declared: str, kind: str, came: Any, shown: Any) -> None:
    convert = DIALECT.converter(column(declared, kind))
    found = came if convert is None else convert(came)
    assert (found, type(found)) == (shown, type(shown))


@pytest.mark.parametrize(
    ("declared", "given", "sent"),
    [
        ("DATE", "2026-01-02", "2026-01-02 00:00:00"),
        ("DATE", "2026-01-02T03:04:05.9Z", "2026-01-02 03:04:05"),
        ("TIMESTAMP(6)", "2026-01-02T03:04:05+02:00", "2026-01-02 01:04:05.0"),
        ("TIMESTAMP(6) WITH TIME ZONE", "2026-01-02T03:04:05", "2026-01-02 03:04:05.0 +00:00"),
        ("TIMESTAMP(6) WITH TIME ZONE", "2026-01-02T03:04:05.25-03:30", "2026-01-02 03:04:05.25 -03:30"),
        ("INTERVAL DAY(0) TO SECOND(6)", "23:59", "0 23:59:00.000000"),
        ("NUMBER(1)", "yes", 1),
        ("NUMBER(8,2)", "1.5", Decimal("1.5")),
        ("NUMBER(10)", "5.7", 5),
        ("CLOB", "", ""),
        ("BLOB", "AP8=", b"\x00\xff"),
    ],
)
def test_in(declared: str, given: Any, sent: Any) -> None:
    one = column(declared)
    value, bind = types.incoming(one, given), DIALECT.binder(one)
    assert (value if bind is None else bind(value)) == sent


@pytest.mark.parametrize("declared", ["DATE", "TIMESTAMP(6)", "TIMESTAMP(6) WITH TIME ZONE",
                                      "INTERVAL DAY(0) TO SECOND(6)"])  # fmt: skip
def test_a_number_is_no_moment(declared: str) -> None:
    bind = DIALECT.binder(column(declared))
    assert bind is not None
    for wrong in (5, "5", "2026-02-30", "25:00"):
        with pytest.raises(BadRequest, match="Field 'N' must be a valid"):
            bind(wrong)


def test_single_precision_has_an_end() -> None:
    with pytest.raises(BadRequest, match="Field 'N' is out of range"):
        values.single("N")(1e39)


@pytest.mark.parametrize(
    ("number", "whole"), [("5", 5), ("-0.50", Decimal("-0.50")), ("1E+3", 1000), ("9" * 38, int("9" * 38))]
)
def test_numbers_keep_all_digits(number: str, whole: Any) -> None:
    found = values.whole(Decimal(number))
    assert (found, type(found)) == (whole, type(whole))


def test_what_is_known_by_its_value_alone() -> None:
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 600000)
    assert values.plain(moment) == "2026-01-02 03:04:05.600000"
    assert values.plain(dt.datetime(2026, 1, 2)) == "2026-01-02"
    assert values.plain([Decimal("1.0"), b"x", None, {"a": moment.replace(microsecond=0)}]) == [
        1, "eA==", None, {"a": "2026-01-02 03:04:05"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "kind", "digits"),
    [
        ("NUMBER", "integer", NO), ("NUMBER(*,0)", "integer", NO), ("NUMBER(1)", "boolean", NO),
        ("NUMBER(10)", "integer", (10, 0)), ("NUMBER(19)", "bigint", (19, 0)), ("NUMBER(38)", "decimal", (38, 0)),
        ("NUMBER(8,2)", "decimal", (8, 2)), ("NUMBER(5,-2)", "decimal", NO), ("FLOAT(126)", "double", NO),
        ("BINARY_FLOAT", "float", NO), ("BINARY_DOUBLE", "double", NO),
        ("VARCHAR2(80 CHAR)", "string", (80, None)), ("NVARCHAR2(10)", "string", (10, None)), ("LONG", "text", NO),
        ("CLOB", "text", NO), ("DATE", "date", NO), ("TIMESTAMP(6)", "timestamp", NO),
        ("TIMESTAMP(6) WITH LOCAL TIME ZONE", "timestamptz", NO), ("BLOB", "binary", NO),
        ("INTERVAL DAY(0) TO SECOND(6)", "time", NO), ("INTERVAL DAY(2) TO SECOND(6)", "string", NO),
        ("ROWID", "string", NO), ("JSON", "json", NO), ("OBJECT MDSYS.SDO_GEOMETRY", "string", NO),
        ("ARRAY SHOP.DIMS", "array", NO),
    ],
)  # fmt: skip
def test_declarations_are_read(declared: str, kind: str, digits: tuple[int | None, int | None]) -> None:
    found = DIALECT.declared(declared)
    assert (found.type, (found.precision, found.scale), found.db_type) == (kind, digits, declared)


def test_bare_numbers_are_what_the_settings_say() -> None:
    assert OracleDialect(number_is_decimal=True).declared("NUMBER").type == "decimal"
    assert OracleDialect(number_is_decimal=True).declared("NUMBER(*,0)").type == "integer"


@pytest.mark.parametrize(
    ("row", "written"),
    [
        (("NUMBER", None, None, 22, 0, None, None, None), "NUMBER"),
        (("NUMBER", None, None, 22, 0, None, None, 0), "NUMBER(*,0)"),
        (("NUMBER", None, None, 22, 0, None, 8, 2), "NUMBER(8,2)"),
        (("NUMBER", None, None, 22, 0, None, 10, 0), "NUMBER(10)"),
        (("VARCHAR2", None, None, 320, 80, "C", None, None), "VARCHAR2(80 CHAR)"),
        (("CHAR", None, None, 3, 3, "B", None, None), "CHAR(3 BYTE)"),
        (("NVARCHAR2", None, None, 20, 10, "C", None, None), "NVARCHAR2(10)"),
        (("RAW", None, None, 16, 0, None, None, None), "RAW(16)"),
        (("FLOAT", None, None, 22, 0, None, 126, None), "FLOAT(126)"),
        (("TIMESTAMP(6)", None, None, 11, 0, None, None, 6), "TIMESTAMP(6)"),
        (("DIMS", "SHOP", "COLLECTION", 1, 0, None, None, None), "ARRAY SHOP.DIMS"),
        (("POINT", "SHOP", "OBJECT", 1, 0, None, None, None), "OBJECT SHOP.POINT"),
        (("XMLTYPE", "SYS", None, 2000, 0, None, None, None), "XMLTYPE"),
    ],
)
def test_declarations_are_written(row: tuple[Any, ...], written: str) -> None:
    assert declaration(*row) == written


@pytest.mark.parametrize(("came", "left"), [(None, None), ("NULL ", None), ("'x' \n", "'x'"), ("SYSDATE", "SYSDATE")])
def test_defaults(came: str | None, left: str | None) -> None:
    assert default_text(came) == left
