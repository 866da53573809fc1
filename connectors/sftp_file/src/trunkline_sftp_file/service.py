"""The type sftp_file: which folder of which server is served."""

from __future__ import annotations

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline.errors import BadRequest
from trunkline_files import FilesConfig, FilesService
from trunkline_sftp_file.connection import Settings, fingerprint
from trunkline_sftp_file.store import SftpStore


class SftpFileConfig(FilesConfig):
    """Where the server is, who logs in, and which folder is served."""

    host: str = Field(title="Host", description="Name or address of the SSH server.", min_length=1)
    port: int = Field(default=22, title="Port", description="Its port.", ge=1, le=65535)
    username: str | None = Field(default=None, title="Username", description="Who logs in.")
    password: Secret | None = Field(
        default=None, title="Password", description="The password of that login, and of the private key."
    )
    timeout: int = Field(
        default=90, title="Timeout", description="How many seconds the server may take for each step.", ge=1, le=3600
    )
    host_fingerprint: str | None = Field(
        default=None,
        title="Host Finger Print",
        description="The fingerprint that the server's key must have, MD5 in hexadecimal or SHA256 in base64, as "
        "ssh-keygen -l writes them; empty for no check.",
    )
    private_key: Secret | None = Field(
        default=None, title="Private Key", description="The text of a private key, or the path of a file with one."
    )
    container: str | None = Field(
        default=None,
        title="Root folder",
        description="The folder that is served, with its full path. It must be there.",
        validate_default=True,
    )

    @field_validator("host_fingerprint")
    @classmethod
    def _known_form(cls, value: str | None) -> str | None:
        return fingerprint(value) if value and value.strip() else None

    @field_validator("container")
    @classmethod
    def _is_named(cls, value: str | None) -> str | None:
        if not value or "\0" in value:
            raise ValueError("it must name a folder")
        return value


class SftpFile(FilesService):
    """One folder of an SSH server."""

    label = "SFTP File Storage"
    description = "Serves one folder of an SSH server."
    config: SftpFileConfig

    def open_store(self) -> SftpStore:
        """Make the store; it connects when first used."""
        config = self.config
        if not config.container:
            raise BadRequest(
                "SFTP file service root folder not specified. Please check configuration for file service - "
                f"{self.name}."
            )
        return SftpStore(
            Settings(
                config.host,
                config.port,
                config.username or "",
                config.password.get_secret_value() if config.password else "",
                config.private_key.get_secret_value() if config.private_key else "",
                fingerprint(config.host_fingerprint) if config.host_fingerprint else "",
                float(config.timeout),
                config.container,
            )
        )
