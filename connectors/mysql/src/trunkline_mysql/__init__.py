"""MySQL and MariaDB databases as REST services."""

from trunkline_mysql.service import Mysql, MysqlConfig

__all__ = ["Mysql", "MysqlConfig"]
