"""``system/service_type``: what can be configured here (system-api 7.6)."""

from __future__ import annotations

from typing import Any

from trunkline.call import Call
from trunkline.errors import BadRequest, NotFound
from trunkline.service import Resource
from trunkline_system import openapi
from trunkline_system.reading import split

_FIELDS = (
    "name", "label", "description", "group", "singleton", "dependencies_required", "subscription_required",
    "service_definition_editable", "config_schema",
)  # fmt: skip


class ServiceTypes(Resource):
    """The installed service types."""

    name = "service_type"
    label = "Service Types"
    description = "The kinds of services that can be configured."
    read_only = True
    operations = openapi.SERVICE_TYPES
    paths_below = openapi.SERVICE_TYPE

    def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List the types by name, those of some ``group``, or answer one."""
        names = self.app.registry.names()
        fields = split(call.option("fields"))
        for name in fields:
            if name not in (*_FIELDS, "*"):
                raise BadRequest(f"Invalid field requested: {name}")  # D9
        if rest:
            if len(rest) > 1 or rest[0] not in names or (found := self._described(rest[0])) is None:
                raise NotFound(f"Service type '{'/'.join(rest)}' not found.")
            return _cut(found, fields)
        groups = {group.lower() for group in split(call.option("group"))}
        types = [found for name in names if (found := self._described(name)) is not None]
        content: dict[str, Any] = {
            "resource": [_cut(one, fields) for one in types if not groups or one["group"].lower() in groups]
        }
        if call.flag("as_list"):
            content["resource"] = [one["name"] for one in content["resource"]]
        if call.flag("include_count"):
            content["meta"] = {"count": len(content["resource"])}
        return content

    def _described(self, name: str) -> dict[str, Any] | None:
        """Describe a type; one whose package is broken is left out, as it could not be used."""
        kind = self.app.registry.find(name)
        if kind is None:
            return None
        return {
            "name": name,
            "label": kind.label,
            "description": kind.description,
            "group": kind.group,
            "singleton": kind.singleton,
            "dependencies_required": None,
            "subscription_required": None,
            "service_definition_editable": False,
            "config_schema": kind.config_class().schema_entries(),
        }


def _cut(described: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    return described if not fields or "*" in fields else {name: described[name] for name in fields if name in described}
