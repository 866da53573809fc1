"""Microsoft SQL Server databases as REST services."""

from trunkline_sqlsrv.service import Sqlsrv, SqlsrvConfig

__all__ = ["Sqlsrv", "SqlsrvConfig"]
