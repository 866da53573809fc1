"""Names of fields that nobody declared: paths with dots, and whether two of them are of one value."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trunkline_database.model import Column, Table

_LONGEST_PATH = 256


class ColumnsByName(dict[str, "Column"]):
    """Columns by their real names; those of an open table are made as they are asked for."""

    def __init__(self, table: Table) -> None:
        """Know the columns that a table has."""
        super().__init__((one.name, one) for one in table.columns)
        self._make = table.open_column if table.is_open else None

    def __contains__(self, name: object) -> bool:
        """Say whether there is a column of this name."""
        known = super().__contains__(name)
        return known or (self._make is not None and isinstance(name, str) and self._make(name) is not None)

    def __missing__(self, name: str) -> Column:
        """Make the column of an open table."""
        found = self._make(name) if self._make is not None else None
        if found is None:
            raise KeyError(name)
        return found


def can_be_open(name: str) -> bool:
    """Say whether a name can be that of a field nobody declared: no operator, no empty part of a path, no NUL."""
    parts = name.split(".")
    fits = len(name) <= _LONGEST_PATH and "\0" not in name and name != "*"
    return fits and all(one and one[0] != "$" for one in parts)


def overlap(one: str, other: str) -> bool:
    """Say whether two names are of one value: the same, or one a path into the other, whichever member of a list."""
    one, other = of_members(one), of_members(other)
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def of_members(path: str) -> str:
    """Leave out of a path which members of lists it leads through: ``a.0.b`` → ``a.b``."""
    first, *rest = path.split(".")
    return ".".join((first, *(part for part in rest if not part.isdigit()))) if rest else path
