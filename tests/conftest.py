"""The servers that tests marked ``live`` may ask for."""

from servers import mariadb_server, postgresql_server

__all__ = ["mariadb_server", "postgresql_server"]
