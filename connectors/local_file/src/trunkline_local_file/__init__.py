"""Folders of this machine as REST services."""

from __future__ import annotations

from trunkline_local_file.service import LocalFile, LocalFileConfig

__all__ = ["LocalFile", "LocalFileConfig"]
