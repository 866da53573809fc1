"""NDJSON bodies and replies (D14)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.call import Records
from trunkline.errors import BadRequest
from trunkline.formats import RenderOptions
from trunkline_formats import ndjson

OPTIONS = RenderOptions()
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(TEXT, VALUE, max_size=4), max_size=5))
def test_records_come_back_as_they_were(records: list[dict[str, Any]]) -> None:
    body = ndjson.render({"resource": records, "meta": {"count": 1}}, OPTIONS)
    assert ndjson.parse(body) == records
    assert body.count(b"\n") == len(records)


def test_values_are_written_in_full() -> None:
    assert ndjson.render([{"a": Decimal("1.10"), "b": "\u2028\n"}], OPTIONS) == '{"a":1.10,"b":"\u2028\\n"}\n'.encode()


@pytest.mark.parametrize(
    ("content", "body"),
    [
        ({"resource": []}, b""),
        ({"id": 1}, b'{"id":1}\n'),
        ({"data": [1, 2]}, b'{"data":[1,2]}\n'),
        (5, b"5\n"),
        (None, b"null\n"),
        ({"error": {"code": 404}}, b'{"error":{"code":404}}\n'),
    ],
)
def test_what_is_no_list_is_one_line(content: Any, body: bytes) -> None:
    assert ndjson.render(content, OPTIONS) == body


def test_blank_lines_carriage_returns_and_a_byte_order_mark_do_not_matter() -> None:
    assert ndjson.parse(b'\xef\xbb\xbf{"a":1}\r\n\r\n \n{"a":2}') == [{"a": 1}, {"a": 2}]
    assert ndjson.parse(b"") == []


@pytest.mark.parametrize("line", [b"{", b'{"a":1}{"a":2}', b"NaN", b'{"a":\xff}', b"[" * 5000])
def test_a_bad_line_is_named(line: bytes) -> None:
    with pytest.raises(BadRequest, match="Line 3"):
        ndjson.parse(b'{"a":1}\n\n' + line)


def test_a_stream_is_the_same_as_the_whole() -> None:
    async def body(*batches: list[dict[str, Any]]) -> bytes:
        async def source() -> AsyncGenerator[list[dict[str, Any]], None]:
            for batch in batches:
                yield batch

        return b"".join([piece async for piece in ndjson.stream(Records(source()), OPTIONS)])

    assert asyncio.run(body([{"a": 1}, {"b": 2}], [], [{"c": 3}])) == b'{"a":1}\n{"b":2}\n{"c":3}\n'
