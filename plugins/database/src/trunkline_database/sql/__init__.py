"""The SQL branch of the family: everything below plans, for engines that SQLAlchemy knows."""

from trunkline_database.sql.service import SqlConfig, SqlService

__all__ = ["SqlConfig", "SqlService"]
