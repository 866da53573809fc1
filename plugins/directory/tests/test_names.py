"""Names are compared as directories compare them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline_directory.names import normal
from trunkline_directory.service import distinct


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cn=staff,dc=example,dc=org", "CN=Staff, DC=Example, DC=ORG"),
        ("cn=a\\,b,dc=x", "cn=a\\2Cb,dc=x"),
        ("cn=a\\20b,dc=x", "cn=a  b,dc=x"),
        ("cn=\\C3\\A9,dc=x", "cn=É,dc=x"),
        ("cn=a+sn=b,dc=x", "sn=b+cn=a,dc=x"),
        ("cn=a\\+sn\\=b,dc=x", "cn=a\\2bsn\\3db,dc=x"),
        ("cn=\\ a\\ ,dc=x", "cn= a ,dc=x"),
        ("2.5.4.3=a", "2.5.4.3 = a"),
    ],
)  # fmt: skip
def test_names_that_are_one(one: str, other: str) -> None:
    assert normal(one) == normal(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cn=a,dc=x", "cn=b,dc=x"), ("cn=a,dc=x", "cn=a"), ("cn=a,dc=x,dc=y", "cn=a,dc=y,dc=x"),
        ("cn=a\\,dc=x", "cn=a,dc=x"), ("cn=a\\,b,dc=x", "cn=a,b=,dc=x"), ("cn=a+sn=b,dc=x", "cn=a,sn=b,dc=x"),
        ("cn=a\\+sn=b,dc=x", "cn=a+sn=b,dc=x"), ("cn=ab,dc=x", "cn=a b,dc=x"), ("ou=a,dc=x", "cn=a,dc=x"),
    ],
)  # fmt: skip
def test_names_that_are_two(one: str, other: str) -> None:
    assert normal(one) != normal(other)


@pytest.mark.parametrize(
    "text",
    [
        "", "staff", "cn", "cn=", "=a", "cn=a,", ",cn=a", "cn=a,,dc=x", "c n=a", "cn=\\", "cn=a\\", "cn=\\ff", "cn=a+",
        "é=a",
    ],
)  # fmt: skip
def test_what_is_no_name(text: str) -> None:
    assert normal(text) is None


@given(st.text(min_size=1, max_size=10).filter(lambda text: text.strip()))
def test_an_escaped_value_is_that_value(value: str) -> None:
    """Whatever it is, it ends neither its part of the name nor the name."""
    try:
        raw = value.encode()
    except UnicodeEncodeError:
        return
    escaped = "".join(f"\\{byte:02x}" for byte in raw)
    assert normal(f"cn={escaped},dc=x") == (
        frozenset({("cn", " ".join(value.casefold().split()))}), frozenset({("dc", "x")}),
    )  # fmt: skip


def test_names_are_told_once() -> None:
    assert distinct(["cn=a,dc=x", "CN=B,dc=x", "cn=A, dc=x", "no name", "cn=b,dc=x", "no name"]) == [
        "cn=a,dc=x", "CN=B,dc=x", "no name",
    ]  # fmt: skip
