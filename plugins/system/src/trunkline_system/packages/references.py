"""References between records, as packages have them: names, since ids mean nothing on another instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from trunkline.db import tables
from trunkline_system.models.email_template import email_template

# What a field refers to, by the end of its name.
_TARGETS = {
    "service_id": "service", "app_id": "app", "role_id": "role", "user_id": "user", "template_id": "email_template",
}  # fmt: skip
_NAMES: Mapping[str, sa.Column[Any]] = {
    "service": tables.service.c.name,
    "app": tables.app.c.name,
    "role": tables.role.c.name,
    "user": tables.user.c.email,
    "email_template": email_template.c.name,
}


def identity(resource: str) -> str:
    """Answer the field by which records are known on every instance."""
    return {"user": "email", "admin": "email", "cors": "path"}.get(resource, "name")


def target_of(field: str) -> str | None:
    """Say what a field refers to, or None when it refers to nothing."""
    return next((target for end, target in _TARGETS.items() if field == end or field.endswith(f"_{end}")), None)


def is_reference(value: Any) -> bool:
    """Say whether a value of a package is a reference: ``{"role": "reader"}``."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _NAMES


class Names:
    """Answers the name of a record by its id, and back, as the transaction sees it."""

    def __init__(self, connection: sa.Connection) -> None:
        """Ask nothing yet."""
        self._connection = connection
        self._known: dict[tuple[str, int], str | None] = {}

    def reference(self, field: str, value: Any) -> Any:
        """Turn the id in a field into a reference; anything else stays, and a record that is gone is None."""
        target = target_of(field)
        if target is None or not isinstance(value, int) or isinstance(value, bool):
            return value
        key = (target, value)
        if key not in self._known:
            column = _NAMES[target]
            query = sa.select(column).where(column.table.c.id == value)
            self._known[key] = self._connection.scalar(query)
        name = self._known[key]
        return None if name is None else {target: name}

    def id_of(self, reference: Mapping[str, Any]) -> int | None:
        """Answer the id of the record that a reference means, or None."""
        ((target, name),) = reference.items()
        column = _NAMES[target]
        query = sa.select(column.table.c.id).where(sa.func.lower(column) == sa.func.lower(str(name)))
        return self._connection.scalar(query)


def walk(value: Any, change: Callable[[str, Any], Any], field: str = "") -> Any:
    """Rebuild lists and objects, with each value as ``change`` answers it by the name of its field."""
    changed = change(field, value)
    if changed is not value:
        return changed
    if isinstance(value, dict):
        return {key: walk(one, change, key) for key, one in value.items()}
    if isinstance(value, list):
        return [walk(one, change, field) for one in value]
    return value
