"""SQLite database files as REST services."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL

from trunkline import Field
from trunkline.errors import Unavailable
from trunkline_database.sql import SqlConfig, SqlService
from trunkline_database.sql.sqlite import SqliteDialect
from trunkline_database.sql.sqlite_driver import SqliteDriver

IN_MEMORY = ":memory:"


class SqliteConfig(SqlConfig):
    """Which file."""

    database: str = Field(
        title="Database",
        pattern=r"^[^\x00]+$",
        description="File name (kept in the folder for databases), a path, or :memory:. Created when missing.",
    )


class Sqlite(SqlService):
    """One SQLite file."""

    label = "SQLite"
    description = "Serves the tables and views of one SQLite file."
    at_setup = {"db": {"label": "Local SQL Database", "config": {"database": "db.sqlite"}}}  # noqa: RUF012 - as below
    lacks = {"procedures", "functions", "alter_column", "schemas"}  # noqa: RUF012 - a class attribute of the kernel
    dialect = SqliteDialect
    config: SqliteConfig

    def url(self) -> URL:
        """Answer the address; a bare name stands for a file in the folder for databases."""
        name = self.config.database
        if name == IN_MEMORY:
            return URL.create("sqlite", database=name)
        path = Path(name)
        if path.name == name:
            path = self.app.settings.databases_folder() / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable("The database can not be reached.") from error
        return URL.create("sqlite", database=str(path))

    def open_driver(self) -> SqliteDriver:
        """Make the driver that knows SQLite's locks."""
        return SqliteDriver(str(self.url().database), self.config.statements, self.read_timeout)
