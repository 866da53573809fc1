"""The model of a database's data for those who write queries: columns, relations, samples (connectors 11.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline.call import Call, Caller
from trunkline.errors import TrunklineError
from trunkline_database.openapi import relation_entry
from trunkline_database.service import DatabaseService
from trunkline_database.veil import veil_of

if TYPE_CHECKING:
    from trunkline.service import Service
    from trunkline_database.model import Column, Table

_SAMPLES = 3
_MOST_VALUES = 20
# Larger tables are not searched for the values of their columns.
_MOST_ROWS = 100_000
_TEXTS = ("string", "text")
_PATTERNS = [
    "Read: GET /_table/{table}?filter=…&fields=…&order=…&limit=…",
    "Read one: GET /_table/{table}/{id}",
    "Count: GET /_table/{table}?count_only=true",
    'Create: POST /_table/{table} with {"resource": [{…}]}',
    "Change: PATCH /_table/{table}/{id} with the fields to change",
    "Delete: DELETE /_table/{table}/{id}",
]


async def data_model(service: Service, caller: Caller, *, stock: bool = False) -> dict[str, Any]:
    """Tell what a caller may read; samples are what the caller would get, by the filters of the role.

    ``stock`` leaves out samples, values, patterns and templates.
    """
    record = service.record
    told: dict[str, Any] = {
        "service": record.name,
        "description": record.description,
        "tables": {},
        "relationships": {},
    }
    if not isinstance(service, DatabaseService):
        return {**told, "error": f"Service '{record.name}' is no database, so there is no model of its data."}
    for table in await _readable(service, caller):
        told["tables"][table.key] = await _table(service, caller, table, stock=stock)
        relations = [
            relation_entry(one)
            for one in table.relations
            if one.ref_service_id == record.id and caller.may("GET", record, f"_table/{one.ref_table.lower()}")
        ]
        if relations:
            told["relationships"][table.key] = relations
    if not stock:
        told |= {"patterns": _PATTERNS, "query_templates": _templates(told)}
    return told


async def _readable(service: DatabaseService, caller: Caller) -> list[Table]:
    extras = await service.catalogue.extras()
    found = []
    for name in await service.catalogue.names():
        shown = extras.record_name(name.key)
        if caller.may("GET", service.record, f"_table/{shown.lower()}"):
            found.append(await service.catalogue.records_of(shown))
    return found


async def _table(service: DatabaseService, caller: Caller, table: Table, *, stock: bool) -> dict[str, Any]:
    component = f"_table/{table.key.lower()}"
    veil = veil_of(service, Call("GET", service.name, ("_table", table.key), caller=caller), table, component)
    columns = [one for one in table.readable if veil is None or not veil.hides(one)]
    told: dict[str, Any] = {"columns": [_column(one) for one in columns]}
    ask = _Asking(service, caller, table)
    if stock or (count := await ask({"count_only": "true"})) is None:
        return told
    told["row_count"] = count
    told["sample_data"] = ((await ask({"limit": _SAMPLES})) or {}).get("resource", [])
    values = {}
    for column in columns if 0 < count <= _MOST_ROWS else ():
        plain = column.type in _TEXTS and not column.is_virtual and (veil is None or not veil.covers(column))
        if plain and (found := await ask.values(column)):
            values[column.key] = found
    return {**told, "enum_values": values}


class _Asking:
    """Reads a table with the caller's rights."""

    def __init__(self, service: DatabaseService, caller: Caller, table: Table) -> None:
        self._app = service.app
        self._path = f"{service.name}/_table/{table.key}"
        self._caller = caller

    async def __call__(self, params: dict[str, Any]) -> Any:
        """Answer a reply's content; None for what cannot be read."""
        try:
            return (await self._app.ask("GET", self._path, params=params, caller=self._caller)).content
        except TrunklineError:
            return None

    async def values(self, column: Column) -> list[str]:
        """Answer the distinct values of a column; none where there are too many."""
        asked = {"fields": column.key, "group": column.key, "order": column.key, "limit": _MOST_VALUES + 2}
        rows = (await self(asked) or {}).get("resource", [])
        found = [one for row in rows if isinstance(one := row.get(column.key), str) and one]
        return found if len(found) <= _MOST_VALUES else []


def _column(column: Column) -> dict[str, Any]:
    told: dict[str, Any] = {"name": column.key, "type": column.type}
    if column.is_primary_key:
        told["pk"] = True
    if not column.allow_null:
        told["required"] = True
    if column.ref_table:
        told["fk"] = f"{column.ref_table}.{column.ref_field}"
    return told


def _templates(told: dict[str, Any]) -> list[str]:
    """Write out one query a table, and one a relation."""
    found = [f"/_table/{name}?fields={','.join(_some(one))}&limit=10" for name, one in told["tables"].items()]
    for name, relations in told["relationships"].items():
        found += [f"/_table/{name}?{one['usage']}&limit=10" for one in relations]
    return found


def _some(table: dict[str, Any]) -> list[str]:
    return [one["name"] for one in table["columns"][:5]]
