"""Folders and files of any store, one REST dialect."""

from __future__ import annotations

from trunkline_files.service import FilesConfig, FilesService
from trunkline_files.store import Entry, Store

__all__ = ["Entry", "FilesConfig", "FilesService", "Store"]
