"""Validation rules of fields: read once, then asked for every value that comes in (database-api 14.1)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.types import StringConstraints

from trunkline.errors import BadRequest

# What ``checked`` answers for a value that is to be left out of the record.
IGNORED = object()
IGNORE = "ignore_field"

_MOST_PATTERN = 1000
_CLOSING = {"(": ")", "[": "]", "{": "}", "<": ">"}
_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}){0,16}"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,16}[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_DECIMAL = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,30})", re.ASCII)
_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,16}")
_OCTAL = re.compile(r"0[oO]?[0-7]{1,22}")
_FLOAT = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_BOOLEANS = frozenset({"1", "true", "on", "yes", "0", "false", "off", "no", ""})

# Says what is wrong with a value, behind the name of the field; None when nothing is.
Test = Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its test, what to do on failure, and how it reads a value that passed, where that matters."""

    name: str
    test: Test
    on_fail: str | None = None
    read: Callable[[Any], Any] | None = None

    def fails(self, field: str, problem: str) -> bool:
        """Raise BadRequest for a failure, or answer True when the value is to be left out instead."""
        # That a selection has too many or too few members is told in any case, as recorded.
        if self.on_fail == IGNORE and not problem.startswith("contains") and not problem.startswith("does not"):
            return True
        message = f"Field '{field}' {problem}" if self.on_fail in (None, IGNORE) else self.on_fail
        raise BadRequest(str(message), context={"field": field, "rule": self.name})


def rules_of(validation: Any, picklist: Sequence[str] | None = None) -> tuple[Rule, ...]:
    """Read the rules of a field; raises BadRequest that names one which cannot be used."""
    if not validation:
        return ()
    if isinstance(validation, list) and all(isinstance(one, str) for one in validation):
        validation = dict.fromkeys(validation)
    if not isinstance(validation, Mapping):
        raise BadRequest("Validation must be an object of rules.")
    return tuple(_rule(str(name).lower(), options, picklist or ()) for name, options in validation.items())


def checked(field: str, rules: Sequence[Rule], value: Any, *, creating: bool) -> Any:
    """Answer a value that passes all rules, or IGNORED; raises BadRequest with the message of the rule that failed."""
    for rule in rules:
        # Without words of its own it drops the value; the original never used the words.
        if rule.name == "api_read_only" and (rule.on_fail in (None, IGNORE) or rule.fails(field, "")):
            return IGNORED
        if rule.name == "create_only":
            if not creating and rule.fails(field, "can only be set during record creation."):
                return IGNORED
            continue
        if value is None and rule.name != "not_null":
            continue
        problem = rule.test(value)
        if problem is not None and rule.fails(field, problem):
            return IGNORED
    for rule in rules:
        if rule.read is not None and value is not None:
            value = rule.read(value)
    return value


def _rule(name: str, options: Any, picklist: Sequence[str]) -> Rule:
    options = options if isinstance(options, Mapping) else {}
    on_fail = options.get("on_fail")
    if on_fail is not None and not isinstance(on_fail, str):
        raise BadRequest(f"The message of validation rule '{name[:64]}' must be text.")
    make = _MAKERS.get(name)
    if make is None:
        raise BadRequest(f"Unknown validation rule '{name[:64]}'.")
    test, read = make(options, picklist)
    return Rule(name, test, on_fail or None, read)


Made = tuple[Test, Callable[[Any], Any] | None]


def _plain(test: Callable[[Any], bool], problem: str) -> Callable[[Mapping[str, Any], Sequence[str]], Made]:
    return lambda _options, _picklist: ((lambda value: None if test(value) else problem), None)


def _is_email(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 320 and _EMAIL.fullmatch(value) is not None


def _url(options: Mapping[str, Any], _picklist: Sequence[str]) -> Made:
    sections = {str(one).lower() for one in _listed(options.get("sections"))}

    def test(value: Any) -> str | None:
        problem = "value must be a valid URL."
        if not isinstance(value, str) or not value.isascii() or re.search(r"[\s\x00-\x1f<>\"{}|\\^`]", value):
            return problem
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            return problem
        hostless = parts.scheme in ("mailto", "news", "file")
        if not parts.scheme or not (parts.hostname or (hostless and parts.path)):
            return problem
        missing = ("path" in sections and not parts.path) or ("query" in sections and not parts.query)
        return problem if missing else None

    return test, None


def _int(options: Mapping[str, Any], _picklist: Sequence[str]) -> Made:
    bounds = options.get("range")
    bounds = bounds if isinstance(bounds, Mapping) else {}
    least, most = (_bound(bounds, end) for end in ("min", "max"))
    formats = {str(one).lower() for one in _listed(options.get("formats"))}

    def read(value: Any) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, float | Decimal):
            return int(value) if value == value // 1 else None
        if not isinstance(value, str):
            return None
        text = value.strip()
        if _DECIMAL.fullmatch(text):
            return int(text)
        if "hex" in formats and _HEX.fullmatch(text):
            return int(text, 16)
        if "octal" in formats and _OCTAL.fullmatch(text):
            return int(text.lower().replace("o", ""), 8)
        return None

    def test(value: Any) -> str | None:
        number = read(value)
        fits = number is not None and (least is None or number >= least) and (most is None or number <= most)
        return None if fits else "value is not in the valid range."

    # What was sent as hexadecimal is a number in the database; the type of the column keeps the rest apart.
    return test, (read if formats else None)


def _bound(bounds: Mapping[str, Any], end: str) -> int | None:
    value = bounds.get(end)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not _DECIMAL.fullmatch(str(value).strip()):
        raise BadRequest(f"The {end} of validation rule 'int' must be a whole number.")
    return int(str(value).strip())


def _float(options: Mapping[str, Any], _picklist: Sequence[str]) -> Made:
    point = options.get("decimal") or "."
    if not isinstance(point, str) or len(point) != 1:
        raise BadRequest("The decimal separator of validation rule 'float' must be one character.")

    def read(value: Any) -> Any:
        return value.strip().replace(point, ".") if isinstance(value, str) and point != "." else value

    def test(value: Any) -> str | None:
        number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        text = isinstance(value, str) and (point == "." or "." not in value) and _FLOAT.fullmatch(read(value).strip())
        return None if number or text else "value is not an acceptable float value."

    return test, (read if point != "." else None)


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, str | int) and str(value).strip().lower() in _BOOLEANS)


def _match(options: Mapping[str, Any], _picklist: Sequence[str]) -> Made:
    """Read a delimited pattern in base64, as PHP writes them.

    It runs on an engine without backtracking, so no pattern and no value can keep a worker busy.
    """
    text = options.get("regexp")
    try:
        pattern = base64.b64decode(text or "", validate=True).decode()
    except (binascii.Error, ValueError, TypeError, AttributeError):
        raise BadRequest("The regexp of validation rule 'match' must be base64 text.") from None
    if not 0 < len(pattern) <= _MOST_PATTERN:
        raise BadRequest(f"The regexp of validation rule 'match' must have 1 to {_MOST_PATTERN} characters.")
    kind = Annotated[str, StringConstraints(pattern=_undelimited(pattern), strict=True)]
    try:
        adapter: TypeAdapter[str] = TypeAdapter(kind, config=ConfigDict(regex_engine="rust-regex"))
    except Exception:
        raise BadRequest("The regexp of validation rule 'match' can not be used.") from None

    def test(value: Any) -> str | None:
        text = value if isinstance(value, str) else str(value) if isinstance(value, int | float | Decimal) else None
        try:
            adapter.validate_python(text)
        except ValidationError:
            return "value is invalid."
        return None

    return test, None


def _undelimited(pattern: str) -> str:
    """Take the delimiters and modifiers of a PHP pattern off: ``/^a+$/i`` → ``(?i)^a+$``."""
    pattern = pattern.strip()
    opening = pattern[:1]
    closing = _CLOSING.get(opening, opening)
    end = pattern.rfind(closing)
    if not opening or opening.isalnum() or opening in "\\ " or end <= 0:
        raise BadRequest("The regexp of validation rule 'match' needs delimiters.")
    body, modifiers = pattern[1:end], pattern[end + 1 :]
    if set(modifiers) - set("imsxuDA"):
        raise BadRequest("The regexp of validation rule 'match' has modifiers that can not be used.")
    flags = "".join(sorted(set(modifiers) & set("imsx")))
    body = rf"\A(?:{body})" if "A" in modifiers else body
    return f"(?{flags}){body}" if flags else body


def _one_of(_options: Mapping[str, Any], picklist: Sequence[str]) -> Made:
    known = set(picklist)
    return (lambda value: None if _member(value) in known else "value is invalid."), None


def _some_of(options: Mapping[str, Any], picklist: Sequence[str]) -> Made:
    known, delimiter = set(picklist), str(options.get("delimiter") or ",")
    least = _count(options, "min") or 1
    most = _count(options, "max")

    def test(value: Any) -> str | None:
        chosen = [part for part in str(value).split(delimiter) if part] if isinstance(value, str | int) else None
        if chosen is None or not known.issuperset(chosen):
            return "value is invalid."
        if most is not None and len(chosen) > most:
            return "contains too many selections."
        return "does not contain enough selections." if len(chosen) < least else None

    return test, None


def _member(value: Any) -> str | None:
    return None if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal) else str(value)


def _count(options: Mapping[str, Any], name: str) -> int | None:
    value = options.get(name)
    if value is None or value == "":
        return None
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise BadRequest(f"The {name} of validation rule 'multi_picklist' must be a whole number.")
    return int(text)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [one.strip() for one in value.split(",")]
    return value if isinstance(value, list) else []


def _is_nothing(value: Any) -> bool:
    return value == "" or (isinstance(value, str) and not value.strip())


def _is_zero(value: Any) -> bool:
    if isinstance(value, str):
        return bool(_FLOAT.fullmatch(value.strip())) and float(value) == 0
    return not isinstance(value, bool) and isinstance(value, int | float | Decimal) and value == 0


_MAKERS: dict[str, Callable[[Mapping[str, Any], Sequence[str]], Made]] = {
    "api_read_only": _plain(lambda _: True, ""),
    "create_only": _plain(lambda _: True, ""),
    "not_null": _plain(lambda value: value is not None, "value can not be null."),
    "not_empty": _plain(lambda value: not _is_nothing(value), "value can not be empty."),
    "not_zero": _plain(lambda value: not _is_zero(value), "value can not be empty."),
    "email": _plain(_is_email, "value must be a valid email address."),
    "url": _url,
    "int": _int,
    "float": _float,
    "boolean": _plain(_is_boolean, "value is not an acceptable boolean value."),
    "match": _match,
    "picklist": _one_of,
    "multi_picklist": _some_of,
}
