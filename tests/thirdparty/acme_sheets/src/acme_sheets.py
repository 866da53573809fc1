"""Acme workbooks as REST services."""

from sqlalchemy import URL

from trunkline import Field
from trunkline_database.sql import SqlConfig, SqlService
from trunkline_database.sql.sqlite import SqliteDialect
from trunkline_database.sql.sqlite_driver import SqliteDriver


class SheetsConfig(SqlConfig):
    """Where the workbook is."""

    workbook: str = Field(title="Workbook", description="The file that keeps the sheets.")


class Sheets(SqlService):
    """Serve the sheets of one workbook, which happens to be an SQLite file."""

    label = "Acme Sheets"
    description = "Serves the sheets of an Acme workbook."
    lacks = frozenset({"procedures", "functions", "alter_column", "schemas"})
    dialect = SqliteDialect
    config: SheetsConfig

    def url(self) -> URL:
        """Answer where the database is."""
        return URL.create("sqlite", database=self.config.workbook)

    def open_driver(self) -> SqliteDriver:
        """Make the driver that knows SQLite's locks."""
        return SqliteDriver(self.config.workbook, self.config.statements)
