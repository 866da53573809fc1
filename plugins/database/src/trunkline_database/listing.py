"""Lists of tables as ``_table`` and ``_schema`` answer them (database-api 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trunkline.call import Call, Caller
from trunkline.errors import TrunklineError
from trunkline.service import CallPath
from trunkline_database.extras import Words
from trunkline_database.model import TableName, listed
from trunkline_database.params import names_in, read_query

if TYPE_CHECKING:
    from trunkline_database.service import DatabaseService


@dataclass(frozen=True, slots=True)
class Listed:
    """A table in a list: how it is called there, what the caller may do, what is remembered of it."""

    name: TableName
    shown: str
    mask: int
    words: Words

    def entry(self, access: Any, *, alias: bool) -> dict[str, Any]:
        """Render the entry; only lists of ``_schema`` show the alias beside the name."""
        labels = {key: self.words.get(key) or "" for key in ("label", "plural")}
        rendered = listed(self.name, description=self.words.get("description"), **labels)
        first = {"alias": self.words.get("alias")} if alias else {}
        return {**first, **rendered, "name": self.shown, "access": access}


async def table_list(
    service: DatabaseService, call: Call, component: str, access: Callable[[int], Any], alias: bool = False
) -> dict[str, Any]:
    """List the tables that the caller may touch; ``access`` renders the verb mask."""
    query = read_query(call)
    found = await visible(service, call.caller, component, refresh=query.refresh)
    wanted = {one.lower() for one in names_in(call.option("ids"))}
    prefix = call.params.get("schema")
    if wanted:
        found = [one for one in found if one.shown.lower() in wanted]
    if isinstance(prefix, str) and prefix:
        found = [one for one in found if one.name.key.lower().startswith(f"{prefix.lower()}.")]
    if query.as_list:
        return {"resource": [one.shown for one in found]}
    fields = call.option("fields")
    if fields is None:
        return {"resource": [{"name": one.shown} for one in found]}
    entries = [one.entry(access(one.mask), alias=alias) for one in found]
    if fields != "*":
        chosen = names_in(fields)
        entries = [{key: entry[key] for key in chosen if key in entry} for entry in entries]
    return {"resource": entries}


async def visible(service: DatabaseService, caller: Caller, component: str, *, refresh: bool = False) -> list[Listed]:
    """List the tables on which the caller has any right; records go by alias, the schema by real names."""
    names = await service.catalogue.names(refresh=refresh)
    extras = await service.catalogue.extras()
    found = []
    for name in names:
        shown = extras.record_name(name.key) if component == "_table" else name.key
        if mask := caller.mask(service.record, f"{component}/{shown.lower()}"):
            found.append(Listed(name, shown, mask, extras.tables.get(name.key.lower(), {})))
    return found


async def with_tables(service: DatabaseService, caller: Caller, paths: list[CallPath]) -> list[CallPath]:
    """Add to the paths of a resource that of its tables; their names are left out while the database is not there."""
    (own,) = paths
    try:
        names = [one.shown for one in await visible(service, caller, own.path)]
    except TrunklineError:
        names = []
    return [own, CallPath(f"{own.path}/{{table_name}}", own.verbs, {"table_name": names})]
