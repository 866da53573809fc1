"""Trying the functions of fields before they are remembered: one that the database refuses would break every read."""

from __future__ import annotations

from collections.abc import Sequence

from trunkline.errors import BadRequest, TrunklineError, Unavailable
from trunkline_database.decorate import decorated
from trunkline_database.extras import Extra, Extras
from trunkline_database.filters import Comparison
from trunkline_database.model import Table
from trunkline_database.plan import Select
from trunkline_database.store import StaleSchema, Store


def has_functions(extras: Sequence[Extra]) -> bool:
    """Say whether there is anything to try."""
    return any((one.words or {}).get("db_function") for one in extras)


async def probe(store: Store, table: Table, extras: Sequence[Extra]) -> None:
    """Read one row through each new function; raises BadRequest that names the field of one that does not work."""
    for one in extras:
        if one.kind != "field" or not has_functions([one]):
            continue
        trial = decorated(table, Extras(fields={table.name.lower(): {one.name: one.words or {}}}))
        column = trial.by_real_name[one.name]
        fields = (column,) if column.is_readable else trial.stored[:1]
        where = Comparison(column.name, "is null") if column.is_filterable else None
        try:
            await store.select(Select(trial, fields, where, limit=1))
        except TrunklineError as error:
            # Unknown columns are told as a stale description; a database that is not there says nothing about the text.
            if isinstance(error, Unavailable) and not isinstance(error, StaleSchema):
                raise
            raise BadRequest(f"The db_function of field '{one.name}' does not work in this database.") from error
