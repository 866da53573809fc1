"""From what a routine left to the reply, with ``returns``, ``schema`` and ``wrapper`` (database-api 15, D31)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trunkline import json
from trunkline.call import Call, Reply
from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.model import Column
from trunkline_database.routine import Outcome, Routine

# Types that a value is taken for as it is.
_AS_THEY_ARE = frozenset({"json", "array"})
_KNOWN = (types.READERS.keys() | {"string", "text"}) - _AS_THEY_ARE


@dataclass(frozen=True, slots=True)
class Shape:
    """How a client wants the result: as a scalar of a type, with values cast by column, with rows under a key."""

    returns: str = ""
    casts: Mapping[str, str] = field(default_factory=dict)
    wrapper: str = ""

    @classmethod
    def of(cls, call: Call) -> Shape:
        """Read the options of a call, before it has any effect; raises BadRequest for what cannot be one."""
        casts = call.option("schema")
        if isinstance(casts, str):
            casts = json.loads(casts)
        if casts is not None and not (isinstance(casts, dict) and all(isinstance(one, str) for one in casts.values())):
            raise BadRequest("The option 'schema' must be an object with a type for each column.")
        returns = str(call.option("returns") or "").strip().lower()
        if returns and returns != "table" and returns not in _KNOWN | _AS_THEY_ARE:
            raise BadRequest(f"The option 'returns' has an unknown type '{returns[:64]}'.")
        wrapper = call.option("wrapper") or ""
        if not isinstance(wrapper, str):
            raise BadRequest("The option 'wrapper' must be a text.")
        return cls(returns, casts or {}, wrapper)


def shaped(routine: Routine, outcome: Outcome, shape: Shape) -> Any:
    """Build the reply of a call."""
    sets = [[_cast_row(row, shape.casts) for row in one] for one in outcome.sets]
    out = _cast_row(outcome.out, shape.casts)
    rows: Any = sets if len(sets) > 1 else (sets[0] if sets else [])
    if shape.returns not in ("", "table"):
        return _scalar(_cast(shape.returns, _first(sets, out, outcome.value)))
    if routine.kind == "function" and not sets and not out and not routine.returns_rows:
        return _scalar(outcome.value)
    if out:
        key = shape.wrapper or "resource"
        return {key: rows, **{name: value for name, value in out.items() if name != key}} if sets else out
    return {shape.wrapper: rows} if shape.wrapper else rows


def _first(sets: list[list[dict[str, Any]]], out: Mapping[str, Any], value: Any) -> Any:
    """Find the one value: the first cell of the first row, else the first OUT value, else that of the function."""
    row: Mapping[str, Any] = sets[0][0] if sets and sets[0] else ({} if sets else out)
    return next(iter(row.values()), None if sets or out else value)


def _scalar(value: Any) -> Any:
    """Answer a value bare; nothing at all for NULL, as recorded."""
    return Reply(b"", media_type="application/json") if value is None else value


def _cast_row(row: Mapping[str, Any], casts: Mapping[str, str]) -> dict[str, Any]:
    return {name: _cast(casts[name], value) if name in casts else value for name, value in row.items()}


def _cast(kind: str, value: Any) -> Any:
    """Convert a value to a type; what is not of it stays, as a refusal would come after the routine did its work."""
    kind = kind.strip().lower()
    if value is None or kind not in _KNOWN:
        return value
    try:
        return types.incoming(Column("", kind, kind), value)
    except BadRequest:
        return value
