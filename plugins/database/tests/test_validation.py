"""Validation rules of fields: what passes, what fails, in which words (database-api 14.1)."""

import base64
import time
from typing import Any

import pytest

from trunkline.errors import BadRequest
from trunkline_database.validation import IGNORED, checked, rules_of


def judged(validation: Any, value: Any, *, picklist: list[str] | None = None, creating: bool = True) -> Any:
    return checked("f", rules_of(validation, picklist), value, creating=creating)


def match(pattern: str) -> dict[str, Any]:
    return {"match": {"regexp": base64.b64encode(pattern.encode()).decode()}}


@pytest.mark.parametrize(
    ("validation", "value"),
    [
        ({"not_null": {}}, 0),
        ({"not_empty": None}, "x"),
        ({"not_zero": {}}, "0.1"),
        ({"email": {}}, "first.last+tag@mail.example.com"),
        ({"url": {}}, "https://example.com:8443"),
        ({"url": {"sections": ["path", "query"]}}, "https://example.com/a?b=c"),
        ({"url": {}}, "mailto:a@example.com"),
        ({"int": {}}, "-5"),
        ({"int": {}}, 0),
        ({"int": {"range": {"min": 1, "max": "9"}}}, 9),
        ({"float": {}}, 0),
        ({"float": {}}, "1e5"),
        ({"boolean": {}}, False),
        ({"boolean": {}}, "off"),
        ({"boolean": {}}, "0"),
        (match("/^[a-c]+$/i"), "ABC"),
        (match("{^a/b$}"), "a/b"),
        (match("#^1+$#"), 11),
        (["not_null", "not_empty"], "x"),
        ({}, None),
        ({"email": {}, "url": {}, "int": {}, "boolean": {}}, None),
    ],
)
def test_good_values_pass_as_they_are(validation: Any, value: Any) -> None:
    assert judged(validation, value) == value


@pytest.mark.parametrize(
    ("validation", "value", "message"),
    [
        ({"not_null": {}}, None, "Field 'f' value can not be null."),
        ({"not_empty": {}}, "", "Field 'f' value can not be empty."),
        ({"not_zero": {}}, "0.0", "Field 'f' value can not be empty."),
        ({"not_zero": {}}, 0, "Field 'f' value can not be empty."),
        ({"email": {}}, "a b@example.com", "Field 'f' value must be a valid email address."),
        ({"url": {}}, "example.com", "Field 'f' value must be a valid URL."),
        ({"url": {}}, "http://x:99999", "Field 'f' value must be a valid URL."),
        ({"url": {"sections": ["path"]}}, "http://example.com", "Field 'f' value must be a valid URL."),
        ({"url": {"sections": ["query"]}}, "http://example.com/a", "Field 'f' value must be a valid URL."),
        ({"int": {}}, "0x1A", "Field 'f' value is not in the valid range."),
        ({"int": {}}, True, "Field 'f' value is not in the valid range."),
        ({"int": {"range": {"max": 9}}}, 10, "Field 'f' value is not in the valid range."),
        ({"float": {}}, "1,5", "Field 'f' value is not an acceptable float value."),
        ({"float": {"decimal": ","}}, "1.5", "Field 'f' value is not an acceptable float value."),
        ({"boolean": {}}, 2, "Field 'f' value is not an acceptable boolean value."),
        (match("/^a$/"), "b", "Field 'f' value is invalid."),
        (match("/^a$/"), "a\nb", "Field 'f' value is invalid."),
        (match("/^a$/"), ["a"], "Field 'f' value is invalid."),
        ({"int": {"range": {"max": 9}, "on_fail": "Too many."}}, 10, "Too many."),
        ({"api_read_only": {"on_fail": "Hands off."}}, 1, "Hands off."),
    ],
)
def test_bad_values_are_refused_in_words(validation: Any, value: Any, message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        judged(validation, value)
    assert refused.value.message == message


def test_formats_make_numbers_of_other_notations() -> None:
    rules = {"int": {"formats": ["hex", "octal"], "range": {"max": 255}}}
    assert judged(rules, "0x1A") == 26
    assert judged(rules, "017") == 15
    with pytest.raises(BadRequest):
        judged(rules, "0xFFF")
    assert judged({"float": {"decimal": ","}}, "1,5") == "1.5"


def test_a_value_can_be_ignored_instead() -> None:
    assert judged({"email": {"on_fail": "ignore_field"}}, "x") is IGNORED
    assert judged({"api_read_only": {}}, "x") is IGNORED
    assert judged({"create_only": {"on_fail": "ignore_field"}}, "x", creating=False) is IGNORED
    assert judged({"create_only": {}}, "x") == "x"
    with pytest.raises(BadRequest, match="can only be set during record creation"):
        judged({"create_only": {}}, "x", creating=False)


def test_picklists_are_lists_to_choose_from() -> None:
    assert judged({"picklist": {}}, 1, picklist=["1", "2"]) == 1
    with pytest.raises(BadRequest, match="value is invalid"):
        judged({"picklist": {}}, "3", picklist=["1", "2"])
    rules = {"multi_picklist": {"delimiter": ";", "min": 1, "max": 2, "on_fail": "ignore_field"}}
    assert judged(rules, "a;b", picklist=["a", "b", "c"]) == "a;b"
    assert judged(rules, "a;x", picklist=["a", "b", "c"]) is IGNORED
    # As recorded, that there are too many or too few is told in any case.
    with pytest.raises(BadRequest, match="contains too many selections"):
        judged(rules, "a;b;c", picklist=["a", "b", "c"])
    with pytest.raises(BadRequest, match="does not contain enough selections"):
        judged(rules, "", picklist=["a", "b", "c"])


@pytest.mark.parametrize(
    "validation",
    [
        {"nope": {}},
        "not_null",
        {"match": {}},
        {"match": {"regexp": "***"}},
        match("no delimiters"),
        match("/(/"),
        match("/(?<=look)behind/"),
        match(r"/(a)\1/"),
        match("/a/e"),
        match(f"/{'a' * 2000}/"),
        {"int": {"range": {"min": "x"}}},
        {"float": {"decimal": "ab"}},
        {"multi_picklist": {"max": "many"}},
        {"not_null": {"on_fail": {"a": 1}}},
    ],
)
def test_rules_that_cannot_be_used_are_refused_when_they_are_set(validation: Any) -> None:
    with pytest.raises(BadRequest):
        rules_of(validation)


def test_no_pattern_keeps_a_worker_busy() -> None:
    started = time.perf_counter()
    with pytest.raises(BadRequest):
        judged(match("/^(a+)+$/"), "a" * 100_000 + "b")
    assert time.perf_counter() - started < 2
