"""From a call to a Query: every option with its aliases, and the records of the body (database-api 4.1, 5, 9.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from trunkline.call import Call, truth
from trunkline.errors import BadRequest
from trunkline_database.filters import BadFilter

NO_RECORDS = (
    "No record(s) detected in request. Please make sure record(s) are wrapped in a 'resource' tag. "
    'Example: {"resource":[{"record":1},{"record":2}]}'
)
_ALIASES = {
    "fields": ("select",),
    "filter": ("where",),
    "limit": ("top",),
    "offset": ("skip",),
    "order": ("sort", "order_by"),
    "group": ("group_by",),
}
_PLAIN = (
    "ids", "params", "count_only", "include_count", "include_schema", "related", "id_field", "id_type", "continue",
    "rollback", "upsert", "force", "allow_related_delete", "as_list", "refresh", "paging", "page",
)  # fmt: skip
# Every spelling of an option → its name.
_NAMES = {name: name for name in (*_ALIASES, *_PLAIN)} | {
    alias: name for name, aliases in _ALIASES.items() for alias in aliases
}
# What the body may say beside the records (database-api 5); a bare record may have columns of these names.
_IN_BODY = frozenset(_NAMES) - {"as_list", "refresh"}
_AGGREGATE = re.compile(r"(count|sum|avg|min|max)\s*\(\s*([^()]*?)\s*\)", re.IGNORECASE)
_TUPLE_OR_WORD = re.compile(r"\s*(?:\(([^()]*)\)|('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[^,]*))\s*(?:,|\Z)")

AggregateName = Literal["count", "sum", "avg", "min", "max"]


@dataclass(frozen=True, slots=True)
class AggregateField:
    """``SUM(pages)`` and the like among the fields; ``column`` is None for ``COUNT(*)``."""

    function: str
    column: str | None


@dataclass(frozen=True, slots=True)
class OrderField:
    """One member of ``order``."""

    name: str
    descending: bool = False
    nulls: Literal["first", "last"] | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What a request asks of one table, in its own words: nothing is checked against the schema yet.

    ``fields`` is None when not given (all on GET, the key on writes) and empty when given as blank (the key).
    """

    fields: tuple[str | AggregateField, ...] | None = None
    ids: tuple[Any, ...] | None = None
    ids_given: bool = False
    filter: str | Mapping[str, Any] | None = None
    filter_given: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    offset: int = 0
    order: tuple[OrderField, ...] = ()
    group: tuple[str, ...] = ()
    count_only: bool = False
    include_count: bool = False
    include_schema: bool = False
    related: tuple[str, ...] = ()
    id_field: tuple[str, ...] = ()
    id_type: str = ""
    proceed: bool = False
    rollback: bool = False
    upsert: bool = False
    force: bool = False
    allow_related_delete: bool = False
    as_list: bool = False
    refresh: bool = False
    keyset: bool = False
    page: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)

    def below(self, relation: str) -> Query:
        """Answer what is asked of a relation: the options written ``relation.option`` or ``relation_option``.

        What nested relations are asked for is written the same way, so it stays among the options (D30).
        """
        prefix = relation.lower()
        size = len(prefix) + 1
        return _query(
            {
                name[size:]: value
                for name, value in self.raw.items()
                if len(name) > size and name[size - 1] in "._" and name[: size - 1].lower() == prefix
            }
        )


_NOTHING_ASKED = Query()


@dataclass(frozen=True, slots=True)
class Body:
    """The records of a body; ``single`` when one came bare, and is answered bare (D8)."""

    records: tuple[Any, ...] | None = None
    single: bool = False


def read_query(call: Call) -> Query:
    """Read the options of a call; the query string wins over the body. Raises BadRequest for what cannot be one."""
    asked: dict[str, Any] = dict(_options_in(call))
    asked.update(call.params)
    return _query(asked) if asked else _NOTHING_ASKED


def read_body(call: Call) -> Body:
    """Read the records of a call's body: ``{"resource": …}``, an array, or one bare object (D8)."""
    body = call.body
    if isinstance(body, list):
        return Body(tuple(body))
    if not isinstance(body, dict):
        return Body()
    if "resource" in body:
        inner = body["resource"]
        if isinstance(inner, list):
            return Body(tuple(inner))
        return Body((inner,)) if isinstance(inner, dict) else Body()
    if not body or _says_options(call):
        return Body()
    return Body((body,), single=True)


def split_ids(value: Any) -> tuple[Any, ...]:
    """Take apart identifiers: ``1,2``, ``(1,a),(2,b)``, or a JSON array of scalars, arrays or objects (D12)."""
    if isinstance(value, list):
        return tuple(tuple(one) if isinstance(one, list) else one for one in value)
    if isinstance(value, str):
        return tuple(_split_words(value))
    if isinstance(value, dict | None):
        raise BadRequest("The parameter 'ids' must be a list of identifiers.")
    return (value,)


def names_in(value: Any) -> tuple[str, ...]:
    """Split a list of names, given as text with commas or as an array; raises BadRequest for anything else."""
    if value is None:
        return ()
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(one, str) for one in parts):
        raise BadRequest("A list of names must be text with commas, or an array of texts.")
    return tuple(one.strip() for one in parts if one.strip())


# Options.


def _options_in(call: Call) -> Iterator[tuple[str, Any]]:
    body = call.body
    if isinstance(body, dict) and ("resource" in body or _says_options(call)):
        for name, value in body.items():
            if name in _IN_BODY:
                yield name, value


def _says_options(call: Call) -> bool:
    """Say whether a body without ``resource`` holds options and not a bare record: only where none is due."""
    body = call.body
    return call.method in ("GET", "DELETE") and isinstance(body, dict) and any(name in _IN_BODY for name in body)


def _query(asked: Mapping[str, Any]) -> Query:
    options = {_NAMES[name]: value for name, value in asked.items() if name in _NAMES}
    if not options:
        return _NOTHING_ASKED if not asked else Query(raw=asked)
    found: dict[str, Any] = {"raw": asked}
    for name, value in options.items():
        if name in _READERS:
            key, read = _READERS[name]
            found[key] = read(value)
    found["filter_given"] = "filter" in options
    found["ids_given"] = "ids" in options
    return Query(**found)


def _read_fields(value: Any) -> tuple[str | AggregateField, ...] | None:
    if value == "*":
        return ("*",)
    if isinstance(value, str):
        # No column list has commas inside parentheses, so aggregates survive the split.
        value = value.split(",")
    return tuple(_field(name) for name in names_in(value))


def _field(name: str) -> str | AggregateField:
    found = _AGGREGATE.fullmatch(name)
    if found is None:
        return name
    function, column = found.group(1).lower(), found.group(2)
    if column == "*" and function == "count":
        return AggregateField(function, None)
    return AggregateField(function, column)


def _read_filter(value: Any) -> str | Mapping[str, Any] | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str | dict):
        raise BadFilter("The filter must be text.")
    return value


def _read_params(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _read_ids(value: Any) -> tuple[Any, ...] | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    return split_ids(value)


def _read_number(value: Any) -> int | None:
    """Read a whole number; anything else counts as not given, as recorded for ``limit``."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    text = str(value).strip()
    return int(text) if len(text) < 19 and text.lstrip("-").isascii() and text.lstrip("-").isdigit() else None


def _read_limit(value: Any) -> int | None:
    number = _read_number(value)
    return number if number is not None and number > 0 else None


def _read_offset(value: Any) -> int:
    return max(_read_number(value) or 0, 0)


def _read_paging(value: Any) -> bool:
    """Read whether pages begin behind a cursor; raises BadRequest for a way of paging that is not known."""
    word = str(value).strip().lower()
    if word not in ("keyset", "offset", ""):
        raise BadRequest("The parameter 'paging' must be keyset or offset.")
    return word == "keyset"


def _read_order(value: Any) -> tuple[OrderField, ...]:
    if isinstance(value, str) and ";" in value:
        raise BadRequest("Invalid order by clause in request.")
    return tuple(_order_field(one) for one in names_in(value))


def _order_field(text: str) -> OrderField:
    """Read ``name [asc|desc] [nulls first|nulls last]``; raises BadRequest for other words (D9)."""
    name, *words = text.split()
    words = [word.lower() for word in words]
    nulls: Literal["first", "last"] | None = None
    if words[-2:] in (["nulls", "first"], ["nulls", "last"]):
        nulls = "first" if words[-1] == "first" else "last"
        words = words[:-2]
    if words not in ([], ["asc"], ["desc"]):
        raise BadRequest(f"Invalid direction '{' '.join(words)[:64]}' in order by clause.")
    return OrderField(name, words == ["desc"], nulls)


_READERS: dict[str, tuple[str, Any]] = {
    "fields": ("fields", _read_fields),
    "ids": ("ids", _read_ids),
    "filter": ("filter", _read_filter),
    "params": ("params", _read_params),
    "limit": ("limit", _read_limit),
    "offset": ("offset", _read_offset),
    "order": ("order", _read_order),
    "group": ("group", names_in),
    "count_only": ("count_only", truth),
    "include_count": ("include_count", truth),
    "include_schema": ("include_schema", truth),
    "related": ("related", names_in),
    "id_field": ("id_field", names_in),
    "id_type": ("id_type", str),
    "continue": ("proceed", truth),
    "rollback": ("rollback", truth),
    "upsert": ("upsert", truth),
    "force": ("force", truth),
    "allow_related_delete": ("allow_related_delete", truth),
    "as_list": ("as_list", truth),
    "refresh": ("refresh", truth),
    "paging": ("keyset", _read_paging),
    "page": ("page", str),
}


# Identifiers.


def _split_words(text: str) -> Iterator[str | tuple[str, ...]]:
    position = 0
    while position < len(text):
        found = _TUPLE_OR_WORD.match(text, position)
        if found is None:
            raise BadRequest("The list of identifiers cannot be understood.")
        position = found.end()
        inner, word = found.groups()
        if inner is not None:
            yield tuple(str(one) for one in _split_words(inner))
        elif word.strip():
            yield _unquoted(word)


def _unquoted(word: str) -> str:
    word = word.strip()
    if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"":
        return word[1:-1].replace(word[0] * 2, word[0])
    return word


def tuple_of(text: str) -> Sequence[str]:
    """Take apart one identifier of several columns, with its parentheses or without them."""
    (first, *others) = _split_words(text) if text.strip() else [""]
    return first if isinstance(first, tuple) else (first, *(str(one) for one in others))
