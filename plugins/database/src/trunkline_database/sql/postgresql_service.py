"""PostgresqlService: what PostgreSQL and the services that are it inside have in common; connectors add names."""

from __future__ import annotations

import logging
import ssl
import warnings
from typing import Any

import sqlalchemy as sa
from pydantic import model_validator

from trunkline import Field, Secret
from trunkline_database.sql.asyncpg_driver import AsyncpgDriver, Settings
from trunkline_database.sql.postgresql import PostgresqlDialect
from trunkline_database.sql.postgresql_store import DEFAULT_SCHEMA, EVERY_SCHEMA, PostgresqlStore
from trunkline_database.sql.service import SqlConfig, SqlService

log = logging.getLogger(__name__)

DEFAULT_PORT = 5432
# Connections of one worker; how long to wait for one that is free, and for a new one.
POOL_SIZE, WAIT_SECONDS = 16, 10.0
# Driver options by the names that this driver, libpq and PDO have for them.
_OPTIONS = {
    "statement_timeout": "statement_timeout", "pool_size": "pool_size", "pool_timeout": "pool_timeout",
    "connect_timeout": "connect_timeout", "PDO::ATTR_TIMEOUT": "connect_timeout", "sslrootcert": "sslrootcert",
    "sslcert": "sslcert", "sslkey": "sslkey",
}  # fmt: skip


class _ServerConfig(SqlConfig):
    """Where the server is, and who logs in."""

    host: str = Field(default="", title="Host", description="Name or address of the server.")
    port: int | None = Field(
        default=None, ge=1, le=65535, title="Port Number", description=f"Port of the server, {DEFAULT_PORT} unless set."
    )
    database: str = Field(default="", title="Database", description="Name of the database.")
    username: str = Field(default="", title="Username", description="Who logs in.")
    password: Secret | None = Field(default=None, title="Password", description="The password of that login.")

    @model_validator(mode="after")
    def _leads_somewhere(self) -> _ServerConfig:
        """Refuse an address that is none (database-api 18)."""
        if not self.host or not self.database:
            raise ValueError("Database connection information must contain at least host and database name.")
        return self


with warnings.catch_warnings():
    # pydantic warns that ``schema`` hides a method of that name, which it has deprecated; clients call the field so.
    warnings.simplefilter("ignore", UserWarning)

    class PostgresqlConfig(_ServerConfig):
        """The settings of a PostgreSQL connection."""

        schema: str = Field(  # type: ignore[assignment]  # as said above
            default="",
            title="Schema",
            description="Empty for every schema, default for that of the login, or the name of one.",
        )
        charset: str = Field(default="", title="Character Set", description="Character set of the connection.")
        sslmode: str = Field(
            default="",
            title="SSL Mode",
            pattern="^(|disable|allow|prefer|require|verify-ca|verify-full)$",
            description="disable, allow, prefer (as when empty), require, verify-ca or verify-full.",
        )
        timezone: str = Field(default="", title="Timezone", description="Time zone of the session.")
        application_name: str = Field(
            default="", title="Application Name", description="Name shown in the server's activity views."
        )


class PostgresqlService(SqlService):
    """A PostgreSQL database through asyncpg."""

    config: PostgresqlConfig

    def url(self) -> sa.URL:
        """Answer the address."""
        config = self.config
        return sa.URL.create(
            "postgresql+asyncpg",
            username=config.username or None,
            password=config.password.get_secret_value() if config.password else None,
            host=config.host,
            port=config.port or DEFAULT_PORT,
            database=config.database,
        )

    def open_driver(self) -> AsyncpgDriver:
        """Make the driver; it connects when first used."""
        options, url = self._options(), self.url()
        connect = {
            "host": url.host,
            "port": url.port,
            "user": url.username or "",
            # Not None: that would have the driver look for one in this process's surroundings.
            "password": str(url.password or ""),
            "database": url.database,
            "ssl": self._tls(options),
        }
        settings = Settings(
            connect,
            self._session(),
            self.config.statements,
            pool_size=max(1, int(float(options.get("pool_size", POOL_SIZE)))),
            pool_timeout=float(options.get("pool_timeout", WAIT_SECONDS)),
            connect_timeout=float(options.get("connect_timeout", WAIT_SECONDS)),
            statement_timeout=self.read_timeout,
        )
        return AsyncpgDriver(self.make_dialect().sa, settings)

    def open_store(self) -> PostgresqlStore:
        """Make the store."""
        return PostgresqlStore(self.open_driver(), self.make_dialect(), self.config.schema)

    def make_dialect(self) -> PostgresqlDialect:
        """Make the dialect."""
        return PostgresqlDialect()

    def _session(self) -> dict[str, str]:
        """Answer what each session is told: the forms that clients know, and what the configuration says."""
        config = self.config
        session = {
            "application_name": config.application_name or "trunkline",
            "DateStyle": "ISO",
            "IntervalStyle": "postgres",
            "standard_conforming_strings": "on",
            "statement_timeout": str(max(1, int(self.read_timeout * 1000))),
        }
        if config.charset:
            session["client_encoding"] = config.charset
        if config.timezone:
            session["TimeZone"] = config.timezone
        if config.schema not in EVERY_SCHEMA | {DEFAULT_SCHEMA}:
            quoted = config.schema.replace('"', '""')
            session["search_path"] = f'"{quoted}"'
        return session

    def _tls(self, options: dict[str, Any]) -> Any:
        """Answer how the connection is protected; without files of one's own, the system's authorities count."""
        mode = self.config.sslmode or "prefer"
        files = {name: str(options[name]) for name in ("sslrootcert", "sslcert", "sslkey") if options.get(name)}
        if not mode.startswith("verify") and not files:
            return mode
        context = ssl.create_default_context(cafile=files.get("sslrootcert"))
        context.check_hostname = mode == "verify-full"
        if not mode.startswith("verify"):
            context.verify_mode = ssl.CERT_NONE
        if "sslcert" in files:
            context.load_cert_chain(files["sslcert"], files.get("sslkey"))
        return context

    def _options(self) -> dict[str, Any]:
        """Translate the options that mean something here; the others are PDO's own."""
        given = {**self.config.attributes, **self.config.options}
        if unknown := sorted(set(given) - set(_OPTIONS)):
            log.info("driver options without a meaning here: %s", ", ".join(unknown))
        found = {_OPTIONS[name]: value for name, value in given.items() if name in _OPTIONS}
        return {name: value for name, value in found.items() if name.startswith("ssl") or _is_number(value)}


def _is_number(value: Any) -> bool:
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False
