from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import BadRequest
from trunkline.query import parse_query


def test_plain_nested_and_listed_names() -> None:
    assert parse_query(b"a=1&a=2&b=&p[:x]=7&p[y]=8&l[]=1&l[]=2&r.fields=id,x") == {
        "a": "2", "b": "", "p": {":x": "7", "y": "8"}, "l": ["1", "2"], "r.fields": "id,x",
    }  # fmt: skip


def test_what_is_not_utf8_or_too_much_is_refused() -> None:
    for query in (b"a=%ff%fe", b"&".join(b"a=1" for _ in range(2000))):
        with pytest.raises(BadRequest):
            parse_query(query)


@given(st.binary())
def test_nothing_else_is_raised(query: bytes) -> None:
    with contextlib.suppress(BadRequest):
        parse_query(query)
