"""Containers of OpenStack Object Storage as REST services."""

from __future__ import annotations

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline_files import FilesService
from trunkline_files.object_store import ObjectConfig, given
from trunkline_files.swift import Connection, SwiftStore
from trunkline_files.swift.login import PasswordLogin


class OpenstackObjectStorageConfig(ObjectConfig):
    """Where to log in, and which container."""

    username: str | None = Field(default=None, validate_default=True, title="Username", description="Who logs in.")
    password: Secret | None = Field(
        default=None, validate_default=True, title="Password", description="The password of that login."
    )
    tenant_name: str | None = Field(
        default=None, validate_default=True, title="Tenant Name", description="The project, formerly called tenant."
    )
    url: str | None = Field(
        default=None,
        validate_default=True,
        title="URL",
        description="Address of the identity service, ending in /v3 or /v2.0.",
    )
    region: str | None = Field(
        default=None, validate_default=True, title="Region", description="The region whose storage is used."
    )

    @field_validator("username", "tenant_name", "region")
    @classmethod
    def _needed(cls, value: str | None) -> str | None:
        return given(value)

    @field_validator("password")
    @classmethod
    def _with_password(cls, value: Secret | None) -> Secret | None:
        given(value.get_secret_value() if value is not None else None)
        return value

    @field_validator("url")
    @classmethod
    def _with_version(cls, value: str | None) -> str | None:
        text = given(value).rstrip("/")
        if not text.startswith(("http://", "https://")) or not text.endswith(("/v3", "/v2.0")):
            raise ValueError("it must be a URL that ends in /v3 or /v2.0")
        return text


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
