"""Process settings from the environment (or a ``.env`` file), each with its type and its words."""

from __future__ import annotations

import ipaddress
import os
import secrets
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from trunkline import vault
from trunkline.db import engines
from trunkline.errors import TrunklineError


class BadSettings(TrunklineError):
    """A setting in the environment cannot be used; the message names it."""


def _env(name: str, *others: str, default: Any, help: str) -> Any:  # noqa: A002 - the word operators know
    """Declare a setting by its environment variable, with older names that still work."""
    return Field(default=default, validation_alias=AliasChoices(name, *others), description=help)


class Settings(BaseSettings):
    """All settings; field names are ours, environment names are those that operators of DreamFactory know."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    storage: Path = _env(
        "TRUNKLINE_STORAGE", default=Path("storage"), help="Folder for the embedded databases, the key file and caches."
    )
    app_key: SecretStr | None = _env(
        "APP_KEY",
        default=None,
        help="Encrypts stored secrets; without it the first start creates one in the storage folder.",
    )
    previous_app_keys: str = _env(
        "APP_PREVIOUS_KEYS", default="", help="Former APP_KEY values, comma separated, until rotate-key has run."
    )
    app_name: str = _env("APP_NAME", default="Trunkline", help="Name shown on the start page and in mails.")
    app_url: str = _env(
        "APP_URL", default="http://localhost", help="External address, for links in mails and redirects."
    )
    debug: bool = _env("APP_DEBUG", default=False, help="Log more; replies stay the same.")
    db_connection: engines.Kind = _env(
        "DB_CONNECTION", default=engines.EMBEDDED, help="Kind of system database: sqlite, pgsql or mysql."
    )
    db_host: str = _env("DB_HOST", default="127.0.0.1", help="System database host.")
    db_port: int | None = _env("DB_PORT", default=None, help="System database port; the usual one unless given.")
    db_database: str = _env(
        "DB_DATABASE",
        default="",
        help="System database name; for sqlite a file, system.sqlite in the storage unless given.",
    )
    db_username: str = _env("DB_USERNAME", default="", help="System database user.")
    db_password: SecretStr = _env("DB_PASSWORD", default=SecretStr(""), help="System database password.")
    cache_driver: str = _env(
        "CACHE_STORE",
        "CACHE_DRIVER",
        default="file",
        help="Shared cache: file, memory (one process only), or an installed one.",
    )
    cache_host: str = _env("CACHE_HOST", default="127.0.0.1", help="Shared cache host, for drivers that have one.")
    cache_port: int | None = _env("CACHE_PORT", default=None, help="Shared cache port.")
    cache_username: str = _env("CACHE_USERNAME", default="", help="Shared cache user.")
    cache_password: SecretStr = _env("CACHE_PASSWORD", default=SecretStr(""), help="Shared cache password.")
    cache_database: int = _env("CACHE_DATABASE", default=0, help="Shared cache database number.")
    cache_prefix: str = _env("CACHE_PREFIX", default="trunkline:", help="Prefix of every key in the shared cache.")
    log_channel: str = _env(
        "LOG_CHANNEL", default="stderr", help="Where the log goes: stderr, stdout, or a file's path."
    )
    log_level: Literal["debug", "info", "notice", "warning", "error", "critical"] = _env(
        "APP_LOG_LEVEL", "LOG_LEVEL", default="warning", help="Least level that is logged."
    )
    log_format: Literal["json", "text"] = _env("LOG_FORMAT", default="json", help="Log lines as JSON or for people.")
    install: str = _env("DF_INSTALL", default="pip", help="How this copy was installed; shown in system/environment.")
    login_attribute: Literal["email", "username"] = _env(
        "DF_LOGIN_ATTRIBUTE", default="email", help="What users log in with: email or username."
    )
    alternate_auth: bool = _env(
        "DF_ENABLE_ALTERNATE_AUTH",
        default=False,
        help="Let the user service log in by a table of a database service, as it is configured.",
    )
    confirm_code_length: int = _env(
        "DF_CONFIRM_CODE_LENGTH", default=32, help="Characters of codes that are mailed, from 5 to 32."
    )
    confirm_code_ttl: int = _env("DF_CONFIRM_CODE_TTL", default=86400, help="Seconds that such a code lives.")
    confirm_reset_url: str = _env(
        "DF_CONFIRM_RESET_URL",
        default="/dreamfactory/dist/index.html#/auth/reset-password",
        help="Page to choose a new password on, for links in mails; a path stands below `APP_URL`.",
    )
    confirm_invite_url: str = _env(
        "DF_CONFIRM_INVITE_URL",
        default="/dreamfactory/dist/index.html#/auth/user-invite",
        help="Page where invitations are accepted.",
    )
    confirm_register_url: str = _env(
        "DF_CONFIRM_REGISTER_URL",
        default="/dreamfactory/dist/index.html#/auth/register-confirm",
        help="Page where registrations are confirmed.",
    )
    jwt_secret: SecretStr | None = _env(
        "JWT_SECRET", default=None, help="Signs session tokens; derived from APP_KEY unless given."
    )
    jwt_ttl: int = _env("DF_JWT_TTL", "JWT_TTL", default=1440, help="Minutes that a session token lives.")
    jwt_refresh_ttl: int = _env(
        "DF_JWT_REFRESH_TTL",
        "JWT_REFRESH_TTL",
        default=20160,
        help="Minutes after login within which it can be refreshed.",
    )
    forever_sessions: bool = _env(
        "DF_ALLOW_FOREVER_SESSIONS",
        "ALLOW_FOREVER_SESSIONS",
        default=False,
        help="Let remember_me move the refresh window.",
    )
    max_records: int = _env(
        "DB_MAX_RECORDS_RETURNED", default=100_000, help="Most records in one reply, for every service."
    )
    wrap_resources: bool = _env("DF_ALWAYS_WRAP_RESOURCES", default=True, help="Wrap lists in an object.")
    resource_wrapper: str = _env("DF_RESOURCE_WRAPPER", default="resource", help="Key of the list in that object.")
    xml_root: str = _env("DF_XML_ROOT", default="dfapi", help="Root element of XML replies.")
    content_type: str = _env(
        "DF_CONTENT_TYPE", default="application/json", help="Media type where the client names none."
    )
    lookup_modifiers: str = _env(
        "DF_LOOKUP_MODIFIERS",
        default="strtoupper,strtolower,ucfirst,lcfirst,ucwords,urlencode,urldecode,rawurlencode,rawurldecode,"
        "base64_encode,base64_decode,trim",
        help="Functions allowed in lookups such as {strtoupper(name)}.",
    )
    sqlite_storage: Path | None = _env(
        "DF_SQLITE_STORAGE", default=None, help="Folder of SQLite services; databases/ in the storage unless given."
    )
    password_length: int = _env("TRUNKLINE_PASSWORD_LENGTH", default=16, help="Least length of a password (D18).")
    max_body: int = _env("TRUNKLINE_MAX_BODY", default=64 * 2**20, help="Most bytes of a request body that is parsed.")
    max_upload: int = _env(
        "TRUNKLINE_MAX_UPLOAD", default=10 * 2**30, help="Most bytes of a request body that is stored as a file."
    )
    body_timeout: float = _env(
        "TRUNKLINE_BODY_TIMEOUT",
        default=30.0,
        help="Seconds that a request body may take, and one more for every 500 bytes of it.",
    )
    max_url: int = _env("TRUNKLINE_MAX_URL", default=64 * 2**10, help="Most bytes of path and query.")
    outgoing_networks: str = _env(
        "TRUNKLINE_OUTGOING_NETWORKS",
        default="",
        help="Networks, comma separated, that clients' URLs and remote services may lead to although not public.",
    )
    login_attempts: int = _env(
        "TRUNKLINE_LOGIN_ATTEMPTS", default=10, help="Failed logins of one name within the window before it is refused."
    )
    login_window: int = _env("TRUNKLINE_LOGIN_WINDOW", default=300, help="Seconds of that window.")
    graceful_timeout: float = _env(
        "TRUNKLINE_GRACEFUL_TIMEOUT", default=10.0, help="Seconds to finish requests when stopping."
    )
    # Which plugins are loaded; None is all that are installed. For isolating a fault.
    plugins: str | None = _env("TRUNKLINE_PLUGINS", default=None, help="Load only these plugins, comma separated.")

    @field_validator("outgoing_networks")
    @classmethod
    def _networks(cls, text: str) -> str:
        for part in filter(None, map(str.strip, text.split(","))):
            ipaddress.ip_network(part)
        return text

    def page(self, which: Literal["reset", "invite", "register"]) -> str:
        """Answer the page that a mail links to; never by the Host of a request, which may be anything."""
        page: str = getattr(self, f"confirm_{which}_url")
        return page if "://" in page else f"{self.app_url.rstrip('/')}/{page.lstrip('/')}"

    def databases_folder(self) -> Path:
        """Answer the folder where SQLite services keep files that are named without a path."""
        return (self.sqlite_storage or self.storage / "databases").resolve()


def load(**overrides: Any) -> Settings:
    """Read the settings; raises BadSettings that names the variable."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        said = "; ".join(
            f"{one['loc'][0]}: {one['msg']}" for one in error.errors(include_input=False, include_url=False)
        )
        raise BadSettings(f"Invalid settings: {said}") from None


def open_vault(settings: Settings) -> vault.Vault:
    """Open the vault under ``APP_KEY``, or under a key file in the storage folder, made when missing (mode 0600)."""
    previous = tuple(key.strip() for key in settings.previous_app_keys.split(",") if key.strip())
    if settings.app_key is not None and settings.app_key.get_secret_value():
        return vault.Vault(settings.app_key.get_secret_value(), previous)
    path = settings.storage / "app.key"
    settings.storage.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        fresh = path.with_suffix(f".{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(vault.new_key())
            file.flush()
            os.fsync(descriptor)
        try:
            # Linking fails if another process was first, and then its key is the one.
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return vault.Vault(path.read_text().strip(), previous)
