"""PostgreSQL databases as REST services."""

from __future__ import annotations

from trunkline_database.sql.postgresql_service import PostgresqlConfig, PostgresqlService


class PgsqlConfig(PostgresqlConfig):
    """Where the database is."""


class Pgsql(PostgresqlService):
    """One PostgreSQL database."""

    label = "PostgreSQL"
    description = "Serves the tables, views and routines of one PostgreSQL database."
    config: PgsqlConfig
