"""Roles and their access rows (system-api 7.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from trunkline import response_filter
from trunkline.app import App
from trunkline.db import tables
from trunkline_database import filters
from trunkline_system.fields import as_json, from_json, invalid
from trunkline_system.model import Model, Relation, Row, Work


class RoleServiceAccess(Model):
    """One access row: service, component, verbs, requestors, row filter."""

    table = tables.role_service_access
    natural_key = ("service_id", "component", "requestor_mask")
    shapes = {  # noqa: RUF012 - declared as a ClassVar by the parent
        name: {"type": ["array", "null"], "items": {"type": "object"}} for name in ("filters", "response_filters")
    }

    @classmethod
    def derived(cls, _record: Mapping[str, Any]) -> dict[str, Any]:
        """Let rows be meant for API and scripts: the table's default of 0 never matches."""
        return {"requestor_mask": 3}

    @classmethod
    def shown(cls, app: App, row: Row) -> dict[str, Any]:
        """Show the filters as the list that they are."""
        lists = {name: from_json(row[name], []) for name in ("filters", "response_filters")}
        return {**super().shown(app, row), **lists}

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Check masks, service and filters now: a row that cannot work must not be found out by a denied caller."""
        conditions = given.get("filters")
        rest = {name: value for name, value in given.items() if name not in ("filters", "response_filters")}
        values = super().values(work, rest, row)
        for name, most in (("verb_mask", 1023), ("requestor_mask", 3)):
            if not 0 <= values.get(name, 0) <= most:
                raise invalid(name, f"The {name} field must be a mask of known bits.")
        if row is None:
            values = cls.derived(values) | values
        if (service_id := values.get("service_id")) is not None:
            found = sa.select(tables.service.c.id).where(tables.service.c.id == service_id)
            if work.connection.execute(found).first() is None:
                raise invalid("service_id", "The selected service_id is invalid.")
        if "filter_op" in values:
            values["filter_op"] = (values["filter_op"] or "and").lower()
            if values["filter_op"] not in ("and", "or"):
                raise invalid("filter_op", "The filter_op field must be and or or.")
        if "filters" in given:
            values["filters"] = as_json(_checked(conditions))
        if "response_filters" in given:
            values["response_filters"] = as_json(_checked_response(given["response_filters"]))
        return values


def _checked(conditions: Any) -> list[dict[str, Any]]:
    """Check the shape of a row filter; an unusable one would deny or, worse, be passed over at every call."""
    conditions = conditions or []
    if not isinstance(conditions, list) or not all(isinstance(one, dict) for one in conditions):
        raise invalid("filters", "The filters field must be a list of objects with name, operator and value.")
    if conditions:
        try:
            filters.from_rows(conditions)
        except (ValueError, filters.BadFilter) as error:
            raise invalid("filters", f"The filters field is invalid: {error}") from None
    return [{key: one.get(key) for key in ("name", "operator", "value")} for one in conditions]


def _checked_response(entries: Any) -> list[dict[str, Any]]:
    """Check what is to be left out of replies (D33)."""
    entries = entries or []
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise invalid("response_filters", "The response filters field must be a list of objects with name and action.")
    try:
        response_filter.read(entries)
    except ValueError as error:
        raise invalid("response_filters", f"The response filters field is invalid: {error}.") from None
    return [{key: one[key] for key in ("name", "action", "value") if one.get(key) is not None} for one in entries]


class RoleAdldap(Model):
    """The group of a directory whose members get a role."""

    table = sa.Table(
        "role_adldap",
        sa.MetaData(),
        sa.Column("role_id", sa.Integer, sa.ForeignKey(tables.role.c.id, ondelete="CASCADE"), primary_key=True),
        sa.Column("dn", sa.String(1000), nullable=False),
    )
    key = "role_id"


class Role(Model):
    """A role."""

    table = tables.role
    resource = "role"

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Cut a long description, as the original does."""
        if isinstance(given.get("description"), str):
            given = {**given, "description": given["description"][:255]}
        return super().values(work, given, row)


def _lookup() -> type[Model]:
    from trunkline_system.models.lookup import Lookup

    return Lookup


def _assignment() -> type[Model]:
    from trunkline_system.models.user import Assignment

    return Assignment


def _app() -> type[Model]:
    from trunkline_system.models.app import AppModel

    return AppModel


def _service() -> type[Model]:
    from trunkline_system.models.service import ServiceModel

    return ServiceModel


Role.relations = {
    "role_service_access_by_role_id": Relation("has_many", lambda: RoleServiceAccess, "role_id"),
    "lookup_by_role_id": Relation("has_many", _lookup, "role_id"),
    "user_to_app_to_role_by_role_id": Relation("has_many", _assignment, "role_id"),
    "role_adldap_by_role_id": Relation("has_one", lambda: RoleAdldap, "role_id"),
    "app_by_role_id": Relation("has_many", _app, "role_id"),
    "service_by_role_service_access": Relation(
        "many_many", _service, "role_id", tables.role_service_access, "service_id"
    ),
}
