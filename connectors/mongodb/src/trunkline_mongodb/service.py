"""Mongodb: the configuration of a MongoDB database, and how it is opened."""

from __future__ import annotations

from typing import Any

from pydantic import field_validator, model_validator

from trunkline import Field, Secret
from trunkline_database.service import DatabaseConfig, DatabaseService
from trunkline_database.store import Store

NO_DATABASE = "Database name must be provided or included in the dsn or as an 'option' attribute."
_SCHEMES = ("mongodb://", "mongodb+srv://")


class MongodbConfig(DatabaseConfig):
    """Where the server is, and which database is served."""

    dsn: Secret | None = Field(
        default=None,
        title="Connection String",
        description="Address in MongoDB's own form, mongodb://host:port/database?options; it wins over those below.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        title="Options",
        description="Options of the connection by their MongoDB names, such as authSource, replicaSet or tls.",
    )
    driver_options: dict[str, Any] = Field(
        default_factory=dict,
        title="Driver Options",
        description="TLS files and checks: cafile, local_cert, passphrase, verify_peer, verify_peer_name; also "
        "statement_timeout, the seconds that one request may take in the database.",
    )
    host: str | None = Field(default=None, title="Host", description="Name or address of the server.")
    port: int | None = Field(
        default=None, ge=1, le=65535, title="Port Number", description="Port of the server, 27017 unless set."
    )
    database: str | None = Field(default=None, title="Database", description="Name of the database.")
    username: str | None = Field(default=None, title="Username", description="Login of the server.")
    password: Secret | None = Field(default=None, title="Password", description="The password of that login.")

    @field_validator("options", "driver_options", mode="before")
    @classmethod
    def _empty_when_blank(cls, value: Any) -> Any:
        """Take null and empty lists as nothing: forms send both."""
        return {} if value in (None, [], "") else value

    @model_validator(mode="after")
    def _has_database(self) -> MongodbConfig:
        if not self.database_name():
            raise ValueError(NO_DATABASE)
        return self

    def address(self) -> str:
        """Answer the connection string with its scheme; empty where there is none."""
        text = self.dsn.get_secret_value().strip() if self.dsn else ""
        return text if not text or text.startswith(_SCHEMES) else f"mongodb://{text}"

    def database_name(self) -> str:
        """Answer the name of the database: its own field, an option, or the path of the connection string."""
        named = self.database or self.options.get("database") or self.options.get("db")
        if named:
            return str(named)
        _, _, rest = self.address().partition("://")
        return rest.partition("/")[2].partition("?")[0]


class Mongodb(DatabaseService):
    """One MongoDB database."""

    label = "MongoDB"
    description = "Serves the collections of one MongoDB database."
    lacks = {  # noqa: RUF012 - a class attribute of the kernel
        "procedures", "functions", "db_functions", "keyless_tables", "foreign_keys", "text_filters", "columns_demanded",
    }  # fmt: skip
    config: MongodbConfig

    def open_store(self) -> Store:
        """Make the store; it connects when first used."""
        from trunkline_mongodb.connection import Connection
        from trunkline_mongodb.store import MongoStore

        return MongoStore(Connection(self.config))
