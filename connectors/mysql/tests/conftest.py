"""The server that these tests ask for."""

from servers import mariadb_server

__all__ = ["mariadb_server"]
