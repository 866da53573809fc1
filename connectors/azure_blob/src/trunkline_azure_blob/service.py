"""The type azure_blob: which container is served, and of which account."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline_azure_blob.connection import Connection, Settings
from trunkline_azure_blob.store import BlobStore
from trunkline_files import FilesService
from trunkline_files.object_store import ObjectConfig, given

# The name becomes that of a host.
_ACCOUNT = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


class AzureBlobConfig(ObjectConfig):
    """Configuration of Azure Blob Storage (connectors 4.13)."""

    extensions: ClassVar = ("endpoint",)

    account_name: Secret | None = Field(
        default=None, validate_default=True, title="Account Name", description="The storage account."
    )
    account_key: Secret | None = Field(
        default=None, validate_default=True, title="Account Key", description="A key of that account."
    )
    protocol: Literal["http", "https"] | None = Field(
        default=None, validate_default=True, title="Protocol", description="How to reach it: http or https."
    )
    endpoint: str | None = Field(
        default=None,
        title="Endpoint",
        description="URL of the blob service where it is not Azure's own, such as that of an emulator.",
        pattern=r"^(https?://\S+)?$",
    )

    @field_validator("account_name", "account_key")
    @classmethod
    def _known(cls, value: Secret | None) -> Secret:
        return Secret(given(value.get_secret_value() if value else None))

    @field_validator("account_name")
    @classmethod
    def _plain(cls, value: Secret) -> Secret:
        if not _ACCOUNT.fullmatch(value.get_secret_value()):
            raise ValueError("it must be lower-case letters and digits")
        return value

    @field_validator("protocol", mode="before")
    @classmethod
    def _chosen(cls, value: Any) -> str:
        return given(str(value or "").lower())


class AzureBlob(FilesService):
    """One container."""

    label = "Azure Blob Storage"
    description = "Serves a container of Azure Blob Storage."
    config: AzureBlobConfig

    def open_store(self) -> BlobStore:
        """Make the store; it connects when first used."""
        config = self.config
        name, key = (one.get_secret_value() if one else "" for one in (config.account_name, config.account_key))
        url = config.endpoint or f"{config.protocol}://{name}.blob.core.windows.net"
        return BlobStore(Connection(Settings(url, name, key)), config.container or "")
