"""Creating by PUT or PATCH what is not there, where service or request allow it (database-api 9.3, decisions)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from trunkline.errors import Forbidden
from trunkline_database.access import DENIED
from trunkline_database.nested import Nest
from trunkline_database.plan import Target
from trunkline_database.record import prepare
from trunkline_database.resolve import every
from trunkline_database.store import Rows
from trunkline_database.writer import Writer


def allowed(target: Target) -> bool:
    """Say whether a missing record is to be created."""
    return target.service.config.allow_upsert or target.query.upsert


async def create(target: Target, rows: Rows, key: tuple[Any, ...], record: dict[str, Any]) -> None:
    """Create a record with the key under which it was not found.

    A request may ask for it only with the right to POST; where the service allows it, that is its operator's word.
    """
    creating = target
    if not target.service.config.allow_upsert:
        target.call.caller.demand("POST", target.service.record, f"_table/{target.table.key.lower()}")
        creating = replace(target, verb="POST")
    given = {name: value for name, value in record.items() if target.table.column(str(name)) not in target.identity}
    given.update({column.key: part for column, part in zip(target.identity, key, strict=True)})
    await Nest(rows).create(creating, prepare(creating, given, creating=True))
    # The filters of both verbs bind: what was asked for and what was done.
    if not await Writer(target, rows).exists(every(target.identity, key)):
        raise Forbidden(DENIED)
