"""The engines that can hold the system database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from sqlalchemy import URL

if TYPE_CHECKING:
    from trunkline.settings import Settings

Kind = Literal["sqlite", "pgsql", "mysql"]
EMBEDDED: Kind = get_args(Kind)[0]
_DRIVERS = {"pgsql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
# The extra of our distribution that brings each driver.
EXTRAS = {"pgsql": "postgresql", "mysql": "mysql"}


def url_of(settings: Settings) -> URL:
    """Answer the address of the system database."""
    if settings.db_connection == EMBEDDED:
        name = settings.db_database or "system.sqlite"
        return URL.create("sqlite", database=str(settings.storage.resolve() / name))
    return URL.create(
        _DRIVERS[settings.db_connection],
        username=settings.db_username or None,
        password=settings.db_password.get_secret_value() or None,
        host=settings.db_host,
        port=settings.db_port,
        database=settings.db_database or "trunkline",
    )
