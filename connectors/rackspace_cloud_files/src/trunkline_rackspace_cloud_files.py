"""Containers of Rackspace Cloud Files as REST services."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline_files import FilesService
from trunkline_files.object_store import given_secret
from trunkline_files.swift import Access, Connection, Login, SwiftConfig, SwiftStore
from trunkline_files.swift.login import second

if TYPE_CHECKING:
    import httpx2

# What forms offer; any other region is taken as well.
REGIONS = ("ORD", "DFW", "LON", "HKG", "IAD", "SYD")
_CATALOGUE_NAME = "cloudFiles"


class RackspaceCloudFilesConfig(SwiftConfig):
    """Where to log in, with which key, and which container."""

    order: ClassVar = ("username", "tenant_name", "api_key", "url", "region")
    versions: ClassVar = ("/v2.0",)
    offered: ClassVar = {"region": REGIONS}

    api_key: Secret | None = Field(
        default=None, validate_default=True, title="API Key", description="The API key of that login."
    )

    @field_validator("api_key")
    @classmethod
    def _with_key(cls, value: Secret | None) -> Secret:
        return given_secret(value)


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
