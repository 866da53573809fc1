"""The service type: its configuration, and how its parts come together."""

from __future__ import annotations

from pydantic import field_validator, model_validator

from trunkline import Field, Secret
from trunkline_database.service import DatabaseConfig, DatabaseService
from trunkline_database.sql.threaded import DEFAULT_READ_TIMEOUT
from trunkline_database.store import Store

DEFAULT_PORT = 3050


class FirebirdConfig(DatabaseConfig):
    """Where the database is; drivers' own settings do not exist for this type (connectors 14.4)."""

    host: str = Field(default="", title="Host", description="Name or address of the server.")
    port: int | None = Field(
        default=None, title="Port Number", ge=1, le=65535, description=f"Port of the server, {DEFAULT_PORT} unless set."
    )
    database: str = Field(default="", title="Database", description="Path or alias of the database on the server.")
    username: str = Field(default="", title="Username", description="Who logs in.")
    password: Secret | None = Field(default=None, title="Password", description="The password of that login.")
    charset: str = Field(
        default="", title="Character Set", description="Character set of the connection, UTF8 unless set."
    )

    @field_validator("port", mode="before")
    @classmethod
    def _none_when_blank(cls, value: object) -> object:
        """Take an empty port for none: forms send it so."""
        return None if value == "" else value

    @model_validator(mode="after")
    def _leads_somewhere(self) -> FirebirdConfig:
        """Refuse an address that is none (database-api 18), or without a login."""
        if not self.host or not self.database:
            raise ValueError("Database connection information must contain at least host and database name.")
        if not self.username or self.password is None:
            raise ValueError("Database connection information must contain username and password.")
        return self


class Firebird(DatabaseService):
    """One database of a Firebird server."""

    label = "Firebird"
    description = "Serves the tables, views, procedures and functions of one Firebird database."
    # A procedure has rows or a row of OUT values, and a function has one value.
    lacks = {"schemas", "several_result_sets", "result_sets_with_out", "inout", "table_functions"}  # noqa: RUF012
    # Seconds after which a read is stopped; there is no setting for it.
    read_timeout = DEFAULT_READ_TIMEOUT
    config: FirebirdConfig

    def open_store(self) -> Store:
        """Make the store; it connects when first used."""
        # Rendering needs the driver, which needs a library of the system's: a type is described without both.
        from trunkline_firebird.dialect import FirebirdDialect
        from trunkline_firebird.driver import Address, FirebirdDriver
        from trunkline_firebird.store import FirebirdStore

        config = self.config
        password = config.password.get_secret_value() if config.password else ""
        address = Address(
            config.host, config.port or DEFAULT_PORT, config.database, config.username, password,
            config.charset.upper() or "UTF8",
        )  # fmt: skip
        driver = FirebirdDriver(address, self.read_timeout)
        return FirebirdStore(driver, FirebirdDialect(driver.dialect))
