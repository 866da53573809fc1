"""The family of directory services: users log in with what a directory knows of them."""

from __future__ import annotations

from trunkline_directory.config import AccountConfig, ConnectionConfig, DirectoryConfig
from trunkline_directory.entries import Entry
from trunkline_directory.service import DirectoryService

__all__ = ["AccountConfig", "ConnectionConfig", "DirectoryConfig", "DirectoryService", "Entry"]
