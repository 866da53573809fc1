"""Containers of Azure Blob Storage as REST services."""

from __future__ import annotations

from trunkline_azure_blob.service import AzureBlob, AzureBlobConfig

__all__ = ["AzureBlob", "AzureBlobConfig"]
