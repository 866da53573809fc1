"""Folders of WebDAV servers as REST services."""

from __future__ import annotations

from trunkline_webdav_file.service import WebdavFile, WebdavFileConfig

__all__ = ["WebdavFile", "WebdavFileConfig"]
