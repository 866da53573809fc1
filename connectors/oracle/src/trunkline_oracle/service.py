"""The service type ``oracle``: its settings, and how its store is made of them."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import sqlalchemy as sa
from pydantic import field_validator, model_validator

from trunkline import Field, Secret
from trunkline_database.sql import SqlConfig, SqlService
from trunkline_oracle.dialect import OracleDialect
from trunkline_oracle.driver import OracleDriver, Settings
from trunkline_oracle.rendering import OracleRendering
from trunkline_oracle.store import OracleStore

log = logging.getLogger(__name__)

DEFAULT_PORT = 1521
# Sessions of one worker; how long to wait for one that is free, and for a new one.
POOL_SIZE, WAIT_SECONDS = 16, 10.0
_NUMBERS = frozenset({"statement_timeout", "pool_size", "pool_timeout", "connect_timeout"})
# Driver options by the names that this driver and PDO have for them.
_OPTIONS = {
    **{name: name for name in _NUMBERS},
    "PDO::ATTR_TIMEOUT": "connect_timeout", "wallet_location": "wallet_location", "wallet_password": "wallet_password",
    "ssl_server_dn_match": "ssl_server_dn_match", "ssl_server_cert_dn": "ssl_server_cert_dn",
}  # fmt: skip
# The driver speaks UTF-8 whatever it is told.
_UTF8 = frozenset({"", "utf8", "utf-8", "al32utf8"})

with warnings.catch_warnings():
    # pydantic warns that ``schema`` hides a method of that name, which it has deprecated; clients call the field so.
    warnings.simplefilter("ignore", UserWarning)

    class OracleConfig(SqlConfig):
        """Where the database is, and how to talk to it."""

        host: str | None = Field(default=None, title="Host", description="Name or address of the server.")
        port: int | None = Field(
            default=None, ge=1, le=65535, title="Port Number",
            description=f"Port of the listener, {DEFAULT_PORT} unless set.",
        )  # fmt: skip
        database: str | None = Field(
            default=None, title="Database", description="SID of the database; may be empty where there is a service."
        )
        username: str | None = Field(default=None, title="Username", description="User to log in as.")
        password: Secret | None = Field(default=None, title="Password", description="The user's password.")
        schema: str = Field(  # type: ignore[assignment]  # as said above
            default="",
            title="Schema",
            description="Empty for every schema, default for that of the login, or the name of one.",
        )
        service_name: str | None = Field(
            default=None, title="Service Name", description="Service to connect to where database names no SID."
        )
        tns: str | None = Field(
            default=None,
            title="TNS Full Connection String",
            description="A whole descriptor, (DESCRIPTION=...), or host:port/service: it counts instead of the above.",
        )
        protocol: str | None = Field(
            default=None,
            title="Connection Protocol",
            pattern="^(?i:tcps?)?$",
            description="TCP (as when empty) or TCPS.",
        )
        charset: str | None = Field(
            default=None,
            title="Character Set",
            pattern="^[A-Za-z0-9_-]*$",
            description="Has no effect: the driver speaks UTF-8 and the database converts.",
        )
        treat_number_as_decimal: bool | None = Field(
            default=None,
            title="Treat NUMBER as DECIMAL",
            description="Take NUMBER without digits for decimals rather than integers.",
        )

        @field_validator("tns")
        @classmethod
        def _leads_somewhere(cls, value: str | None) -> str | None:
            """Refuse what the driver cannot read, whose own words would show it."""
            if value and not is_readable(value):
                raise ValueError("This is neither a descriptor nor of the form host:port/service.")
            return value or None

        @model_validator(mode="after")
        def _names_a_database(self) -> OracleConfig:
            """Refuse an address that is none (database-api 18)."""
            if not (self.tns or (self.host and (self.database or self.service_name))):
                raise ValueError("Database connection information must contain at least host and database name.")
            return self


class Oracle(SqlService):
    """The schemas of an Oracle database."""

    label = "Oracle"
    description = "Serves the tables, views, procedures and functions of Oracle databases."
    dialect = OracleDialect
    config: OracleConfig

    def url(self) -> sa.URL:
        """Answer the address with credentials, as far as it is not a descriptor."""
        config = self.config
        return sa.URL.create(
            "oracle+oracledb",
            username=config.username,
            password=config.password.get_secret_value() if config.password else None,
            host=config.host,
            port=config.port or DEFAULT_PORT,
            database=config.database or None,
        )

    def open_driver(self) -> OracleDriver:
        """Make the driver; it connects when first used."""
        options = self._options()
        if (self.config.charset or "").lower() not in _UTF8:
            log.info("the character set %s has no effect: the driver speaks UTF-8", self.config.charset)
        connect_timeout = float(options.get("connect_timeout", WAIT_SECONDS))
        settings = Settings(
            self._connect(options, connect_timeout),
            self.config.statements,
            pool_size=max(1, int(float(options.get("pool_size", POOL_SIZE)))),
            pool_timeout=float(options.get("pool_timeout", WAIT_SECONDS)),
            connect_timeout=connect_timeout,
            statement_timeout=self.read_timeout,
        )
        return OracleDriver(OracleRendering(), settings)

    def open_store(self) -> OracleStore:
        """Make the store."""
        dialect = OracleDialect(OracleRendering(), bool(self.config.treat_number_as_decimal))
        return OracleStore(self.open_driver(), dialect, self.config.schema)

    def _connect(self, options: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Answer what the driver is told; a descriptor wins over all that says where."""
        config, url = self.config, self.url()
        told: dict[str, Any] = {
            "user": url.username,
            "password": str(url.password or ""),
            "tcp_connect_timeout": timeout,
        }
        if config.tns:
            told["dsn"] = config.tns
        else:
            told |= {"host": url.host, "port": url.port, "protocol": (config.protocol or "tcp").lower()}
            told |= {"sid": config.database} if config.database else {"service_name": config.service_name}
        for name in ("wallet_location", "wallet_password", "ssl_server_cert_dn"):
            if options.get(name):
                told[name] = str(options[name])
        if "ssl_server_dn_match" in options:
            told["ssl_server_dn_match"] = str(options["ssl_server_dn_match"]).lower() not in ("false", "0", "no", "off")
        return told

    def _options(self) -> dict[str, Any]:
        """Translate the options that mean something here; the others are PDO's own."""
        given = {**self.config.attributes, **self.config.options}
        if unknown := sorted(set(given) - set(_OPTIONS)):
            log.info("driver options without a meaning here: %s", ", ".join(unknown))
        found = {_OPTIONS[name]: value for name, value in given.items() if name in _OPTIONS}
        return {name: value for name, value in found.items() if name not in _NUMBERS or _is_number(value)}


def is_readable(text: str) -> bool:
    """Say whether the driver finds an address in a connection string; what has a placeholder is not judged yet."""
    import oracledb

    if "{" in text:
        return True
    try:
        oracledb.ConnectParams().parse_connect_string(text)
    except (oracledb.Error, ValueError):
        return False
    return True


def _is_number(value: Any) -> bool:
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return False
