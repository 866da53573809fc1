"""Roles made of the groups of a directory (system-api 21.4): each open to nothing until somebody says more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from trunkline.app import App
from trunkline.db import tables
from trunkline.errors import BadRequest, NotFound
from trunkline_directory.connection import Directory
from trunkline_directory.entries import Entry, Found
from trunkline_directory.filters import all_of, of_client
from trunkline_directory.names import Name, normal
from trunkline_directory.service import DirectoryService
from trunkline_system.models.role import RoleAdldap

_LONGEST_NAME, _LONGEST_DN, _MOST_GROUPS = 64, 1000, 10_000


@dataclass(frozen=True, slots=True)
class Import:
    """What an import has done, or would do: roles by name with the names of their groups, and how many had one."""

    made: Mapping[str, str]
    known: int
    is_complete: bool


async def imported(app: App, service_name: str, wanted: str | None, *, plan: bool) -> Import:
    """Make a role of each group that has none yet; of those that a filter selects, if there is one.

    Raises BadRequest for a service that is no directory and for a filter that is none.
    """
    try:
        service = await app.services.named(service_name)
    except NotFound:
        service = None
    if not isinstance(service, DirectoryService):
        raise BadRequest(f"There is no directory service '{service_name}'.")
    found = await _groups(service, all_of(service.group_filter, *([of_client(wanted)] if wanted else [])))
    taken, known = await app.database.aread(_stored)
    records = list(_records(found, taken, known, service_name))
    made = {str(one["name"]): str(one["role_adldap_by_role_id"]["dn"]) for one in records}
    if records and not plan:
        await app.ask("POST", "system/role", body={"resource": records})
    return Import(made, len(found.entries) - len(made), found.is_complete)


async def _groups(service: DirectoryService, wanted: str) -> Found:
    def search(directory: Directory) -> Found:
        service.log_in(directory)
        return directory.search(service.config.base_dn, wanted, ["cn", "description"], _MOST_GROUPS)

    return await service.talk(search)


def _stored(connection: sa.Connection) -> tuple[set[str], set[Name | None]]:
    """Answer the names of all roles, in small letters, and those of the groups that have one."""
    names = {one.lower() for one in connection.scalars(sa.select(tables.role.c.name))}
    return names, {normal(one) for one in connection.scalars(sa.select(RoleAdldap.table.c.dn))}


def _records(found: Found, taken: set[str], known: set[Name | None], service: str) -> Iterator[dict[str, Any]]:
    for entry in found.entries:
        group = normal(entry.name)
        name = _name(entry, taken, service)
        if group is None or group in known or name is None or len(entry.name) > _LONGEST_DN:
            continue
        known.add(group)
        taken.add(name.lower())
        yield {
            "name": name,
            "description": entry.text("description") or f"Group of {service}.",
            "is_active": True,
            "role_adldap_by_role_id": {"dn": entry.name},
        }


def _name(entry: Entry, taken: set[str], service: str) -> str | None:
    """Answer a name for the role of a group that no other has, or None."""
    plain = (entry.text("cn") or entry.name).strip()
    candidates = (plain[:_LONGEST_NAME], f"{plain[: _LONGEST_NAME - len(service) - 3]} ({service})")
    return next((one for one in candidates if one and one.lower() not in taken), None)
