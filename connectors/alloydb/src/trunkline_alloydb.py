"""AlloyDB databases as REST services."""

from __future__ import annotations

from trunkline_database.sql.postgresql_service import PostgresqlConfig, PostgresqlService


class AlloydbConfig(PostgresqlConfig):
    """Where the database is."""


class Alloydb(PostgresqlService):
    """One AlloyDB database."""

    label = "AlloyDB"
    description = "Serves the tables, views and routines of one AlloyDB database."
    config: AlloydbConfig
