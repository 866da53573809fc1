"""Folders of FTP servers as REST services."""

from __future__ import annotations

from trunkline_ftp_file.service import FtpFile, FtpFileConfig

__all__ = ["FtpFile", "FtpFileConfig"]
