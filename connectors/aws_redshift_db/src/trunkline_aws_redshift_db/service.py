"""Redshift: PostgreSQL's protocol, with a narrower SQL behind it."""

from __future__ import annotations

from typing import Any

from trunkline import Field
from trunkline_aws_redshift_db.dialect import RedshiftDialect
from trunkline_aws_redshift_db.store import RedshiftStore
from trunkline_database.sql.postgresql_service import PostgresqlConfig, PostgresqlService

# What Redshift does not document as a setting, and might refuse in the greeting.
_UNKNOWN_SETTINGS = ("IntervalStyle", "standard_conforming_strings")
_UTC = "UTC"


class RedshiftConfig(PostgresqlConfig):
    """Where the cluster is."""

    port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        title="Port Number",
        description="Port of the server: clusters listen on 5439, but 5432 is tried unless this is set.",
    )


class Redshift(PostgresqlService):
    """One Redshift database through asyncpg."""

    label = "AWS Redshift DB"
    description = "Serves the tables, views and routines of one Amazon Redshift database."
    lacks = {  # noqa: RUF012 - a class attribute of the kernel
        "unique", "alter_column", "table_functions", "parameter_defaults", "several_result_sets",
    }  # fmt: skip
    config: RedshiftConfig

    def make_dialect(self) -> RedshiftDialect:
        """Make the dialect, which needs to know the time zone of the sessions."""
        return RedshiftDialect(self.config.timezone or _UTC)

    def open_store(self) -> RedshiftStore:
        """Make the store."""
        return RedshiftStore(self.open_driver(), self.make_dialect(), self.config.schema)

    def _session(self) -> dict[str, Any]:
        """Answer what each session is told, as far as Redshift knows such settings."""
        session = super()._session()
        for name in _UNKNOWN_SETTINGS:
            session.pop(name, None)
        return {"TimeZone": _UTC, **session}
