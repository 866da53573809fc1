"""``system/environment``: what a client needs to know before and after it logs in (system-api 7.13)."""

from __future__ import annotations

import platform
from importlib.metadata import distributions, version
from typing import Any

import sqlalchemy as sa

from trunkline.call import Call
from trunkline.db import tables
from trunkline.service import Resource


class Environment(Resource):
    """How to log in, which apps there are; for known callers also platform, server and client."""

    name = "environment"
    label = "Environment"
    description = "How to log in, and what runs here."
    read_only = True

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
            "oauth": [],
            "adldap": [],
            "saml": [],
            "allow_open_registration": False,
            "open_reg_email_service_id": None,
            "allow_forever_sessions": self.app.settings.forever_sessions,
            "login_attribute": attribute,
        }

    async def _apps(self, call: Call) -> list[dict[str, Any]]:
        """List apps to open: all for administrators, else those with a role for this caller."""
        table = tables.app
        query = sa.select(table).where(table.c.is_active, table.c.type != 0).order_by(table.c.id)
        user = call.caller.user
        if not call.caller.is_admin:
            mine = table.c.id.in_(user.assignments) if user is not None else sa.false()
            query = query.where(sa.or_(table.c.role_id.is_not(None), mine))
        rows = await self.app.database.aread(lambda connection: connection.execute(query).mappings().all())
        shown = (
            "id",
            "name",
            "description",
            "url",
            "allow_fullscreen_toggle",
            "requires_fullscreen",
            "toggle_location",
        )
        return [{**{name: row[name] for name in shown}, "is_default": False} for row in rows]


def _packages() -> list[dict[str, str]]:
    found = {one.name: one.version for one in distributions() if one.name.startswith("trunkline")}
    return [{"name": name, "version": found[name]} for name in sorted(found)]
