"""``GET /api/v2``: the services that a caller may use, and the installed types (system-api 1.3, D1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline.call import Call, Reply
from trunkline.errors import BadRequest
from trunkline.identify import identify

if TYPE_CHECKING:
    from trunkline.app import App

_FIELDS = ("id", "name", "label", "description", "type")


async def front_page(app: App, call: Call) -> Reply:
    """List services and types; an anonymous caller gets the same shape with empty lists (D1)."""
    if call.method != "GET":
        raise BadRequest(f"{call.method} requests without a service are not supported.")
    call.caller = caller = await identify(app, call)
    if caller.problem is not None:
        raise caller.problem
    wanted_types, groups = _words(call.option("type")), _words(call.option("group"))
    fields = [one for one in str(call.option("fields") or "*").replace(" ", "").split(",") if one in _FIELDS] or _FIELDS
    services = []
    for record in sorted(app.directory.snapshot.services.values(), key=lambda one: one.id):
        kind = app.registry.find(record.type)
        group = kind.group.lower() if kind else ""
        if not record.is_active or not caller.any_access(record):
            continue
        if (wanted_types and record.type.lower() not in wanted_types) or (groups and group not in groups):
            continue
        shown: dict[str, Any] = {name: getattr(record, name) for name in fields}
        if "name" in shown:
            shown["spec_url"] = f"/api/v2/{record.name}/_spec"
        services.append(shown)
    known = caller.user is not None or caller.app is not None
    return Reply({"services": services, "service_types": _types(app, wanted_types, groups) if known else []})


def _types(app: App, wanted: set[str], groups: set[str]) -> list[dict[str, Any]]:
    found = []
    for name in app.registry.names():
        kind = app.registry.find(name)
        if kind is None or (wanted and name.lower() not in wanted) or (groups and kind.group.lower() not in groups):
            continue
        found.append({"name": name, "label": kind.label, "group": kind.group, "description": kind.description})
    return found


def _words(value: Any) -> set[str]:
    return {word.strip().lower() for word in str(value).split(",") if word.strip()} if value else set()
