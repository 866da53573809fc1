"""``system/config_package``: services, roles and apps as one readable object (system-api 20.2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from trunkline.call import Call, Reply
from trunkline.errors import BadRequest, NotFound
from trunkline_system import openapi
from trunkline_system.models.app import AppModel
from trunkline_system.models.role import Role
from trunkline_system.models.service import ServiceModel
from trunkline_system.packages.export import Exporter
from trunkline_system.packages.load import Log, Options
from trunkline_system.packages.resource import PackageResource

FORMAT = "dreamfactory.config/v1"
_KINDS = {"services": "service", "roles": "role", "apps": "app"}
_SERVICE = ("name", "label", "description", "type", "is_active", "config")
_ROLE = ("name", "description", "is_active")
_ACCESS = ("component", "verb_mask", "requestor_mask", "filters", "filter_op", "response_filters")
_APP = (
    "name", "description", "is_active", "type", "path", "url", "requires_fullscreen", "allow_fullscreen_toggle",
    "toggle_location",
)  # fmt: skip


class ConfigPackage(PackageResource):
    """The configuration as one object, without secrets, keys and users."""

    name = "config_package"
    label = "Configuration Package"
    description = "Services, roles and apps as one readable object."
    operations = openapi.CONFIG_PACKAGE

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Answer the configuration, as far as the caller may read it; secrets are masked."""
        self._nothing_below(rest)
        found = await self.app.database.aread(lambda connection: self._read(connection, call))
        return {
            "format": FORMAT,
            "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "services": [_picked(one, _SERVICE) for one in found["service"]],
            "roles": [_role(one) for one in found["role"]],
            "apps": [{**_picked(one, _APP), "role": _name_in(one.get("role_id"))} for one in found["app"]],
        }

    def _nothing_below(self, rest: tuple[str, ...]) -> None:
        if rest:
            raise NotFound(f"Resource '{'/'.join((self.name, *rest))}' not found.")

    def _read(self, connection: sa.Connection, call: Call) -> dict[str, list[dict[str, Any]]]:
        work = self.work_of(connection, call)
        exporter = Exporter(work, None)
        resources = self.exportable()
        found: dict[str, list[dict[str, Any]]] = {}
        for model in (ServiceModel, Role, AppModel):
            name = str(model.resource)
            if not work.may("GET", model):
                found[name] = []
                continue
            table = model.table
            query = sa.select(table.c.id).order_by(table.c.id)
            if (scope := model.scope(call)) is not None:
                query = query.where(scope)
            if model is ServiceModel:
                # What every instance has anyhow.
                query = query.where(table.c.deletable)
            found[name] = exporter.records(resources[name], list(connection.scalars(query)))
        return found

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Take over a configuration; what fails is told and leaves the rest in force."""
        self._nothing_below(rest)
        given = call.body
        if isinstance(given, dict) and isinstance(given.get("manifest"), dict):
            given = given["manifest"]
        if not isinstance(given, dict) or given.get("format") != FORMAT:
            raise BadRequest("Unsupported config package format.")
        errors: list[str] = []
        records = {kind: _items(given.get(name), name, errors) for name, kind in _KINDS.items()}
        records = {
            "service": records["service"],
            "role": [_as_role(one, errors) for one in records["role"]],
            "app": [_as_app(one) for one in records["app"]],
        }
        log = await self.load(call, records, Options(call.flag("overwrite"), is_tolerant=True))
        return Reply(_told(log, errors), 201)


def _picked(record: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: record.get(name) for name in names}


def _name_in(reference: Any) -> str | None:
    return next(iter(reference.values()), None) if isinstance(reference, dict) else None


def _role(record: Mapping[str, Any]) -> dict[str, Any]:
    rows = record["role_service_access_by_role_id"]
    access = [{"service": _name_in(one["service_id"]), **_picked(one, _ACCESS)} for one in rows]
    return {**_picked(record, _ROLE), "service_access": access}


def _items(given: Any, name: str, errors: list[str]) -> list[dict[str, Any]]:
    """Read a list of the object; what has no name is told."""
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise BadRequest(f"The {name} must be a list of objects.")
    nameless = [place for place, one in enumerate(given) if not isinstance(one.get("name"), str) or not one["name"]]
    errors += [f"The entry {place + 1} of {name} has no name." for place in nameless]
    return [one for place, one in enumerate(given) if place not in nameless]


def _as_role(given: Mapping[str, Any], errors: list[str]) -> dict[str, Any]:
    """Make the record of a role; only a service that is null in so many words stands for all of them."""
    rows = given.get("service_access")
    record = _known(given, _ROLE)
    if rows is None:
        return record
    if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
        raise BadRequest("The service_access must be a list of objects.")
    found = []
    for one in rows:
        service = one.get("service", "")
        if service is not None and (not isinstance(service, str) or not service):
            errors.append(f"A row of role '{given['name']}' has no service.")
            continue
        defaults = {"component": "*", "verb_mask": 31, "requestor_mask": 3}
        reference = None if service is None else {"service": service}
        found.append({**defaults, **_known(one, _ACCESS), "service_id": reference})
    return {**record, "role_service_access_by_role_id": found}


def _as_app(given: Mapping[str, Any]) -> dict[str, Any]:
    record = _known(given, _APP)
    if "role" in given:
        record["role_id"] = {"role": given["role"]} if isinstance(given["role"], str) else None
    return record


def _known(given: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _told(log: Log, errors: list[str]) -> dict[str, Any]:
    counts = {
        word: {name: counter[kind] for name, kind in _KINDS.items()}
        for word, counter in (("created", log.created), ("updated", log.updated), ("skipped", log.skipped))
    }
    return {"success": True, **counts, "errors": [*errors, *log.errors, *log.warnings]}
