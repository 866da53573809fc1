"""SqlService: databases that speak SQL."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import sqlalchemy as sa
from pydantic import field_validator

from trunkline import Field
from trunkline_database.service import DatabaseConfig, DatabaseService
from trunkline_database.sql.dialect import Dialect
from trunkline_database.sql.driver import Driver
from trunkline_database.sql.store import SqlStore
from trunkline_database.sql.threaded import DEFAULT_READ_TIMEOUT, ThreadedDriver


class SqlConfig(DatabaseConfig):
    """The settings that all SQL types have beside their own."""

    options: dict[str, Any] = Field(
        default_factory=dict, title="Driver Options", description="Options of the driver, by name."
    )
    attributes: dict[str, Any] = Field(
        default_factory=dict, title="Driver Attributes", description="Attributes to set after connecting, by name."
    )
    statements: list[str] = Field(
        default_factory=list,
        title="Additional SQL Statements",
        description="SQL to run on each new connection.",
    )

    @field_validator("options", "attributes", "statements", mode="before")
    @classmethod
    def _empty_when_blank(cls, value: Any, info: Any) -> Any:
        """Take null and empty lists as nothing: forms send both."""
        return ([] if info.field_name == "statements" else {}) if value in (None, [], {}, "") else value


class SqlService(DatabaseService):
    """A database reached through SQLAlchemy's dialects; a connector says where it is, and which dialect is spoken."""

    dialect: ClassVar[type[Dialect]] = Dialect
    config: SqlConfig

    @abstractmethod
    def url(self) -> sa.URL:
        """Answer the address, with credentials."""

    @property
    def read_timeout(self) -> float:
        """Seconds after which a read is stopped: the driver option ``statement_timeout``, else a minute."""
        try:
            return float(self.config.options["statement_timeout"])
        except (KeyError, TypeError, ValueError):
            return DEFAULT_READ_TIMEOUT

    def open_driver(self) -> Driver:
        """Make the driver; it connects when first used. By default the synchronous one of the address, in threads."""
        engine = sa.create_engine(self.url(), isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        return ThreadedDriver(engine, self.read_timeout)

    def open_store(self) -> SqlStore:
        """Make the store of driver and dialect."""
        driver = self.open_driver()
        return SqlStore(driver, self.dialect(driver.dialect))
