"""Containers of OpenStack Object Storage as REST services."""

from __future__ import annotations

from typing import ClassVar

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline_files import FilesService
from trunkline_files.object_store import given_secret
from trunkline_files.swift import Connection, SwiftConfig, SwiftStore
from trunkline_files.swift.login import PasswordLogin


class OpenstackObjectStorageConfig(SwiftConfig):
    """Where to log in, with which password, and which container."""

    order: ClassVar = ("username", "password", "tenant_name", "url", "region")
    versions: ClassVar = ("/v3", "/v2.0")

    password: Secret | None = Field(
        default=None, validate_default=True, title="Password", description="The password of that login."
    )

    @field_validator("password")
    @classmethod
    def _with_password(cls, value: Secret | None) -> Secret:
        return given_secret(value)


class OpenstackObjectStorage(FilesService):
    """One container."""

    label = "OpenStack Object Storage"
    description = "Serves a container of OpenStack Object Storage (Swift)."
    config: OpenstackObjectStorageConfig

    def open_store(self) -> SwiftStore:
        """Make the store; it logs in when first used."""
        config = self.config
        password = config.password.get_secret_value() if config.password else ""
        login = PasswordLogin(
            config.url or "", config.region or "", config.username or "", password, config.tenant_name or ""
        )
        return SwiftStore(Connection(login), config.container or "")
