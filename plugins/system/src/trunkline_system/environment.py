"""``system/environment``: what a client needs to know before and after it logs in (system-api 7.13)."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import distributions, version
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from trunkline.call import Call
from trunkline.db import tables
from trunkline.errors import TrunklineError
from trunkline.service import Resource
from trunkline_system import openapi
from trunkline_system.model import Row
from trunkline_system.models.app import launch_url

_SHOWN_OF_APPS = (
    "id", "name", "description", "allow_fullscreen_toggle", "requires_fullscreen", "toggle_location",
)  # fmt: skip


class Environment(Resource):
    """How to log in, which apps there are; for known callers also platform, server and client."""

    name = "environment"
    label = "Environment"
    description = "How to log in, and what runs here."
    read_only = True
    operations = openapi.ENVIRONMENT

    async def get(self, call: Call, _rest: tuple[str, ...]) -> Any:
        """Answer the environment as far as the caller may see it."""
        content: dict[str, Any] = {"authentication": self._authentication(), "apps": await self._apps(call)}
        caller = call.caller
        if caller.user is None and caller.role is None and not caller.is_admin:
            return content
        settings = self.app.settings
        content["platform"] = {
            "version": version("trunkline"),
            "bitnami_demo": False,
            "is_hosted": False,
            "is_trial": False,
            "license": "OPEN SOURCE",
            "secured_package_export": True,
            "license_key": False,
            "install_type": settings.install,
        }
        content["server"] = {
            "server_os": platform.system().lower(),
            "release": platform.release(),
            "version": platform.version(),
            "host": platform.node(),
            "machine": platform.machine(),
        }
        content["client"] = {
            "user_agent": call.headers.get("user-agent"),
            "ip_address": call.client,
            "locale": call.headers.get("accept-language"),
        }
        content["config"] = {
            "always_wrap_resources": settings.wrap_resources,
            "resources_wrapper": settings.resource_wrapper,
            "db": {
                "max_records_returned": settings.max_records,
                "time_format": None,
                "date_format": None,
                "datetime_format": None,
                "timestamp_format": None,
            },
        }
        if caller.is_admin:
            content["platform"] |= {
                "db_driver": settings.db_connection,
                "cache_driver": settings.cache_driver,
                "log_level": settings.log_level,
                "app_debug": settings.debug,
                "packages": _packages(),
            }
        return content

    def _authentication(self) -> dict[str, Any]:
        attribute = self.app.settings.login_attribute
        payload = {attribute: "string", "password": "string", "remember_me": "bool"}
        return {
            "admin": {"path": "system/admin/session", "verb": "POST", "payload": payload},
            "user": {"path": "user/session", "verb": "POST", "payload": payload},
            **self._other_logins(),
            **self._registration(),
            "allow_forever_sessions": self.app.settings.forever_sessions,
            "login_attribute": attribute,
        }

    def _other_logins(self) -> dict[str, list[dict[str, Any]]]:
        """List the services with which users can log in besides."""
        found: dict[str, list[dict[str, Any]]] = {"oauth": [], "adldap": [], "saml": []}
        for record in sorted(self.app.directory.snapshot.services.values(), key=lambda one: one.id):
            kind = self.app.registry.find(record.type)
            if kind is None or not record.is_active:
                continue
            entry: dict[str, Any] = {"name": record.name, "label": record.label}
            path, icon = f"user/session?service={quote(record.name)}", getattr(kind, "icon_class", None)
            if kind.group == "OAuth":
                more = {"verb": ["GET", "POST"], "type": record.type, "icon_class": icon}
                found["oauth"].append({"path": path, **entry, **more})
            elif kind.group == "LDAP":
                payload = {"username": "string", "password": "string", "service": record.name, "remember_me": "bool"}
                found["adldap"].append({"path": path, **entry, "verb": "POST", "payload": payload})
            elif record.type == "saml":
                more = {"verb": "GET", "type": record.type, "icon_class": icon}
                found["saml"].append({"path": f"{record.name}/sso", **entry, **more})
        return found

    def _registration(self) -> dict[str, Any]:
        """Say whether anybody may register, as the ``user`` service is configured; not at all without it."""
        record = self.app.directory.snapshot.services.get("user")
        try:
            config = self.app.services.of(record).config if record is not None and record.is_active else None
        except TrunklineError:
            config = None
        return {
            "allow_open_registration": bool(getattr(config, "allow_open_registration", False)),
            "open_reg_email_service_id": getattr(config, "open_reg_email_service_id", None),
        }

    async def _apps(self, call: Call) -> list[dict[str, Any]]:
        """List apps to open: all for administrators, else those with a role for this caller."""
        table = tables.app
        query = sa.select(table).where(table.c.is_active, table.c.type != 0).order_by(table.c.id)
        user = call.caller.user
        if not call.caller.is_admin:
            mine = table.c.id.in_(user.assignments) if user is not None else sa.false()
            query = query.where(sa.or_(table.c.role_id.is_not(None), mine))

        def read(connection: sa.Connection) -> tuple[Sequence[Row], int | None]:
            mine = sa.select(tables.user.c.default_app_id).where(tables.user.c.id == (user.id if user else None))
            return connection.execute(query).mappings().all(), connection.scalar(mine)

        rows, default = await self.app.database.aread(read)
        default = default or getattr(self.service.config, "default_app_id", None)
        return [
            {
                **{name: row[name] for name in _SHOWN_OF_APPS},
                "url": launch_url(self.app, row, call.base_url),
                "is_default": row["id"] == default,
            }
            for row in rows
        ]


def _packages() -> list[dict[str, str]]:
    found = {one.name: one.version for one in distributions() if one.name.startswith("trunkline")}
    return [{"name": name, "version": found[name]} for name in sorted(found)]
