"""What a role lets through of replies (D33)."""

from decimal import Decimal
from typing import Any

import pytest

from trunkline.response_filter import Masker, ResponseFilter, joined, read

MASKER = Masker(b"key")


@pytest.mark.parametrize(
    ("value", "shown"),
    [("4111111111111234", "************1234"), ("1234", "****"), ("", ""), (12345, "*2345"), (Decimal("1.50"), "****"),
     (None, None), ("ß☃é12", "*☃é12")],
)  # fmt: skip
def test_the_last_four_letters_stay(value: Any, shown: Any) -> None:
    assert MASKER("last4", value) == shown


def test_digests_are_equal_for_equal_values_and_keyed() -> None:
    assert MASKER("hash", "a") == MASKER("hash", "a") != MASKER("hash", "b")
    assert MASKER("hash", "a") != Masker(b"other")("hash", "a")
    assert MASKER("hash", None) is None
    assert MASKER("null", "a") is None


def test_entries_become_a_filter_in_any_case() -> None:
    found = read([{"name": "SSN", "action": "mask", "value": "last4"}, {"name": " pay ", "action": "Exclude"}])
    assert found is not None
    assert found.seen({"Ssn": "12345", "Pay": 1, "x": 2}, MASKER) == {"Ssn": "*2345", "x": 2}


@pytest.mark.parametrize(
    "entry",
    [{}, {"name": ""}, {"name": 1, "action": "exclude"}, {"name": "a"}, {"name": "a", "action": "drop"},
     {"name": "a", "action": "mask"}, {"name": "a", "action": "mask", "value": "rot13"}],
)  # fmt: skip
def test_entries_that_cannot_work_are_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"name|action"):
        read([entry])


def test_together_all_of_them_bind() -> None:
    one = ResponseFilter(frozenset({"a"}), (("m", "last4"),), frozenset({"a", "m", "x", "y"}))
    two = ResponseFilter(frozenset({"b"}), (("m", "null"),), frozenset({"m", "x"}))
    both = joined([one, two, ResponseFilter(frozenset({"c"}))])
    assert both is not None
    assert [name for name in "abcmxyz" if not both.hides(name)] == ["m", "x"]
    assert both.mask_of("M") == "null"
    assert joined([]) is None
    assert read([]) is None
