"""What a role's response filters take out of records of any shape: by names, also inside nested objects (D33)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline_database.documents.names import of_members, overlap
from trunkline_database.model import Column, Table

if TYPE_CHECKING:
    from trunkline.response_filter import Masker, ResponseFilter


class OpenVeil:
    """Fields left out or masked wherever they are; a name with dots is a path."""

    def __init__(self, table: Table, found: ResponseFilter, masker: Masker) -> None:
        """Put the filter on the records of a table."""
        self._relations = table.relations_by_name
        self._found = found
        self._masker = masker
        # There may be something to mask in any record.
        self.masks = True

    def hides(self, column: Column) -> bool:
        """Say whether a field is left out."""
        return not column.is_everything and self._hides(column.name.lower())

    def covers(self, column: Column) -> bool:
        """Say whether a field, or anything in it, is left out or masked: asking for it would tell."""
        if column.is_everything:
            return False
        name, found = column.name.lower(), self._found
        if any(overlap(name, one) for one in (*found.excluded, *(masked for masked, _ in found.masks))):
            return True
        return found.allowed is not None and not any(_within(name, one) for one in found.allowed)

    def put_on(self, row: dict[str, Any]) -> None:
        """Take out of a record what is not for the caller; relations keep their places."""
        self._prune(row, "")

    def _prune(self, record: dict[str, Any], path: str) -> None:
        for key in list(record):
            name = f"{path}{key.lower()}"
            if not path and name in self._relations:
                continue
            if self._hides(name):
                del record[key]
            elif (mask := self._found.mask_of(of_members(name))) is not None:
                record[key] = self._masker(mask, record[key])
            else:
                for one in record[key] if isinstance(record[key], list) else (record[key],):
                    if isinstance(one, dict):
                        self._prune(one, f"{name}.")

    def _hides(self, name: str) -> bool:
        found = self._found
        if any(_within(name, one) for one in found.excluded):
            return True
        return found.allowed is not None and not any(overlap(name, one) for one in found.allowed)


def _within(name: str, path: str) -> bool:
    name, path = of_members(name), of_members(path)
    return name == path or name.startswith(f"{path}.")
