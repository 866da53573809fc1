"""The type ``couchdb`` (connectors 14.6)."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline.config import MULTILINE
from trunkline_database.service import DatabaseConfig, DatabaseService
from trunkline_database.store import Store


class CouchdbConfig(DatabaseConfig):
    """Where the server is, and who we are to it; the address has the password in it, so it is a secret."""

    dsn: Annotated[Secret, MULTILINE] = Field(
        default=Secret("http://localhost:5984"),
        title="Connection String",
        description="Address of the server with user and password, http://user:password@host:5984.",
    )
    options: dict[str, Any] | None = Field(
        default=None,
        title="Options",
        description="timeout, the seconds that a request may take on the server; other names are kept without effect.",
    )

    @field_validator("options", mode="before")
    @classmethod
    def _empty_when_blank(cls, value: Any) -> Any:
        """Take empty lists as nothing: forms send both."""
        return None if value in ([], "", {}) else value

    @field_validator("dsn")
    @classmethod
    def _is_an_address(cls, dsn: Secret) -> Secret:
        parts = urlsplit(dsn.get_secret_value().strip())
        try:
            fits = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:
            fits = False
        if not fits:
            raise ValueError("it must be http://user:password@host:port")
        return dsn

    @field_validator("options")
    @classmethod
    def _are_known(cls, options: dict[str, Any] | None) -> dict[str, Any] | None:
        given = (options or {}).get("timeout")
        try:
            if given is not None and not 0 < float(given) <= 3600:
                raise ValueError
        except (TypeError, ValueError):
            raise ValueError("timeout must be a number of seconds") from None
        return options

    @property
    def address(self) -> str:
        """The server's address, without credentials or a database."""
        parts = urlsplit(self.dsn.get_secret_value().strip())
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}:{parts.port or (443 if parts.scheme == 'https' else 5984)}"

    @property
    def login(self) -> tuple[str, str] | None:
        """User and password, where the address has them."""
        parts = urlsplit(self.dsn.get_secret_value().strip())
        return (unquote(parts.username), unquote(parts.password or "")) if parts.username else None

    @property
    def seconds(self) -> float:
        """How long a request may take."""
        return float((self.options or {}).get("timeout") or 30)


class Couchdb(DatabaseService):
    """The databases of one CouchDB server."""

    label = "CouchDB"
    description = "Serves the databases of a CouchDB server, each as a table of documents."
    lacks = {  # noqa: RUF012 - a class attribute of the kernel
        "procedures", "functions", "any_names", "columns_demanded", "db_functions", "foreign_keys", "key_order",
        "keyless_tables", "unique",
    }  # fmt: skip
    config: CouchdbConfig

    def open_store(self) -> Store:
        """Make the store; it connects when first used."""
        from trunkline_couchdb.connection import Connection
        from trunkline_couchdb.store import CouchStore

        return CouchStore(Connection(self.config))
