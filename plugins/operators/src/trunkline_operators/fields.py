"""The fields of records as the file has them: names, masks in words, defaults left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from trunkline.call import VERBS, Requestor
from trunkline.errors import BadRequest
from trunkline_operators.kinds import natural_key
from trunkline_operators.names import Names
from trunkline_system.model import Model

_REQUESTORS = {one.name or "": int(one) for one in Requestor}


@dataclass(frozen=True, slots=True)
class Spelling:
    """A column whose value people would rather read in words."""

    name: str
    out: Callable[[Any], Any]
    back: Callable[[Any], Any]


def _in_words(known: Mapping[str, int], what: str) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    def out(mask: Any) -> Any:
        names = [name for name, bit in known.items() if mask & bit]
        return names if sum(known[name] for name in names) == mask else mask

    def back(given: Any) -> Any:
        if not isinstance(given, list):
            return given
        for one in given:
            if one not in known:
                raise BadRequest(f"'{str(one)[:32]}' is no {what}, which are {', '.join(known)}.")
        return sum({known[one] for one in given})

    return out, back


_SPELLINGS = {
    "verb_mask": Spelling("verbs", *_in_words(VERBS, "verb")),
    "requestor_mask": Spelling("requestors", *_in_words(_REQUESTORS, "requestor")),
}


@dataclass(frozen=True, slots=True)
class FileField:
    """One field of a record: its name in the file, its column, and the table that it refers to, if any."""

    name: str
    column: sa.Column[Any]
    target: str | None
    spelling: Spelling | None

    @property
    def default(self) -> Any:
        """The value that the column has where nothing is said."""
        found = self.column.default
        return found.arg if isinstance(found, sa.ColumnDefault) and found.is_scalar else None


def fields_of(model: type[Model], names: Names, skipped: frozenset[str] = frozenset()) -> list[FileField]:
    """List the fields that clients can both read and write; those that records are known by come first."""
    found = {}
    for column in model.table.columns:
        hidden = column.name in model.hidden and column.name not in model.computed
        if hidden or column.name in model.read_only | skipped:
            continue
        target, spelling = names.target_of(column), _SPELLINGS.get(column.name)
        name = spelling.name if spelling else column.name.removesuffix("_id") if target else column.name
        found[column.name] = FileField(name, column, target, spelling)
    first = [one for one in natural_key(model, skipped) if one in found]
    return [found[one] for one in dict.fromkeys((*first, *found))]


def key_of(model: type[Model], names: Names, record: Mapping[str, Any], skipped: frozenset[str]) -> tuple[str, ...]:
    """Answer what a record of a file is known by, as texts."""
    key = natural_key(model, skipped)
    fields = {one.column.name: one for one in fields_of(model, names, skipped)}
    found = []
    for one in key:
        field = fields[one]
        default = derived_of(model, record).get(one, field.default) if record.get(field.name) is None else None
        value = record.get(field.name, field.spelling.out(default) if field.spelling and default else default)
        found.append("" if value is None else "+".join(map(str, value)) if isinstance(value, list) else str(value))
    return tuple(found)


def derived_of(model: type[Model], record: Mapping[str, Any]) -> dict[str, Any]:
    """Answer what a create makes of a record of a file; nothing where the record lacks what that takes."""
    try:
        return model.derived(record)
    except KeyError:
        return {}
