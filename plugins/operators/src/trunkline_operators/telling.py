"""What a plan says: records with their differences, then rights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trunkline import json
from trunkline_operators.apply import ADDED, REMOVED, Change, Outcome
from trunkline_operators.comparing import shifts
from trunkline_operators.export import written
from trunkline_operators.secrets import Secret, placeholders

_SIGNS = {ADDED: "+", REMOVED: "-"}
_LONGEST = 200


def lines(outcome: Outcome) -> Iterator[str]:
    """Tell what changes, and who gains or loses what."""
    for change in outcome.changes:
        yield f"{_SIGNS.get(change.action, '~')} {change.place}"
        yield from _differences(change)
    found = shifts(outcome.before, outcome.after)
    if found:
        yield ""
        yield "Rights:"
    for shift in found:
        yield f"  {shift.who}"
        yield from (f"    {'gains' if sign == '+' else 'loses'} {words}" for sign, words in shift.facts)


def _differences(change: Change) -> Iterator[str]:
    before, after = change.before or {}, change.after or {}
    if change.action == REMOVED:
        return
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old or new, list) and all(isinstance(one, dict) for one in (old or []) + (new or [])):
            yield from (f"    - {name}: {one_line(one)}" for one in _without(old or [], new or []))
            yield from (f"    + {name}: {one_line(one)}" for one in _without(new or [], old or []))
        elif isinstance(old or new, dict):
            old, new = old or {}, new or {}
            for key in dict.fromkeys((*old, *new)):
                if old.get(key) != new.get(key):
                    yield f"    {name}.{key}: {_step(change, old.get(key), new.get(key))}"
        else:
            yield f"    {name}: {_step(change, old, new)}"


def _without(some: list[Any], others: list[Any]) -> list[Any]:
    left = list(others)
    found = []
    for one in some:
        if one in left:
            left.remove(one)
        else:
            found.append(one)
    return found


def _step(change: Change, old: Any, new: Any) -> str:
    if isinstance(old, Secret) and isinstance(new, Secret):
        return f"{one_line(old)} -> {one_line(new)} (another value)"
    return one_line(new) if change.action == ADDED else f"{one_line(old)} -> {one_line(new)}"


def one_line(value: Any) -> str:
    """Show a value in one line, secrets as references or placeholders."""
    if value is None:
        return "(nothing)"
    shown = written(value, "", placeholders)
    words = " ".join(shown.split()) if isinstance(shown, str) else json.dumps(shown).decode()
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
