"""The service type ``mysql``: its settings, and how its store is made of them."""

from __future__ import annotations

import logging
import ssl
import warnings
from typing import Any

import sqlalchemy as sa

from trunkline import Field, Secret
from trunkline_database.sql import SqlConfig, SqlService
from trunkline_mysql.connection import Settings
from trunkline_mysql.dialect import MysqlDialect, PreparedMysql
from trunkline_mysql.driver import MysqlDriver
from trunkline_mysql.store import MysqlStore

log = logging.getLogger(__name__)

# Connections of one worker; how long to wait for one that is free, and for a new one.
POOL_SIZE, WAIT_SECONDS = 16, 10.0
# Driver options by the names that this driver and PDO have for them.
_OPTIONS = {
    "statement_timeout": "statement_timeout", "pool_size": "pool_size", "pool_timeout": "pool_timeout",
    "connect_timeout": "connect_timeout", "PDO::ATTR_TIMEOUT": "connect_timeout",
    "ssl_mode": "ssl_mode",
    "ssl_ca": "ssl_ca", "PDO::MYSQL_ATTR_SSL_CA": "ssl_ca",
    "ssl_cert": "ssl_cert", "PDO::MYSQL_ATTR_SSL_CERT": "ssl_cert",
    "ssl_key": "ssl_key", "PDO::MYSQL_ATTR_SSL_KEY": "ssl_key",
}  # fmt: skip
_TLS_MODES = ("disabled", "required", "verify_ca", "verify_identity")

with warnings.catch_warnings():
    # pydantic warns that ``schema`` hides a method of that name, which it has deprecated; clients call the field so.
    warnings.simplefilter("ignore", UserWarning)

    class MysqlConfig(SqlConfig):
        """Where the server is, and how to talk to it."""

        host: str = Field(title="Host", min_length=1, description="Name or address of the server.")
        port: int = Field(default=3306, title="Port Number", description="Port of the server.")
        database: str = Field(title="Database", min_length=1, description="Name of the database; it must exist.")
        username: str | None = Field(default=None, title="Username", description="User to log in as.")
        password: Secret | None = Field(default=None, title="Password", description="The user's password.")
        schema: str = Field(  # type: ignore[assignment]  # as said above
            default="",
            title="Schema",
            description="Empty for every database of the server, default for the one above, or the name of one.",
        )
        charset: str | None = Field(default=None, title="Character Set", description="utf8mb4 unless given.")
        collation: str | None = Field(
            default=None, title="Character Set Collation", description="Collation of the connection."
        )
        timezone: str | None = Field(
            default=None, title="Timezone", description="Time zone of the session, such as +00:00."
        )
        modes: str | None = Field(default=None, title="Session Modes", description="SQL modes, comma separated.")
        strict: bool | None = Field(
            default=None, title="Use Strict Mode", description="Refuse values that do not fit; on unless switched off."
        )
        unix_socket: str | None = Field(
            default=None, title="Socket Connection", description="Path of a socket, instead of host and port."
        )


class Mysql(SqlService):
    """The databases of a MySQL or MariaDB server."""

    label = "MySQL"
    description = "Serves the tables, views and routines of MySQL and MariaDB databases."
    lacks = {"table_functions", "parameter_defaults"}  # noqa: RUF012 - a class attribute of the kernel
    dialect = MysqlDialect
    config: MysqlConfig

    def url(self) -> sa.URL:
        """Answer the address with credentials."""
        config = self.config
        return sa.URL.create(
            "mysql+asyncmy",
            username=config.username,
            password=config.password.get_secret_value() if config.password else None,
            host=config.host,
            port=config.port,
            database=config.database,
        )

    def open_driver(self) -> MysqlDriver:
        """Make the driver; it connects when first used."""
        options, url = self._options(), self.url()
        connect = {
            "host": url.host,
            "port": url.port,
            "user": url.username,
            "password": str(url.password or "").encode(),
            "database": url.database,
            "charset": self.config.charset or "utf8mb4",
            "unix_socket": self.config.unix_socket or None,
            "ssl": self._tls(options),
        }
        connect_timeout = float(options.get("connect_timeout", WAIT_SECONDS))
        return MysqlDriver(
            PreparedMysql(),
            Settings(connect, self._session(), self.config.statements, connect_timeout),
            size=max(1, int(float(options.get("pool_size", POOL_SIZE)))),
            patience=float(options.get("pool_timeout", WAIT_SECONDS)),
            read_timeout=self.read_timeout,
        )

    def open_store(self) -> MysqlStore:
        """Make the store."""
        driver = self.open_driver()
        return MysqlStore(driver, MysqlDialect(driver.dialect), self.config.schema)

    def _session(self) -> list[tuple[str, list[Any]]]:
        """Answer what each session is told: modes first, as the operator's own statements may rely on them."""
        config = self.config
        strict = "" if config.strict is False else "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,"
        modes = config.modes or f"{strict}NO_ENGINE_SUBSTITUTION"
        session = [("SET SESSION sql_mode = ?", [modes.strip(",")])]
        if config.timezone:
            session.append(("SET SESSION time_zone = ?", [config.timezone]))
        if config.collation:
            session.append(("SET SESSION collation_connection = ?", [config.collation]))
        return session

    def _tls(self, options: dict[str, Any]) -> ssl.SSLContext | None:
        """Answer how the connection is protected: with files of authorities they count, and the host's name too."""
        files = {name: str(options[name]) for name in ("ssl_ca", "ssl_cert", "ssl_key") if options.get(name)}
        mode = str(options.get("ssl_mode", "verify_identity" if "ssl_ca" in files else "disabled")).lower()
        if mode not in _TLS_MODES:
            log.warning("the option ssl_mode must be one of %s", ", ".join(_TLS_MODES))
            mode = _TLS_MODES[-1]
        if mode == "disabled":
            return None
        context = ssl.create_default_context(cafile=files.get("ssl_ca"))
        context.check_hostname = mode == "verify_identity"
        if not mode.startswith("verify"):
            context.verify_mode = ssl.CERT_NONE
        if "ssl_cert" in files:
            context.load_cert_chain(files["ssl_cert"], files.get("ssl_key"))
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
