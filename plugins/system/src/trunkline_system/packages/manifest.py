"""What could be exported, and what a client has chosen of it (system-api 20.1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline.call import Call
from trunkline.errors import BadRequest, TrunklineError
from trunkline_system.model import Work
from trunkline_system.packages.references import identity
from trunkline_system.stored import StoredResource

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.service import Resource

FORMAT = "0.1"
SYSTEM = "system"
_OF_ACCOUNTS = ("username", "email", "first_name", "last_name")
# Groups of services whose content can be part of a package.
_DATABASE = "Database"
_GROUPS = (_DATABASE, "File")


def head(*, secured: bool = False) -> dict[str, Any]:
    """Answer what every manifest begins with."""
    return {
        "version": FORMAT,
        "product": "trunkline",
        "df_version": version("trunkline"),
        "secured": secured,
        "description": "",
        "created_date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    }


def exportable(resources: Mapping[str, Resource]) -> dict[str, StoredResource]:
    """Pick the resources whose records can be part of a package."""
    return {name: one for name, one in resources.items() if isinstance(one, StoredResource)}


def of_system(work: Work, resources: Mapping[str, StoredResource]) -> dict[str, list[Any]]:
    """List the records that the caller may read, by resource."""
    found: dict[str, list[Any]] = {}
    for name, resource in resources.items():
        model = resource.model
        if not work.may("GET", model):
            continue
        field = "id" if name == "cors" else identity(name)
        columns = [model.table.c[one] for one in (_OF_ACCOUNTS if field == "email" else (field,))]
        query = sa.select(*columns).order_by(model.table.c[model.key])
        if (scope := model.scope(work.call)) is not None:
            query = query.where(scope)
        rows = work.connection.execute(query).mappings()
        found[name] = [dict(row) if field == "email" else row[field] for row in rows]
    return found


async def of_services(app: App, call: Call) -> dict[str, dict[str, Any]]:
    """List databases and file services that the caller has any access to, databases with their tables."""
    found: dict[str, dict[str, Any]] = {}
    for record in sorted((await app.directory.fresh()).services.values(), key=lambda one: one.id):
        kind = app.registry.find(record.type)
        if kind is None or kind.group not in _GROUPS or not record.is_active or not call.caller.any_access(record):
            continue
        entry: dict[str, Any] = {"reachable": True}
        if kind.group == _DATABASE:
            for resource in ("_schema", "_table"):
                try:
                    params = {"as_list": "true"}
                    reply = await app.ask("GET", f"{record.name}/{resource}", params=params, caller=call.caller)
                    entry[resource] = reply.content["resource"]
                except TrunklineError as error:
                    entry["reachable"] = entry["reachable"] and error.status < 500
        found[record.name] = entry
    return found


def chosen(given: Any) -> tuple[dict[str, list[Any]], dict[str, dict[str, list[str]]]]:
    """Read a manifest that a client sends: the system's records, and the tables of databases; raises BadRequest."""
    services = given.get("service") if isinstance(given, dict) else None
    if not isinstance(services, dict):
        raise BadRequest("No items found in package manifest.")
    system = _lists(services.get(SYSTEM) or {}, SYSTEM)
    others = {
        name: found
        for name, items in services.items()
        if name != SYSTEM and (found := _lists(items or {}, name, ("_schema", "_table")))
    }
    if not system and not others:
        raise BadRequest("No items found in package manifest.")
    return system, others


def _lists(items: Any, name: str, only: tuple[str, ...] | None = None) -> dict[str, list[Any]]:
    if not isinstance(items, dict):
        raise BadRequest(f"The manifest must say by resource what of '{name[:64]}' is meant.")
    found = {}
    for resource, some in items.items():
        if only is not None and resource not in only:
            continue
        if not isinstance(some, list):
            raise BadRequest(f"The manifest must list what of '{name[:64]}/{str(resource)[:64]}' is meant.")
        if some:
            found[resource] = some
    return found
