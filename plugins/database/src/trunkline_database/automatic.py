"""Columns that the server fills in: when a record was made or changed, and by whom (database-api 12.2)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from trunkline.call import Caller
from trunkline_database.model import ON_UPDATE, Table


def values(table: Table, caller: Caller, *, creating: bool) -> dict[str, Any]:
    """Answer what the server puts into a record that is made or changed now; times are UTC.

    A caller who is nobody in particular leaves a column alone that must have somebody.
    """
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0).isoformat(" ")
    found: dict[str, Any] = {}
    for column in table.filled:
        if not creating and column.type not in ON_UPDATE:
            continue
        value = now if column.type.startswith("timestamp") else caller.user.id if caller.user is not None else None
        if value is not None or column.allow_null:
            found[column.name] = value
    return found
