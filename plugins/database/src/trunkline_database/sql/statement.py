"""A compiled statement: its text, how to feed it values, and how to read its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from trunkline_database.sql.driver import RawRow, Values
from trunkline_database.store import Row

Converter = Callable[[Any], Any]
_FIRST_PAUSE, _LONGEST_PAUSE = 1, 4096


@dataclass(slots=True)
class Statement:
    """Compiled text, and how to feed it and read it; ``slots`` maps places in the text to collected values."""

    text: str
    slots: tuple[int, ...] | dict[str, int]
    straight: bool
    constants: tuple[Any, ...]
    binders: tuple[Converter | None, ...] | None
    keys: tuple[str, ...]
    converters: tuple[tuple[str, Converter], ...]
    # Whether it may be tried in the short way that a driver offers; after it proved slow it pauses for some runs.
    small: bool = True
    pause: int = 0
    next_pause: int = _FIRST_PAUSE

    def bound(self, values: list[Any]) -> Values:
        """Arrange collected values as the driver wants them."""
        if self.binders is not None:
            values = [
                value if binder is None or value is None else binder(value)
                for binder, value in zip(self.binders, values, strict=True)
            ]
        if self.constants:
            values = [*values, *self.constants]
        if self.straight:
            return values
        if isinstance(self.slots, dict):
            return {name: values[index] for name, index in self.slots.items()}
        return [values[index] for index in self.slots]

    def may_be_quick(self) -> bool:
        """Say whether the short way should be tried this time."""
        if self.pause:
            self.pause -= 1
            return False
        return self.small

    def was_quick(self, quick: bool) -> None:
        """Learn how it went: what is slow again and again is tried ever more seldom."""
        if quick:
            self.next_pause = _FIRST_PAUSE
        else:
            self.pause, self.next_pause = self.next_pause, min(self.next_pause * 2, _LONGEST_PAUSE)

    def rows(self, found: Sequence[RawRow]) -> list[Row]:
        """Turn raw rows into dictionaries; values pass untouched unless their column needs a converter."""
        keys = self.keys
        # All of it in C: the plain comprehension costs half as much again.
        rows: list[Row] = list(map(dict, map(zip, repeat(keys), found)))
        for key, convert in self.converters:
            for one in rows:
                if (value := one[key]) is not None:
                    one[key] = convert(value)
        return rows
