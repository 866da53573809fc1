"""Containers of Rackspace Cloud Files as REST services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline_files import FilesService
from trunkline_files.object_store import ObjectConfig, given
from trunkline_files.swift import Access, Connection, Login, SwiftStore
from trunkline_files.swift.login import second

if TYPE_CHECKING:
    import httpx2

# What forms offer; any other region is taken as well.
REGIONS = ("ORD", "DFW", "LON", "HKG", "IAD", "SYD")
_CATALOGUE_NAME = "cloudFiles"


class RackspaceCloudFilesConfig(ObjectConfig):
    """Where to log in, and which container."""

    username: str | None = Field(default=None, validate_default=True, title="Username", description="Who logs in.")
    tenant_name: str | None = Field(
        default=None, validate_default=True, title="Tenant Name", description="Number of the account."
    )
    api_key: Secret | None = Field(
        default=None, validate_default=True, title="API Key", description="The API key of that login."
    )
    url: str | None = Field(
        default=None,
        validate_default=True,
        title="URL",
        description="Address of the identity service, ending in /v2.0.",
    )
    region: str | None = Field(
        default=None, validate_default=True, title="Region", description="The region whose storage is used."
    )

    @field_validator("username", "tenant_name", "region")
    @classmethod
    def _needed(cls, value: str | None) -> str | None:
        return given(value)

    @field_validator("api_key")
    @classmethod
    def _with_key(cls, value: Secret | None) -> Secret | None:
        given(value.get_secret_value() if value is not None else None)
        return value

    @field_validator("url")
    @classmethod
    def _with_version(cls, value: str | None) -> str | None:
        text = given(value).rstrip("/")
        if not text.startswith(("http://", "https://")) or not text.endswith("/v2.0"):
            raise ValueError("it must be a URL that ends in /v2.0")
        return text

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Offer the regions in a list, though others are taken too."""
        entries = super().schema_entries()
        for entry in entries:
            if entry["name"] == "region":
                del entry["length"]
                entry |= {"type": "picklist", "values": [{"label": one, "name": one} for one in REGIONS]}
        return entries


class KeyLogin(Login):
    """By name and API key, which is Rackspace's own extension of Keystone's version 2.0."""

    def __init__(self, url: str, region: str, username: str, api_key: str, account: str) -> None:
        """Remember the credentials."""
        super().__init__(url, region)
        self._username = username
        self._api_key = api_key
        self._account = account

    async def access(self, client: httpx2.AsyncClient) -> Access:
        """Log in."""
        credentials = {"username": self._username, "apiKey": self._api_key}
        body = {"auth": {"RAX-KSKEY:apiKeyCredentials": credentials, "tenantName": self._account}}
        told, _ = await self.posted(client, "tokens", body)
        return second(self, told, named=_CATALOGUE_NAME)


class RackspaceCloudFiles(FilesService):
    """One container."""

    label = "Rackspace Cloud Files"
    description = "Serves a container of Rackspace Cloud Files."
    config: RackspaceCloudFilesConfig

    def open_store(self) -> SwiftStore:
        """Make the store; it logs in when first used."""
        config = self.config
        api_key = config.api_key.get_secret_value() if config.api_key else ""
        login = KeyLogin(
            config.url or "", config.region or "", config.username or "", api_key, config.tenant_name or ""
        )
        return SwiftStore(Connection(login), config.container or "")
