"""``system/custom``: a store for whatever clients want to keep (system-api 7.10)."""

from __future__ import annotations

from typing import Any, ClassVar

from trunkline_system import writing
from trunkline_system.model import Work
from trunkline_system.models.custom import CustomModel
from trunkline_system.stored import StoredResource


class Custom(StoredResource):
    """Values of clients, common to all."""

    name = "custom"
    label = "Custom"
    description = "JSON values that clients keep by name."
    model = CustomModel
    shown_alone: ClassVar[dict[str, Any]] = {}

    def _read(self, work: Work, rest: tuple[str, ...]) -> Any:
        """Answer the bare value of one record."""
        if not rest:
            return super()._read(work, rest)
        row = writing.read_one(work, self.model, self._key(rest[0]))
        return self.model.shown(self.app, row)["value"]
