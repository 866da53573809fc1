"""The type ftp_file: which folder of which server is served."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, field_validator

from trunkline import Field, Secret
from trunkline.errors import BadRequest
from trunkline_files import FilesConfig, FilesService
from trunkline_ftp_file.session import Settings
from trunkline_ftp_file.store import FtpStore


def _one_line(value: str | None) -> str | None:
    """Refuse what could become a second command."""
    if value and not value.isprintable():
        raise ValueError("it must be one line of text")
    return value


def _is_passive(value: bool) -> bool:
    if not value:
        raise ValueError("active mode is not supported; leave passive on")
    return value


Line = Annotated[str, AfterValidator(_one_line)]


class FtpFileConfig(FilesConfig):
    """Where the server is, who logs in, and which folder is served."""

    host: Line = Field(title="Host", description="Name or address of the FTP server.", min_length=1)
    port: int = Field(default=21, title="Port", description="Its port.", ge=1, le=65535)
    username: Line | None = Field(default=None, title="Username", description="Who logs in; empty for anonymous.")
    password: Secret | None = Field(default=None, title="Password", description="The password of that login.")
    ssl: bool = Field(
        default=False,
        title="SSL",
        description="Whether control and data are encrypted (explicit FTPS, AUTH TLS). The server's certificate is "
        "not checked.",
    )
    timeout: int = Field(
        default=90, title="Timeout", description="How many seconds the server may take for each step.", ge=1, le=3600
    )
    passive: Annotated[bool, AfterValidator(_is_passive)] = Field(
        default=True, title="Passive", description="Passive mode; active mode is not supported."
    )
    container: Line | None = Field(
        default=None,
        title="Root folder",
        description="The folder that is served, with its full path. It must be there.",
        validate_default=True,
    )

    @field_validator("container")
    @classmethod
    def _is_named(cls, value: str | None) -> str | None:
        if not value:
            raise ValueError("it must name a folder")
        return value


class FtpFile(FilesService):
    """One folder of an FTP server."""

    label = "FTP File Storage"
    description = "Serves one folder of an FTP server."
    config: FtpFileConfig

    def open_store(self) -> FtpStore:
        """Make the store; it connects when first used."""
        config = self.config
        if not config.container:
            raise BadRequest(
                "FTP file service root folder not specified. Please check configuration for file service - "
                f"{self.name}."
            )
        password = config.password.get_secret_value() if config.password else ""
        if not password.isprintable():
            raise BadRequest("The password of the FTP login must be one line of text.")
        return FtpStore(
            Settings(
                config.host,
                config.port,
                config.username or "anonymous",
                password or ("" if config.username else "anonymous@"),
                config.ssl,
                float(config.timeout),
                config.container,
            )
        )
