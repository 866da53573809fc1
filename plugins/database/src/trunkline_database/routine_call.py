"""From a call to the values of a routine's parameters: where they may stand, and which overload they fit (15)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from trunkline.call import Call
from trunkline.errors import BadRequest
from trunkline.lookups import Lookups
from trunkline_database import types
from trunkline_database.routine import Parameter, Routine

_WORD = re.compile(r"\s*(?:'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"|([^,]*))\s*(,|\Z)", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Sent:
    """What a client sent: values in order or by name; None in order is a place that was left empty.

    What came inline may be more than the routine takes, and what came in the query may be meant for something else.
    """

    in_order: tuple[Any, ...] = ()
    by_name: Mapping[str, Any] | None = None
    lenient: bool = False


class _Nothing:
    """Stands where inline parameters have nothing between two commas."""


NOTHING = _Nothing()


def sent(call: Call, inline: str | None, lookups: Lookups) -> Sent:
    """Read the parameters of a call from the first source that has any: body, brackets in the path, query."""
    params = call.body.get("params") if isinstance(call.body, dict) else None
    if params is not None and not isinstance(params, dict | list):
        raise BadRequest("The parameters 'params' must be a list of values or an object of values by name.")
    if params:
        return _filled(_in_body(params), lookups)
    if inline is not None and inline.strip():
        return _filled(Sent(tuple(_inline(inline)), lenient=True), lookups)
    return _filled(Sent(by_name=call.params, lenient=True), lookups)


def bound(overloads: Sequence[Routine], given: Sent) -> tuple[Routine, dict[int, Any]]:
    """Choose the routine that takes what was sent, and answer it with typed values by position; raises BadRequest."""
    if len(overloads) == 1:
        return overloads[0], _typed(_matched(overloads[0], given))
    fitting: list[tuple[tuple[int, ...], Routine, dict[int, Any]]] = []
    for one in overloads:
        try:
            matched = _matched(one, given)
            fitting.append((_distance(one, given, matched), one, _typed(matched)))
        except BadRequest:
            continue
    kind, name = overloads[0].kind, overloads[0].identity.key
    if not fitting:
        raise BadRequest(f"No {kind} '{name}' takes these parameters.")
    least = min(distance for distance, _, _ in fitting)
    nearest = [(routine, values) for distance, routine, values in fitting if distance == least]
    if len(nearest) > 1:
        raise BadRequest(f"Several {kind}s '{name}' take these parameters; name them, or send all of them.")
    return nearest[0]


# Reading.


def _in_body(params: Mapping[str, Any] | Sequence[Any]) -> Sent:
    if isinstance(params, Mapping):
        return Sent(by_name=params)
    if all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in params):
        # OUT parameters may be listed with their types; a value that is not there was not sent.
        return Sent(by_name={one["name"]: one.get("value", NOTHING) for one in params})
    return Sent(tuple(params))


def _inline(text: str) -> Iterator[Any]:
    """Split at commas that are not in quotes; raises BadRequest for quotes that do not end."""
    position, more = 0, True
    while more:
        found = _WORD.match(text, position)
        if found is None:
            raise BadRequest("The parameters in the path cannot be understood.")
        single, double, plain, comma = found.groups()
        if single is not None:
            yield single.replace("''", "'")
        elif double is not None:
            yield double.replace('""', '"')
        else:
            yield plain.strip() or NOTHING
        position, more = found.end(), comma == ","


def _filled(given: Sent, lookups: Lookups) -> Sent:
    def fill(value: Any) -> Any:
        return lookups.fill(value) if isinstance(value, str) else value

    by_name = None if given.by_name is None else {name: fill(value) for name, value in given.by_name.items()}
    return replace(given, in_order=tuple(fill(value) for value in given.in_order), by_name=by_name)


# Matching.


def _matched(routine: Routine, given: Sent) -> list[tuple[Parameter, Any]]:
    """Pair parameters with what was sent for them; raises BadRequest for what has no parameter."""
    takes = [one for one in routine.parameters if one.direction != "OUT"]
    what = f"{routine.kind.capitalize()} '{routine.identity.key}'"
    if given.by_name is None:
        if len(given.in_order) > len(takes) and not given.lenient:
            raise BadRequest(f"{what} takes {len(takes)} parameters, {len(given.in_order)} were sent.")
        pairs = list(zip(takes, given.in_order, strict=False))
    else:
        known = {one.name.lower(): one for one in routine.parameters}
        unknown = [name for name in given.by_name if name.lower() not in known]
        if unknown and not given.lenient:
            raise BadRequest(f"{what} has no parameter '{unknown[0][:64]}'.")
        pairs = [(known[name.lower()], value) for name, value in given.by_name.items() if name.lower() in known]
    return [(one, value) for one, value in pairs if one.direction != "OUT" and value is not NOTHING]


def _typed(pairs: Sequence[tuple[Parameter, Any]]) -> dict[int, Any]:
    return {one.position: _value(one, value) for one, value in pairs}


def _value(parameter: Parameter, value: Any) -> Any:
    column = parameter.column
    if value == "" and column.type in types.BLANK_IS_NULL:
        return None
    # Found in messages, so that a parameter without a name has at least a number there.
    column = column if column.name else replace(column, name=str(parameter.position))
    try:
        return types.incoming(column, value)
    except BadRequest as error:
        raise BadRequest(error.message.replace("Field", "Parameter", 1), context=error.context) from None


def _distance(routine: Routine, given: Sent, pairs: Sequence[tuple[Parameter, Any]]) -> tuple[int, ...]:
    """Rate how badly a routine fits: values without a place, parameters without a value, values of another kind."""
    sent_for = {one.position for one, _ in pairs}
    missing = [one for one in routine.parameters if one.direction != "OUT" and one.position not in sent_for]
    surplus = max(0, len(given.in_order) - len(pairs)) if given.by_name is None else -len(pairs)
    needed = sum(not one.optional for one in missing)
    strange = sum(not _is_kin(one.column.type, value, given.lenient) for one, value in pairs)
    return needed, surplus, len(missing), strange


def _is_kin(kind: str, value: Any, is_text: bool) -> bool:
    """Say whether a value is of the kind that JSON has for a type; or looks so where all is text."""
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, int):
        return kind in types.INTEGERS
    if isinstance(value, float | Decimal):
        return kind in types.FLOATS | types.DECIMALS
    if isinstance(value, list | dict):
        return kind in ("array", "json")
    if is_text and isinstance(value, str) and _NUMBER.fullmatch(value):
        return kind in types.NUMBERS
    return value is None or kind in ("string", "text")
