"""Lists of tables as ``_table`` and ``_schema`` answer them (database-api 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from trunkline.call import Call
from trunkline_database.model import TableName, listed
from trunkline_database.params import names_in, read_query

if TYPE_CHECKING:
    from trunkline_database.service import DatabaseService


async def table_list(
    service: DatabaseService, call: Call, component: str, access: Callable[[int], Any], alias: bool = False
) -> dict[str, Any]:
    """List the tables that the caller may touch; ``access`` renders the verb mask."""
    query = read_query(call)
    names = await visible(service, call, component, refresh=query.refresh)
    wanted = {one.lower() for one in names_in(call.option("ids"))}
    prefix = call.params.get("schema")
    if wanted:
        names = [(name, mask) for name, mask in names if name.key.lower() in wanted]
    if isinstance(prefix, str) and prefix:
        names = [(name, mask) for name, mask in names if name.key.lower().startswith(f"{prefix.lower()}.")]
    if query.as_list:
        return {"resource": [name.key for name, _ in names]}
    fields = call.option("fields")
    if fields is None:
        return {"resource": [{"name": name.key} for name, _ in names]}
    entries = [{**({"alias": None} if alias else {}), **listed(name), "access": access(mask)} for name, mask in names]
    if fields != "*":
        chosen = names_in(fields)
        entries = [{key: entry[key] for key in chosen if key in entry} for entry in entries]
    return {"resource": entries}


async def visible(
    service: DatabaseService, call: Call, component: str, *, refresh: bool = False
) -> list[tuple[TableName, int]]:
    """List the tables on which the caller has any right, with the mask of it."""
    names = await service.catalogue.names(refresh=refresh)
    masks = [(name, call.caller.mask(service.record, f"{component}/{name.key.lower()}")) for name in names]
    return [(name, mask) for name, mask in masks if mask]
