"""CSV bodies and replies (spec database-api 19, D14)."""

from __future__ import annotations

import asyncio
import csv as standard
import datetime
import io
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.call import Records
from trunkline.errors import BadRequest
from trunkline.formats import RenderOptions
from trunkline_formats import csv

OPTIONS = RenderOptions()

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAME = TEXT.filter(str.strip)
RECORDS = st.lists(NAME, min_size=1, max_size=4, unique=True).flatmap(
    lambda names: st.lists(st.fixed_dictionaries(dict.fromkeys(names, TEXT)), min_size=1, max_size=5)
)


@given(RECORDS)
def test_records_of_texts_come_back_as_they_were(records: list[dict[str, str]]) -> None:
    assert csv.parse(csv.render({"resource": records}, OPTIONS)) == records


@given(RECORDS)
def test_every_other_reader_sees_the_same_cells(records: list[dict[str, str]]) -> None:
    text = csv.render(records, OPTIONS).decode()
    assert list(standard.DictReader(io.StringIO(text, newline=""))) == records


def test_the_wrapper_goes_and_meta_with_it() -> None:
    assert csv.render({"resource": [{"id": 1}, {"id": 2}], "meta": {"count": 2}}, OPTIONS) == b"id\n1\n2\n"
    assert csv.render({"data": [{"id": 1}]}, RenderOptions(wrapper="data")) == b"id\n1\n"


def test_a_single_record_with_a_column_called_resource_stays_whole() -> None:
    assert csv.render({"id": 1, "resource": [2]}, OPTIONS) == b"id,resource\n1,[2]\n"


def test_an_error_is_one_line_under_a_header() -> None:
    error = {"error": {"code": 400, "context": None, "message": "No, not this", "status_code": 400}}
    assert csv.render(error, OPTIONS) == b'code,context,message,status_code\n400,,"No, not this",400\n'


def test_the_header_has_the_keys_of_all_records_in_the_order_they_came() -> None:
    records = [{"b": 1}, {"a": 2, "b": 3}, {"c": 4}]
    assert csv.render(records, OPTIONS) == b"b,a,c\n1,,\n3,2,\n,,4\n"


def test_values_are_written_in_full() -> None:
    record = {
        "yes": True,
        "no": False,
        "none": None,
        "price": Decimal("10.500"),
        "huge": 2**70,
        "at": datetime.datetime(2024, 1, 7, 22, 30),
        "nested": {"a": [1, "x,y"]},
        "quote": 'a"b',
        "lines": "a\nb",
        "blank": " x",
        "html": "<b>&amp;",
    }
    assert csv.render(record, OPTIONS).decode().split("\n", 1)[1] == (
        "true,false,,10.500,1180591620717411303424,2024-01-07 22:30:00,"
        '"{""a"":[1,""x,y""]}","a""b","a\nb"," x",<b>&amp;\n'
    )


@pytest.mark.parametrize(
    ("content", "body"),
    [(5, b"5\n"), ("a,b", b'"a,b"\n'), (True, b"true\n"), (None, b""), ([], b"\n\n"), ({"resource": []}, b"\n\n")],
)
def test_what_is_no_record_is_a_single_line(content: Any, body: bytes) -> None:
    assert csv.render(content, OPTIONS) == body


def test_a_list_of_values_is_one_a_line() -> None:
    assert csv.render({"resource": ["a", "b,c", 3]}, OPTIONS) == b'a\n"b,c"\n3\n'


def test_a_record_among_values_loses_nothing() -> None:
    assert csv.render([{"id": 1}, "x"], OPTIONS) == b"id,value\n1,\n,x\n"


def test_a_lone_surrogate_does_not_break_the_reply() -> None:
    assert csv.render(["\ud800"], OPTIONS) == b"?\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\r=1"])
def test_formulas_are_guarded_on_request_only(text: str) -> None:
    record = [{"a": text, "n": -5}]
    assert csv.parse(csv.render(record, OPTIONS)) == [{"a": text, "n": "-5"}]
    assert csv.parse(csv.render(record, OPTIONS, guard_formulas=True)) == [{"a": "'" + text, "n": "-5"}]


def test_bodies_of_other_programs_are_understood() -> None:
    body = b'\xef\xbb\xbfid,name,note\r\n1,"Ann, A.",\r\n\r\n2,"say ""hi""\r\nand go"," q "\r\n3'
    assert csv.parse(body) == [
        {"id": "1", "name": "Ann, A.", "note": ""},
        {"id": "2", "name": 'say "hi"\r\nand go', "note": " q "},
        {"id": "3"},
    ]
    assert csv.parse(b"") == csv.parse(b"\n\n") == csv.parse(b"id,name\n") == []


def test_a_large_cell_is_no_error() -> None:
    assert csv.parse(b"a\n" + b"x" * 200_000) == [{"a": "x" * 200_000}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"a,b\n1,2\n1,2,3\n", "line 3: 3 cells"),
        (b'a,b\n"1\n2",2\n1,2,3', "line 4: 3 cells"),
        (b'a\n"x', "line 2"),
        (b'a\n"x"y', "line 2"),
        (b"a,,c\n1,2,3", "column 2 has no name"),
        (b"a,b,a\n1,2,3", "column 'a' is twice"),
        (b"a\n\xff", "UTF-8"),
    ],
)
def test_a_bad_body_is_refused_by_line(body: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        csv.parse(body)


@given(st.binary(max_size=200))
def test_no_body_does_anything_but_parse_or_raise_bad_request(body: bytes) -> None:
    try:
        records = csv.parse(body)
    except BadRequest:
        return
    assert all(isinstance(record, dict) for record in records)


def test_a_stream_is_the_same_as_the_whole() -> None:
    async def body(*batches: list[dict[str, Any]]) -> bytes:
        async def source() -> AsyncGenerator[list[dict[str, Any]], None]:
            for batch in batches:
                yield batch

        return b"".join([piece async for piece in csv.stream(Records(source()), OPTIONS)])

    records: list[dict[str, Any]] = [{"a": 1, "b": "x,y"}, {"a": None, "b": "z"}]
    assert asyncio.run(body(records[:1], [], records[1:])) == csv.render(records, OPTIONS)
    assert asyncio.run(body()) == asyncio.run(body([])) == csv.render([], OPTIONS)
