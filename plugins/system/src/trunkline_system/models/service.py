"""Services and their configuration (system-api 7.5, D7, D16)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from trunkline import json
from trunkline.app import App
from trunkline.call import Call
from trunkline.config import Config
from trunkline.db import tables
from trunkline.db.records import LookupRecord
from trunkline.errors import Forbidden, InternalError, Unavailable
from trunkline.lookups import Lookups
from trunkline_system.fields import invalid
from trunkline_system.model import Model, Relation, Row, Work

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_TAG = re.compile(r"<[^>]*>")
# What is routed elsewhere, or would hide the API itself.
_RESERVED = frozenset({"api", "status", "up", "mcp", "metrics"})


class ServiceDoc(Model):
    """The API document that an operator stored for a service."""

    table = tables.service_doc
    key = "service_id"
    shapes = {"content": {}}  # noqa: RUF012 - declared as a ClassVar by the parent

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Check the format, 0 is JSON, 1 is YAML; a document that is no text is kept as JSON."""
        if isinstance(given.get("content"), dict | list):
            given = {**given, "content": json.dumps(given["content"]).decode()}
        values = super().values(work, given, row)
        if values.get("format", 0) not in (0, 1):
            raise invalid("format", "The format field must be 0 (JSON) or 1 (YAML).")
        return values


class ServiceModel(Model):
    """A configured service."""

    table = tables.service
    resource = "service"
    hidden = frozenset({"config"})
    read_only = Model.read_only | {"mutable", "deletable"}
    computed = frozenset({"config"})
    shapes = {"config": {"type": ["object", "null"]}}  # noqa: RUF012 - declared as a ClassVar by the parent
    relations = {  # noqa: RUF012 - declared as a ClassVar by the parent
        "service_doc_by_service_id": Relation("has_one", lambda: ServiceDoc, "service_id"),
    }

    @classmethod
    def scope(cls, call: Call) -> sa.ColumnElement[bool] | None:
        """Who is not an administrator sees the services that occur in the role."""
        caller = call.caller
        if caller.is_admin:
            return None
        rows = caller.role.rows if caller.role is not None else ()
        if any(row.service_id is None for row in rows):
            return None
        return cls.table.c.id.in_({row.service_id for row in rows})

    @classmethod
    def shown(cls, app: App, row: Row) -> dict[str, Any]:
        """Show the configuration, secrets masked; an uninstalled type shows none: who knows which are secret."""
        kind = app.registry.find(row["type"])
        config = kind.config_class().shown(json.loads(row["config"] or "{}")) if kind is not None else {}
        return {**super().shown(app, row), "config": {"service_id": row["id"], **config}}

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Check name, type and configuration; a masked secret keeps the stored one."""
        values = super().values(work, _without_tags(given), row)
        if "name" in values:
            _check_name(values["name"])
        if row is None:
            values["label"] = values.get("label") or cls.derived(values)["label"]
        elif not row["mutable"] and values.get("name", row["name"]) != row["name"]:
            raise Forbidden(f"Service '{row['name']}' can not be renamed.")
        elif not row["deletable"] and values.get("is_active", True) is False:
            raise Forbidden(f"Service '{row['name']}' can not be deactivated.")
        kind = values.get("type", row["type"] if row is not None else None)
        if row is not None and kind != row["type"]:
            raise invalid("type", "The type of a service can not be changed.")
        if row is None or "config" in given:
            values["config"] = cls._config(work, kind, given.get("config"), row)
        return values

    @classmethod
    def _config(cls, work: Work, kind: Any, given: Any, row: Row | None) -> str:
        if given is not None and not isinstance(given, dict):
            raise invalid("config", "The config field must be an object.")
        model = _config_class(work.app, str(kind))
        stored = json.loads(row["config"] or "{}") if row is not None else {}
        merged = model.merged(stored, given or {}, work.app.vault)
        # What is checked is what the service will see: lookups filled in, secrets opened.
        lookups = _lookups(work)
        try:
            opened = model.opened(merged, work.app.vault)
        except InternalError as error:
            raise invalid("config", error.message) from error
        checked = model.check(lookups.fill(opened, private=True))
        for name, value in merged.items():
            typed = getattr(checked, name)
            # Forms send numbers as text and blanks for nothing; clients shall read what the service sees.
            if isinstance(value, str) and "{" not in value and (typed is None or isinstance(typed, bool | int | float)):
                merged[name] = typed
        return json.dumps(merged).decode()

    @classmethod
    def derived(cls, record: Mapping[str, Any]) -> dict[str, Any]:
        """Label a service with its name."""
        return {"label": record["name"]}

    @classmethod
    def before_delete(cls, _work: Work, row: Row) -> None:
        """Keep what the gateway cannot do without (D7)."""
        if not row["deletable"]:
            raise Forbidden(f"Service '{row['name']}' can not be deleted.")


def _lookups(work: Work) -> Lookups:
    """Answer the lookups of the system as this transaction sees them, which may have changed them."""
    table = tables.lookup
    query = sa.select(table).where(*(table.c[name].is_(None) for name in ("app_id", "role_id", "user_id")))
    rows = work.connection.execute(query.order_by(table.c.id)).mappings().all()
    values = [row["value"] and work.app.vault.decrypt(row["value"]) for row in rows]
    records = (LookupRecord(row["name"], value, row["private"]) for row, value in zip(rows, values, strict=True))
    return Lookups({}, tuple(records))


def _config_class(app: App, kind: str) -> type[Config]:
    try:
        return app.registry.load(kind).config_class()
    except Unavailable as error:
        raise invalid("type", error.message) from None


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise invalid("name", "Service name should only contain letters, numbers, underscores and dashes.")
    if name.lower() in _RESERVED or re.fullmatch(r"v[0-9.]+", name.lower()):
        raise invalid("name", f"Service name '{name}' is reserved.")


def _without_tags(given: dict[str, Any]) -> dict[str, Any]:
    """Strip HTML tags from what people read: old clients show it unescaped."""
    return {
        name: _TAG.sub("", value) if name in ("label", "description") and isinstance(value, str) else value
        for name, value in given.items()
    }
