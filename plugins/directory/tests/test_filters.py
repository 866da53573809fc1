"""Filters of clients, read and written anew; that no value is more than one shows a real directory elsewhere."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import BadRequest
from trunkline_directory.filters import all_of, escaped, of_client, same

_WRITTEN = re.compile(r"[()&|!*=<>~:]|\\[0-9a-f]{2}|[A-Za-z0-9.-]")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("(cn=a)", "(cn=\\61)"), ("cn=a", "(cn=\\61)"), (" ( cn=a ) ", "(cn=\\61\\20)"), ("(cn=*)", "(cn=*)"),
        ("(cn=a*b*)", "(cn=\\61*\\62*)"), ("(cn=\\2a)", "(cn=\\2a)"), ("(cn=)", "(cn=)"),
        ("(cn=a=b)", "(cn=\\61\\3d\\62)"),
        ("(cn>=1)", "(cn>=\\31)"), ("(cn<=1)", "(cn<=\\31)"), ("(cn~=x)", "(cn~=\\78)"), ("(cn:=x)", "(cn:=\\78)"),
        ("(m:1.2.3:=x)", "(m:1.2.3:=\\78)"), ("(&(a=1)(|(b=2)(!(c=3))))", "(&(a=\\31)(|(b=\\32)(!(c=\\33))))"),
        ("(& (a=1) (b=2) )", "(&(a=\\31)(b=\\32))"), ("(cn=é)", "(cn=\\c3\\a9)"), ("(1.2.840=x)", "(1.2.840=\\78)"),
    ],
)  # fmt: skip
def test_filters_are_written_anew(text: str, written: str) -> None:
    assert of_client(text) == written


@given(st.text(st.sampled_from("()&|!*=<>~:\\ab1 .2c;\n\0é"), max_size=30))
def test_what_comes_out_is_one_filter(text: str) -> None:
    """Checklist 7: whatever goes in, what comes out is whole, of nothing but what filters are made of, and stays so."""
    try:
        written = of_client(text)
    except BadRequest:
        return
    assert "".join(_WRITTEN.findall(written)) == written
    depth = 0
    for place, sign in enumerate(written):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        assert depth > 0 or place == len(written) - 1
    assert depth == 0
    assert of_client(written) == written


@given(st.text())
def test_a_value_has_no_sign_left(value: str) -> None:
    assert re.fullmatch(r"(\\[0-9a-f]{2})*", escaped(value))
    assert all_of(same("uid", value)) == f"(&(uid={escaped(value)}))"
