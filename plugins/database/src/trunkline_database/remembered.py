"""What clients want remembered of tables and fields, from their JSON, checked before anything is changed (13.7, 14)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trunkline import json
from trunkline.call import truth
from trunkline.errors import BadRequest, Conflict
from trunkline_database.definition import read_name
from trunkline_database.extras import Words
from trunkline_database.model import label_of, plural_of
from trunkline_database.validation import rules_of

# Types that no database has; the words after them are what a database makes of them (13.5).
REMEMBERED_TYPES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("timestamp_on_create", "timestamp_on_update"), frozenset({"timestamp", "datetime", "timestamptz"})
    ),
    **dict.fromkeys(
        ("user_id", "user_id_on_create", "user_id_on_update"), frozenset({"integer", "bigint", "reference"})
    ),
}

_MOST_TEXT = 4000
_MOST_WORDS = 65_536
_USES = frozenset({"SELECT", "FILTER", "INSERT", "UPDATE"})
# Names in lists, paths and filters end at these.
_NOT_IN_ALIASES = frozenset(",;/()'\"\\?#&=<>!")

Given = Mapping[str, Any]


def lowered(given: Given) -> dict[str, Any]:
    """Answer a client's object with its keys in lower case (13.5)."""
    return {str(name).lower(): value for name, value in given.items()}


def table_words(given: Given, name: str, fields: Iterable[str]) -> Words:
    """Read what is to be remembered of a table; raises BadRequest that says what is wrong."""
    keys, where = lowered(given), f"table '{name}'"
    words = _common(keys, label_of(name), where)
    if "plural" in keys:
        plural = _text(keys["plural"], f"plural of {where}")
        words["plural"] = None if plural == plural_of(str(words.get("label") or label_of(name))) else plural
    if "name_field" in keys:
        field = keys["name_field"] or None
        if field is not None and field not in list(fields):
            raise BadRequest(f"The name_field of {where} must be one of its fields.")
        words["name_field"] = field
    return _fitting(words, where)


def field_words(given: Given, name: str, *, virtual: bool) -> Words:
    """Read what is to be remembered of a field; raises BadRequest that says what is wrong."""
    keys, where = lowered(given), f"field '{name}'"
    words = _common(keys, label_of(name), where)
    if "picklist" in keys:
        words["picklist"] = _picklist(keys["picklist"], where)
    if "validation" in keys:
        words["validation"] = keys["validation"] or None
        rules_of(words["validation"], words.get("picklist"))
    if "client_info" in keys:
        words["client_info"] = keys["client_info"] or None
    kind = str(keys.get("type") or "").strip().lower()
    if "db_function" in keys:
        words["db_function"], old_kind, aggregate = _functions(keys["db_function"], where)
        kind = old_kind if kind == "virtual" and old_kind else kind
        if aggregate:
            words["is_aggregate"] = True
    if virtual:
        words["is_virtual"] = True
        words["type"] = "string" if kind in ("", "virtual") else kind
    elif kind:
        words["type"] = kind if kind in REMEMBERED_TYPES else None
    if "is_aggregate" in keys and not words.get("is_aggregate"):
        words["is_aggregate"] = truth(keys["is_aggregate"]) or None
    return _fitting(words, where)


def relation_words(given: Given, name: str) -> Words:
    """Read what is to be remembered of a relation beside what it is."""
    keys, where = lowered(given), f"relationship '{name}'"
    words = _common(keys, label_of(name), where)
    for flag in ("always_fetch", "flatten", "flatten_drop_prefix"):
        if flag in keys:
            words[flag] = truth(keys[flag]) or None
    return _fitting(words, where)


def check_aliases(names: Iterable[tuple[str, str | None]]) -> None:
    """Refuse aliases under which two things would be found; ``names`` are pairs of real name and alias."""
    pairs = [(real.lower(), alias.lower() if alias else None) for real, alias in names]
    for index, (_, alias) in enumerate(pairs):
        others = (pair for place, pair in enumerate(pairs) if place != index)
        if alias is not None and any(alias in pair for pair in others):
            raise Conflict(f"The alias '{alias[:128]}' is already in use.")


def _common(keys: Given, default_label: str, where: str) -> dict[str, Any]:
    """Read alias, label and description; a label that is the default one need not be remembered."""
    words: dict[str, Any] = {}
    if "alias" in keys:
        words["alias"] = _alias(keys["alias"], where)
    if "label" in keys:
        label = _text(keys["label"], f"label of {where}")
        words["label"] = None if label == default_label else label
    if "description" in keys:
        words["description"] = _text(keys["description"], f"description of {where}")
    return words


def _alias(value: Any, where: str) -> str | None:
    if value is None or value == "":
        return None
    alias = read_name(value, f"The alias of {where} must be text.")
    if _NOT_IN_ALIASES & set(alias):
        raise BadRequest(f"The alias of {where} has characters that no name in a request can have.")
    return alias


def _text(value: Any, what: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        raise BadRequest(f"The {what} must be text of at most {_MOST_TEXT} characters.")
    return value


def _picklist(value: Any, where: str) -> list[str] | None:
    """Read an array, or text with commas."""
    if not value:
        return None
    members = value.split(",") if isinstance(value, str) else value
    if not isinstance(members, list) or any(isinstance(one, dict | list | bool | None) for one in members):
        raise BadRequest(f"The picklist of {where} must be an array of texts.")
    return [str(one).strip() for one in members]


def _functions(value: Any, where: str) -> tuple[list[dict[str, Any]] | None, str, bool]:
    """Read functions of either form; answers them with the type and the aggregate flag that only the old form has."""
    if not value:
        return None, "", False
    if isinstance(value, Mapping) and "use" not in value:
        aggregate = truth(value.get("aggregate"))
        uses = ["SELECT"] if aggregate else ["SELECT", "FILTER"]
        made = {"use": uses, "function": _sql(value.get("function"), where), "function_type": "database"}
        return [made], str(value.get("type") or "").strip().lower(), aggregate
    entries = value if isinstance(value, list) else [value]
    return [_function(one, where) for one in entries], "", False


def _function(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise BadRequest(f"The db_function of {where} must be an array of objects.")
    uses = given.get("use")
    uses = [uses] if isinstance(uses, str) else uses
    if not isinstance(uses, list) or not uses or not _USES.issuperset(str(one).upper() for one in uses):
        raise BadRequest(f"The use of a db_function of {where} must be among {', '.join(sorted(_USES))}.")
    if str(given.get("function_type") or "database").lower() != "database":
        raise BadRequest(f"The db_function of {where} must be of function_type database.")
    named = {**given, "use": [str(one).upper() for one in uses], "function": _sql(given.get("function"), where)}
    return {"function_type": "database", **named}


def _sql(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _MOST_TEXT or "\x00" in value:
        raise BadRequest(f"The db_function of {where} needs a function of at most {_MOST_TEXT} characters.")
    return value.strip()


def _fitting(words: Words, where: str) -> Words:
    if len(json.dumps(words)) > _MOST_WORDS:
        raise BadRequest(f"What is to be remembered of {where} is too long.")
    return words
