"""The type webdav_file: which folder of which server is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline_files import FilesConfig, FilesService

if TYPE_CHECKING:
    from trunkline_webdav_file.store import WebdavStore

_NTLM = 4
_LABELS: dict[str, dict[int | None, str]] = {
    "auth_type": {None: "As the server asks", 1: "Basic", 2: "Digest", _NTLM: "NTLM"},
    "encoding": {None: "None asked for", 1: "Identity", 2: "Deflate", 4: "Gzip"},
}
_ENCODINGS = {1: "identity", 2: "deflate", 4: "gzip"}


class WebdavFileConfig(FilesConfig):
    """Where the server is, who logs in, and which folder is served."""

    base_uri: str = Field(
        title="Base Uri", description="Scheme and host of the server; the folder goes into the root folder."
    )
    username: str | None = Field(default=None, title="Username", description="Who logs in; empty for nobody.")
    password: Secret | None = Field(default=None, title="Password", description="The password of that login.")
    auth_type: Literal[1, 2, 4] | None = Field(
        default=None,
        title="Auth Type",
        description="How to log in: empty as the server asks, 1 Basic, 2 Digest. 4, NTLM, is not supported.",
    )
    encoding: Literal[1, 2, 4] | None = Field(
        default=None,
        title="Encoding",
        description="How whole files may be packed on their way here: 1 identity, 2 deflate, 4 gzip.",
    )
    proxy: str | None = Field(default=None, title="Proxy", description="The URL of a proxy to go through.")
    container: str | None = Field(
        default=None,
        title="Root folder/Path prefix",
        description="The path of the folder that is served. It must be there.",
        validate_default=True,
    )

    @field_validator("base_uri", "proxy")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.hostname or not value.isprintable():
                raise ValueError("it must be an http or https URL")
            if parts.query or parts.fragment:
                raise ValueError("it must have no query")
        return value or None

    @field_validator("auth_type", "encoding", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        """Take what forms send for a number, and for none."""
        return int(value) if isinstance(value, str) and value.isdecimal() else None if value in ("", 0) else value

    @field_validator("auth_type")
    @classmethod
    def _is_known(cls, value: int | None) -> int | None:
        if value == _NTLM:
            raise ValueError("NTLM is not supported; use Basic or Digest")
        return value

    @field_validator("container")
    @classmethod
    def _is_plain(cls, value: str | None) -> str | None:
        if not value:
            raise ValueError("it must name a folder, / for all")
        if ".." in value.split("/") or not value.isprintable():
            raise ValueError("the path must be plain")
        return value

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Name what the numbers stand for."""
        entries = super().schema_entries()
        for entry in entries:
            if labels := _LABELS.get(entry["name"]):
                entry["values"] = [{"label": label, "name": name} for name, label in labels.items()]
        return entries


class WebdavFile(FilesService):
    """One folder of a WebDAV server."""

    label = "WebDAV File Storage"
    description = "Serves one folder of a WebDAV server."
    config: WebdavFileConfig

    def open_store(self) -> WebdavStore:
        """Make the store; it connects when first used."""
        from trunkline_webdav_file.client import Settings
        from trunkline_webdav_file.store import WebdavStore

        config = self.config
        return WebdavStore(
            Settings(
                config.base_uri,
                config.container or "/",
                config.username or "",
                config.password.get_secret_value() if config.password else "",
                config.auth_type,
                _ENCODINGS.get(config.encoding or 0, ""),
                config.proxy,
            )
        )
