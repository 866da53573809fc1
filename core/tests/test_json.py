from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline import json
from trunkline.errors import BadRequest


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_keeps_its_digits(number: Decimal) -> None:
    """D14."""
    assert Decimal(json.dumps(number).decode()) == number


def test_the_types_that_databases_bring() -> None:
    value = {"d": date(2024, 1, 2), "t": datetime(2024, 1, 2, 3, 4, 5), "c": time(3, 4), "b": b"\x00\xff"}
    assert json.dumps(value) == (b'{"d":"2024-01-02","t":"2024-01-02 03:04:05","c":"03:04:00","b":"AP8="}')


def test_what_the_fast_path_refuses_is_spelled_out() -> None:
    assert (
        json.dumps({"n": [2**70, -1], "t": "a\ud800b", "ok": True})
        == b'{"n":[1180591620717411303424,-1],"t":"a?b","ok":true}'
    )


@pytest.mark.parametrize("text", ["{bad", "", "[1,", "NaN", '{"a":1}x', "[" * 100_000])
def test_malformed_json_is_a_400(text: str) -> None:
    """Checklist 8."""
    with pytest.raises(BadRequest, match="Invalid JSON"):
        json.loads(text)
