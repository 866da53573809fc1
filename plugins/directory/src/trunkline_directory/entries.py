"""Entries as a directory answers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its name, and values by attributes in small letters, in the bytes that the directory sent."""

    name: str
    values: Mapping[str, Sequence[bytes]]

    def texts(self, attribute: str) -> list[str]:
        """List the values of an attribute that are text."""
        found = []
        for value in self.values.get(attribute.lower(), ()):
            try:
                found.append(value.decode())
            except UnicodeDecodeError:
                continue
        return found

    def text(self, *attributes: str) -> str | None:
        """Answer the first value of the first attribute that has one, or None."""
        return next((one for name in attributes for one in self.texts(name) if one), None)

    def number(self, attribute: str) -> int | None:
        """Answer a value that is a number, or None."""
        try:
            return int(self.text(attribute) or "")
        except ValueError:
            return None

    def raw(self, attribute: str) -> bytes | None:
        """Answer the first value as it is, or None."""
        return next(iter(self.values.get(attribute.lower(), ())), None)


@dataclass(frozen=True, slots=True)
class Found:
    """Entries that a search found, and whether these are all."""

    entries: Sequence[Entry]
    is_complete: bool = True
