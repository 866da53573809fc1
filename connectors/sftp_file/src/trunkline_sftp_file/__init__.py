"""Folders of SSH servers as REST services, by SFTP."""

from __future__ import annotations

from trunkline_sftp_file.service import SftpFile, SftpFileConfig

__all__ = ["SftpFile", "SftpFileConfig"]
