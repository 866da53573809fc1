"""The ``system`` service type: which resources stand below ``/api/v2/system``."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from trunkline import Config, Field, Open, Resource, Service
from trunkline.call import VERBS, Call, Caller
from trunkline.describe import Description
from trunkline.errors import BadRequest, Forbidden, NotFound
from trunkline_system import openapi
from trunkline_system.custom import Custom
from trunkline_system.environment import Environment
from trunkline_system.events import EventNames
from trunkline_system.imports import Import
from trunkline_system.invites import InvitingResource
from trunkline_system.maintenance import Cache, Constant
from trunkline_system.models.app import AppModel
from trunkline_system.models.cors import CorsModel
from trunkline_system.models.email_template import EmailTemplateModel
from trunkline_system.models.lookup import GlobalLookup
from trunkline_system.models.role import Role
from trunkline_system.models.service import ServiceModel
from trunkline_system.models.user import AdminModel, UserModel
from trunkline_system.packages.config_package import ConfigPackage
from trunkline_system.packages.resource import Package
from trunkline_system.password import PasswordResource
from trunkline_system.profile import ProfileResource
from trunkline_system.reading import key_of
from trunkline_system.service_types import ServiceTypes
from trunkline_system.session import SessionResource
from trunkline_system.stored import StoredResource


class AdminSession(SessionResource):
    """Sessions of administrators."""

    for_admins = True
    operations = openapi.ADMIN_SESSION


class AdminPassword(PasswordResource):
    """Passwords of administrators."""

    for_admins = True


class AdminProfile(ProfileResource):
    """The profile of the administrator who calls."""

    for_admins = True
    operations = openapi.ADMIN_PROFILE


class Admins(InvitingResource):
    """Administrators."""

    name = "admin"
    label = "Administrators"
    description = "Accounts with all rights."
    model = AdminModel
    config_service = "system"
    children = (AdminSession, AdminPassword, AdminProfile)

    async def patch(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Update administrators; a plain user's id is told apart from an unknown one."""
        await refuse_other_kind(self, rest, for_admins=True)
        return await super().patch(call, rest)

    put = patch

    async def delete(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Delete administrators; a plain user's id is told apart from an unknown one."""
        await refuse_other_kind(self, rest, for_admins=True, deleting=True)
        return await super().delete(call, rest)


class Users(InvitingResource):
    """Users who are not administrators."""

    name = "user"
    label = "Users"
    description = "Accounts whose rights come from roles."
    model = UserModel
    config_service = "user"

    async def patch(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Update users; an administrator's id is refused."""
        await refuse_other_kind(self, rest, for_admins=False)
        return await super().patch(call, rest)

    put = patch

    async def delete(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Delete users; an administrator's id is refused."""
        await refuse_other_kind(self, rest, for_admins=False, deleting=True)
        return await super().delete(call, rest)


async def refuse_other_kind(
    resource: StoredResource, rest: tuple[str, ...], *, for_admins: bool, deleting: bool = False
) -> None:
    """Raise what the original says when a write by id names an account of the other kind (system-api 7.2)."""
    key = key_of(resource.model, rest[0]) if rest else None
    if key is None:
        return
    query = sa.select(UserModel.table.c.is_sys_admin).where(UserModel.table.c.id == key)
    is_admin = await resource.app.database.aread(lambda connection: connection.scalar(query))
    verb = "delete" if deleting else "update"
    if is_admin is False and for_admins:
        raise BadRequest(f"Cannot {verb} a non-admin user.")
    if is_admin is True and not for_admins:
        raise Forbidden(f"Not allowed to {'delete' if deleting else 'change'} an admin user.")


class Roles(StoredResource):
    """Roles and their access rows."""

    name = "role"
    label = "Roles"
    description = "What apps and users may do."
    model = Role


class Apps(StoredResource):
    """Apps and their API keys."""

    name = "app"
    label = "Apps"
    description = "API keys and their default roles."
    model = AppModel

    async def patch(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Update apps; ``regenerate=true`` makes a new key and needs no record."""
        if rest and not call.body and call.flag("regenerate"):
            call.body = {"regenerate": True}
        return await super().patch(call, rest)

    put = patch


class Services(StoredResource):
    """Configured services."""

    name = "service"
    label = "Services"
    description = "What is reachable under the API."
    model = ServiceModel

    async def openapi(self, caller: Caller, described: Description, *, expanded: bool = False) -> None:
        """Describe the calls, with the configurations of all types."""
        from trunkline_system.openapi_config import add_configs

        await super().openapi(caller, described, expanded=expanded)
        await add_configs(self.app, described, "Service", "ServiceInput")

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List services, or answer one by id or by name (D16)."""
        if rest and not rest[0].isdigit():
            found = (await self.app.directory.fresh()).services.get(rest[0].lower())
            unknown = NotFound(f"Record with identifier '{rest[0]}' not found.")
            if found is None:
                raise unknown
            try:
                return await super().get(call, (str(found.id), *rest[1:]))
            except NotFound as error:
                # The same words whether there is none or it is not for this caller (checklist 9).
                raise (error if rest[1:] else unknown) from None
        return await super().get(call, rest)


class Lookups(StoredResource):
    """Global lookups."""

    name = "lookup"
    label = "Lookups"
    description = "Values that placeholders stand for."
    model = GlobalLookup


class CorsRules(StoredResource):
    """Rules for pages of other origins."""

    name = "cors"
    label = "CORS"
    description = "Which web pages of other origins may use the API."
    model = CorsModel


class EmailTemplates(StoredResource):
    """Templates of mails."""

    name = "email_template"
    label = "Email Templates"
    description = "Texts of mails, with placeholders."
    model = EmailTemplateModel


class SystemConfig(Config):
    """Settings of the platform that live in the database."""

    default_app_id: int | None = Field(default=None, title="Default Application", description="Default application.")
    invite_email_service_id: int | None = Field(
        default=None, title="Invite Email Service", description="Email service for invitations of administrators."
    )
    invite_email_template_id: int | None = Field(
        default=None, title="Invite Email Template", description="Template of these invitations."
    )
    password_email_service_id: int | None = Field(
        default=None, title="Password Email Service", description="Email service for password resets of administrators."
    )
    password_email_template_id: int | None = Field(
        default=None, title="Password Email Template", description="Template of these mails."
    )


class SystemService(Service):
    """The gateway's own configuration."""

    label = "System Management"
    description = "Administers the gateway: services, roles, apps, users, lookups."
    group = "System"
    singleton = True
    open_paths = (
        Open("admin/session"),
        Open("admin/password", VERBS["POST"]),
        Open("environment", VERBS["GET"]),
    )
    session_paths = frozenset({"admin/session"})
    own_media_types = {"package": ("application/zip",)}  # noqa: RUF012 - a class attribute of the kernel
    resources = (
        Admins, Users, Roles, Apps, Services, ServiceTypes, Lookups, CorsRules, EmailTemplates, Custom,
        EventNames, Environment, Constant, Cache, Import, Package, ConfigPackage,
    )  # fmt: skip
    config: SystemConfig

    def describe(self, resource: Resource) -> dict[str, Any]:
        """Describe a resource, with what clients know of those of this service (system-api 1.4)."""
        return {**super().describe(resource), "singleton": False, "subscription_required": None}

    async def access_list(self, caller: Caller) -> list[str]:
        """List components; names of nested resources stand beside their parents' (system-api 11.7)."""
        found = await super().access_list(caller)
        nested = ("admin/session", "admin/password", "admin/profile")
        return found + [name for name in nested if caller.mask(self.record, name)]
