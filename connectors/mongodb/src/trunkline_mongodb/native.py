"""MongoDB's own words from clients: filters and update operators, each by a list of what is allowed (checklist 3).

What is not on a list is refused, above all what runs code or looks elsewhere: ``$where``, ``$function``, ``$expr``,
``$jsonSchema``, ``$text``. Names of fields are checked and typed as in any other filter, so a role's filters and
response filters bind here as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trunkline import json
from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.filters import And, BadFilter, Comparison, Literal, Node, Not, Or
from trunkline_database.model import Column, Table
from trunkline_mongodb.values import incoming, special

_MOST_DEPTH, _MOST_PARTS = 50, 5_000
_LONGEST_PATTERN = 1_000
_LONGEST_NAME = 256
_OPTIONS = frozenset("imsx")
_TYPES = frozenset(
    {"double", "string", "object", "array", "binData", "objectId", "bool", "date", "null", "regex", "int", "timestamp",
     "long", "decimal", "number"}
)  # fmt: skip


# Filters.


def filter_of(given: str | Mapping[str, Any]) -> Node | None:
    """Read a native filter, as an object or as its JSON text; None for a text of another kind.

    Raises BadFilter for an empty one, which would match everything (D26), and for every operator that is not allowed.
    """
    if isinstance(given, str):
        if not given.lstrip().startswith("{"):
            return None
        try:
            loaded = json.loads(given)
        except BadRequest:
            return None
        given = loaded
    if not isinstance(given, Mapping) or not given:
        raise BadFilter("The filter has no condition.")
    return _Reader().tree(given, 1)


class _Reader:
    """Reads one filter; counts its parts."""

    def __init__(self) -> None:
        self._parts = 0

    def tree(self, given: Any, depth: int) -> Node:
        self._count(depth)
        if not isinstance(given, Mapping) or not given:
            raise BadFilter("Every condition of the filter must be an object that is not empty.")
        nodes = tuple(self._member(str(name), value, depth) for name, value in given.items())
        return And(nodes) if len(nodes) > 1 else nodes[0]

    def _member(self, name: str, value: Any, depth: int) -> Node:
        if name in ("$and", "$or", "$nor"):
            if not isinstance(value, list) or not value:
                raise BadFilter(f"'{name}' takes a list of conditions.")
            nodes = tuple(self.tree(one, depth + 1) for one in value)
            if name == "$and":
                return And(nodes) if len(nodes) > 1 else nodes[0]
            node = Or(nodes) if len(nodes) > 1 else nodes[0]
            return Not(node) if name == "$nor" else node
        if name.startswith("$"):
            raise BadFilter(f"The operator '{name[:32]}' is not permitted.")
        return Comparison(name, "matches", Literal(self._condition(value, depth + 1), quoted=True))

    def _condition(self, value: Any, depth: int) -> dict[str, Any]:
        """Answer a condition as operators only: a bare value means that it is equal."""
        if not _is_operators(value):
            return {"$eq": self._value(value, depth)}
        return self._operators(value, depth)

    def _operators(self, given: Mapping[str, Any], depth: int) -> dict[str, Any]:
        self._count(depth)
        if "$options" in given and "$regex" not in given:
            raise BadFilter("'$options' needs '$regex' beside it.")
        return {str(name): self._operand(str(name), value, depth) for name, value in given.items()}

    def _operand(self, name: str, value: Any, depth: int) -> Any:
        match name:
            case "$eq" | "$ne" | "$gt" | "$gte" | "$lt" | "$lte":
                return self._value(value, depth)
            case "$in" | "$nin" | "$all":
                if not isinstance(value, list) or not value:
                    raise BadFilter(f"'{name}' takes a list of values.")
                return [self._value(one, depth) for one in value]
            case "$exists":
                if isinstance(value, bool) or value in (0, 1):
                    return bool(value)
            case "$not":
                if _is_operators(value):
                    return self._operators(value, depth + 1)
            case "$elemMatch":
                return self._element(value, depth + 1)
            case "$size":
                if type(value) is int and 0 <= value < 2**31:
                    return value
            case "$mod":
                if isinstance(value, list) and len(value) == 2 and all(type(one) is int for one in value) and value[0]:
                    return value
            case "$type":
                names = value if isinstance(value, list) else [value]
                if names and all(isinstance(one, str) and one in _TYPES for one in names):
                    return value
            case "$regex":
                return _pattern(value)
            case "$options":
                if isinstance(value, str) and _OPTIONS.issuperset(value):
                    return value
            case _:
                raise BadFilter(f"The operator '{name[:32]}' is not permitted.")
        raise BadFilter(f"The value of '{name}' is not one that it takes.")

    def _element(self, value: Any, depth: int) -> dict[str, Any]:
        """Read the condition of ``$elemMatch``: of values, or of the fields of objects."""
        if _is_operators(value):
            return self._operators(value, depth)
        self._count(depth)
        if not isinstance(value, Mapping) or not value:
            raise BadFilter("'$elemMatch' takes a condition.")
        found: dict[str, Any] = {}
        for name, one in value.items():
            if name in ("$and", "$or", "$nor") and isinstance(one, list) and one:
                found[name] = [self._element(item, depth + 1) for item in one]
            elif str(name).startswith("$") or "\0" in str(name) or len(str(name)) > _LONGEST_NAME:
                raise BadFilter(f"The operator '{str(name)[:32]}' is not permitted.")
            else:
                found[str(name)] = self._condition(one, depth + 1)
        return found

    def _value(self, value: Any, depth: int) -> Any:
        self._count(depth)
        if _is_operators(value) and special(value) is None:
            raise BadFilter("An operator stands where a value is due.")
        return incoming(value, depth)

    def _count(self, depth: int) -> None:
        self._parts += 1
        if depth > _MOST_DEPTH or self._parts > _MOST_PARTS:
            raise BadFilter("The filter is too large.")


def _is_operators(value: Any) -> bool:
    """Say whether an object holds operators; one that stands for a value does not."""
    if not isinstance(value, Mapping) or not any(str(name).startswith("$") for name in value):
        return False
    return len(value) > 1 or special(value) is None


def _pattern(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_PATTERN or "\0" in value:
        raise BadFilter("The value of '$regex' is not one that it takes.")
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError):
        raise BadFilter("The value of '$regex' is not one that it takes.") from None
    return value


# Update operators.


@dataclass(frozen=True, slots=True)
class Operated:
    """A change of one column by an operator; the argument is as MongoDB takes it."""

    operator: str
    argument: Any


def changes_of(table: Table, operator: str, given: Any) -> dict[str, Any]:
    """Read what an update operator does to which column; raises BadRequest that says what is wrong."""
    read = _OPERATORS.get(operator)
    if read is None:
        raise BadRequest(f"The operator '{operator[:32]}' is not permitted.")
    if not isinstance(given, Mapping) or not given:
        raise BadRequest(f"'{operator}' takes an object with the fields that it changes.")
    found: dict[str, Any] = {}
    for name, value in given.items():
        column = table.column(str(name))
        if column is None:
            raise BadRequest(f"Invalid field in '{operator}': {str(name)[:128]}")
        if not column.is_open:
            found[column.name] = _of_declared(column, operator, value)
        elif operator == "$set":
            found[column.name] = value
        else:
            found[column.name] = Operated(operator, read(value))
    return found


def _of_declared(column: Column, operator: str, value: Any) -> Any:
    """Read a change of a declared column, which has a type to keep."""
    if operator == "$set":
        if column.rules:
            raise BadRequest(f"Field '{column.key}' has rules, so it can not be changed by an operator.")
        return types.stored(column, value)
    if operator == "$unset":
        return types.stored(column, None)
    if operator in ("$inc", "$mul") and column.type in types.NUMBERS and not column.rules:
        number = types.incoming(column, value)
        return Operated(operator, _exact(number))
    raise BadRequest(f"Field '{column.key}' can not be changed by '{operator}'.")


def _exact(value: Any) -> Any:
    return incoming(value) if isinstance(value, Decimal) else value


def _number(value: Any) -> Any:
    found = incoming(value)
    if isinstance(found, bool | str | list | dict | bytes) or found is None:
        raise BadRequest("The operator takes a number.")
    return found


def _anything(_value: Any) -> Any:
    return ""


def _pushed(value: Any) -> Any:
    """Read what is appended: a value, or several with ``$each`` and where they go."""
    if not isinstance(value, Mapping) or "$each" not in value:
        return incoming(value)
    found: dict[str, Any] = {}
    for name, one in value.items():
        if name == "$each" and isinstance(one, list):
            found[name] = [incoming(item) for item in one]
        elif (name in ("$slice", "$position") and type(one) is int) or (name == "$sort" and _is_sort(one)):
            found[name] = one
        else:
            raise BadRequest(f"'{str(name)[:32]}' is not permitted beside '$each'.")
    return found


def _is_sort(value: Any) -> bool:
    if isinstance(value, Mapping):
        names = [str(name) for name in value]
        return bool(names) and all(not name.startswith("$") for name in names) and all(map(_is_way, value.values()))
    return _is_way(value)


def _is_way(value: Any) -> bool:
    return type(value) is int and value in (1, -1)


def _pulled(value: Any) -> Any:
    """Read what is taken out: a value, or a condition on values or on the fields of objects."""
    if _is_operators(value):
        return _Reader()._operators(value, 1)
    if isinstance(value, Mapping) and value and not (len(value) == 1 and special(value) is not None):
        return _Reader()._element(value, 1)
    return incoming(value)


def _list(value: Any) -> Any:
    if not isinstance(value, list):
        raise BadRequest("The operator takes a list.")
    return incoming(value)


def _end(value: Any) -> Any:
    if not _is_way(value):
        raise BadRequest("'$pop' takes 1 or -1.")
    return value


def _now(value: Any) -> Any:
    if value is True or value == {"$type": "date"}:
        return True
    if value == {"$type": "timestamp"}:
        return value
    raise BadRequest("'$currentDate' takes true.")


def _bits(value: Any) -> Any:
    if not isinstance(value, Mapping) or len(value) != 1 or not {"and", "or", "xor"}.issuperset(value):
        raise BadRequest("'$bit' takes and, or or xor with a number.")
    if any(type(one) is not int for one in value.values()):
        raise BadRequest("'$bit' takes and, or or xor with a number.")
    return incoming(dict(value))


_OPERATORS: dict[str, Callable[[Any], Any]] = {
    "$set": incoming, "$unset": _anything, "$inc": _number, "$mul": _number, "$min": incoming, "$max": incoming,
    "$push": _pushed, "$addToSet": _pushed, "$pull": _pulled, "$pullAll": _list, "$pop": _end, "$currentDate": _now,
    "$bit": _bits,
}  # fmt: skip
