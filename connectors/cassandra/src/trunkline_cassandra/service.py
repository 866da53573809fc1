"""The service type ``cassandra``: its settings, and how its store is made of them."""

from __future__ import annotations

import logging
import ssl
from typing import Any

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline.call import truth
from trunkline.errors import BadGateway
from trunkline_cassandra.connection import Connection, Settings
from trunkline_cassandra.store import CassandraStore
from trunkline_database.service import DatabaseConfig, DatabaseService

log = logging.getLogger(__name__)
# Seconds to wait for a node to take a connection, and for a statement; where reads and writes look, unless told.
CONNECT_SECONDS, SECONDS, CONSISTENCY = 5.0, 20.0, "LOCAL_QUORUM"
_LEVELS = frozenset({
    "ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "LOCAL_ONE",
})  # fmt: skip


class CassandraConfig(DatabaseConfig):
    """Where the cluster is, and how to talk to it."""

    hosts: str = Field(
        default="127.0.0.1",
        title="Host",
        min_length=1,
        description="Names or addresses of nodes to begin with, comma separated; they tell of the others.",
    )
    port: int = Field(default=9042, title="Port", description="Port of the nodes.")
    username: str | None = Field(default=None, title="Username", description="User to log in as.")
    password: Secret | None = Field(default=None, title="Password", description="The user's password.")
    keyspace: str = Field(title="Keyspace", min_length=1, description="The keyspace whose tables are served.")
    options: dict[str, Any] = Field(
        default_factory=dict,
        title="Options",
        description="TLS: ssl (or tls), server_cert_path, client_cert_path, private_key_path, key_pass_phrase. "
        "Besides: consistency, datacenter, connect_timeout, request_timeout.",
    )

    @field_validator("options", mode="before")
    @classmethod
    def _empty_when_blank(cls, value: Any) -> Any:
        """Take null and empty lists as nothing: forms send both."""
        return {} if value in (None, [], {}, "") else value


class Cassandra(DatabaseService):
    """A keyspace of an Apache Cassandra cluster."""

    label = "Cassandra"
    description = "Serves the tables of a keyspace of Apache Cassandra."
    lacks = {  # noqa: RUF012 - a class attribute of the kernel
        "alter_column", "any_names", "db_functions", "foreign_keys", "functions", "key_order", "keyless_tables",
        "procedures", "unique",
    }  # fmt: skip
    config: CassandraConfig

    def open_store(self) -> CassandraStore:
        """Make the store; it connects when first used."""
        config, options = self.config, self.config.options
        consistency = str(options.get("consistency", CONSISTENCY)).strip().upper()
        if consistency not in _LEVELS:
            log.warning("the option consistency must be one of %s", ", ".join(sorted(_LEVELS)))
            consistency = CONSISTENCY
        settings = Settings(
            hosts=tuple(one.strip() for one in config.hosts.split(",") if one.strip()),
            port=config.port,
            username=config.username or None,
            password=config.password.get_secret_value() if config.password else None,
            tls=tls_of(options),
            consistency=consistency,
            datacenter=str(options["datacenter"]) if options.get("datacenter") else None,
            connect_timeout=_seconds(options, "connect_timeout", CONNECT_SECONDS),
            timeout=_seconds(options, "request_timeout", SECONDS),
        )
        return CassandraStore(Connection(settings), config.keyspace)


def _seconds(options: dict[str, Any], name: str, default: float) -> float:
    try:
        seconds = float(options[name])
    except (KeyError, TypeError, ValueError):
        return default
    return seconds if seconds > 0 else default


def tls_of(options: dict[str, Any]) -> ssl.SSLContext | None:
    """Answer how connections are protected (14.5): with a certificate of the server's it is verified, else not."""
    authority = options.get("server_cert_path")
    certificate, key = options.get("client_cert_path"), options.get("private_key_path")
    if not (authority or certificate or truth(options.get("ssl")) or truth(options.get("tls"))):
        return None
    try:
        context = ssl.create_default_context(cafile=str(authority) if authority else None)
        context.check_hostname = False  # nodes tell of each other by addresses
        if not authority:
            context.verify_mode = ssl.CERT_NONE
        if certificate:
            # Without a phrase none is asked for on a terminal.
            phrase = str(options.get("key_pass_phrase") or "")
            context.load_cert_chain(str(certificate), str(key) if key else None, phrase)
    except OSError as error:
        log.warning("the files of the TLS options can not be used: %s", error)
        raise BadGateway("The TLS options of this service can not be used.") from error
    return context
