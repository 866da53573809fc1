"""Sqlsrv: the configuration of a SQL Server database, and how it is opened."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import sqlalchemy as sa

from trunkline import Field, Secret
from trunkline_database.sql.service import SqlConfig, SqlService
from trunkline_sqlsrv.connection import SESSION, Settings
from trunkline_sqlsrv.dialect import SqlsrvDialect
from trunkline_sqlsrv.driver import SqlsrvDriver
from trunkline_sqlsrv.store import SqlsrvStore

log = logging.getLogger(__name__)

DEFAULT_PORT = 1433
# Connections of one worker; how long to wait for one that is free, and for a new one.
POOL_SIZE, WAIT_SECONDS = 16, 10.0
# Driver options by the names that this driver and PDO have for them.
_OPTIONS = {
    "statement_timeout": "statement_timeout", "pool_size": "pool_size", "pool_timeout": "pool_timeout",
    "connect_timeout": "connect_timeout", "LoginTimeout": "connect_timeout", "PDO::ATTR_TIMEOUT": "connect_timeout",
    "ssl_ca": "ssl_ca",
}  # fmt: skip

with warnings.catch_warnings():
    # pydantic warns that ``schema`` hides a method of that name, which it has deprecated; clients call the field so.
    warnings.simplefilter("ignore", UserWarning)

    class SqlsrvConfig(SqlConfig):
        """Where the server is, and how to talk to it."""

        host: str = Field(title="Host", min_length=1, description="Name or address of the server.")
        port: int | None = Field(
            default=None, ge=1, le=65535, title="Port Number", description="Port of the server, 1433 unless set."
        )
        database: str = Field(title="Database", min_length=1, description="Name of the database; it must exist.")
        username: str | None = Field(default=None, title="Username", description="Login of the server.")
        password: Secret | None = Field(default=None, title="Password", description="The password of that login.")
        schema: str = Field(  # type: ignore[assignment]  # as said above
            default="",
            title="Schema",
            description="Empty for every schema, default for that of the login, or the name of one.",
        )
        readonly: bool | None = Field(
            default=None, title="Read Only", description="Say that only reads are meant: ApplicationIntent=ReadOnly."
        )
        pooling: bool | None = Field(
            default=None,
            title="Enable Connection Pooling",
            description="Keep connections for the next request; on unless switched off.",
        )
        encrypt: bool | None = Field(
            default=None,
            title="Encrypted communication",
            description="Encrypt everything, else just the login where the server can.",
        )
        trust_server_certificate: bool | None = Field(
            default=True,
            title="Trust server certificate",
            description="Take any certificate; off, it must be signed for the host by an authority.",
        )
        appname: str = Field(default="", title="Application Name", description="Name shown in the server's views.")


class Sqlsrv(SqlService):
    """One SQL Server database."""

    label = "SQL Server"
    description = "Serves the tables, views and routines of one Microsoft SQL Server database."
    lacks = {"parameter_defaults"}  # noqa: RUF012 - a class attribute of the kernel
    dialect = SqlsrvDialect
    config: SqlsrvConfig

    def url(self) -> sa.URL:
        """Answer the address."""
        config = self.config
        return sa.URL.create(
            "mssql+trunkline",
            username=config.username,
            password=config.password.get_secret_value() if config.password else None,
            host=config.host,
            port=config.port or DEFAULT_PORT,
            database=config.database,
        )

    def settings(self) -> Settings:
        """Answer how to connect."""
        config, options, url = self.config, self._options(), self.url()
        return Settings(
            host=config.host,
            port=config.port or DEFAULT_PORT,
            database=config.database,
            user=config.username or "",
            password=str(url.password or ""),
            encrypt=bool(config.encrypt),
            trusting=config.trust_server_certificate is not False,
            authorities=str(options.get("ssl_ca", "")),
            readonly=bool(config.readonly),
            appname=config.appname or "trunkline",
            connect_timeout=float(options.get("connect_timeout", WAIT_SECONDS)),
            statements=(*SESSION, *config.statements),
        )

    def open_driver(self) -> SqlsrvDriver:
        """Make the driver; it connects when first used."""
        options = self._options()
        return SqlsrvDriver(
            self.settings(),
            size=max(1, int(float(options.get("pool_size", POOL_SIZE)))) if self.config.pooling is not False else 0,
            patience=float(options.get("pool_timeout", WAIT_SECONDS)),
            read_timeout=self.read_timeout,
        )

    def open_store(self) -> SqlsrvStore:
        """Make the store."""
        driver = self.open_driver()
        return SqlsrvStore(driver, SqlsrvDialect(driver.dialect), self.config.schema)

    def _options(self) -> dict[str, Any]:
        """Translate the options that mean something here; the others are PDO's own."""
        given = {**self.config.attributes, **self.config.options}
        if unknown := sorted(set(given) - set(_OPTIONS)):
            log.info("driver options without a meaning here: %s", ", ".join(unknown))
        found = {_OPTIONS[name]: value for name, value in given.items() if name in _OPTIONS}
        return {name: value for name, value in found.items() if name == "ssl_ca" or _is_number(value)}


def _is_number(value: Any) -> bool:
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False
