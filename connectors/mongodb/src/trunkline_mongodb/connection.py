"""The client of one server: how it is reached, how long it may take, and what it can do."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from trunkline.errors import BadRequest

if TYPE_CHECKING:
    from trunkline_mongodb.service import MongodbConfig

log = logging.getLogger(__name__)
DEFAULT_PORT = 27017
# Seconds: for one request in the database, for finding a server, for a new connection.
READ_SECONDS, SELECT_SECONDS, CONNECT_SECONDS = 60.0, 10.0, 10.0
Document = dict[str, Any]
# So many of the driver's objects are kept.
_MOST_COLLECTIONS = 1000
CODEC: CodecOptions[Document] = CodecOptions(
    uuid_representation=UuidRepresentation.UNSPECIFIED, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)
# What may be said of the connection; each by MongoDB's own name, in any case.
_OPTIONS = {
    one.lower(): one
    for one in (
        "appName", "authMechanism", "authMechanismProperties", "authSource", "compressors", "connectTimeoutMS",
        "directConnection", "heartbeatFrequencyMS", "journal", "localThresholdMS", "maxIdleTimeMS", "maxPoolSize",
        "minPoolSize", "readConcernLevel", "readPreference", "readPreferenceTags", "replicaSet", "retryReads",
        "retryWrites", "serverSelectionTimeoutMS", "socketTimeoutMS", "ssl", "tls", "tlsAllowInvalidCertificates",
        "tlsAllowInvalidHostnames", "tlsCAFile", "tlsCertificateKeyFile", "tlsCertificateKeyFilePassword",
        "tlsInsecure", "w", "waitQueueTimeoutMS", "wTimeoutMS", "zlibCompressionLevel",
    )
}  # fmt: skip
_OF_THE_SERVICE = {"database", "db", "statement_timeout"}
# PHP's names for TLS → MongoDB's.
_TLS = {"cafile": "tlsCAFile", "local_cert": "tlsCertificateKeyFile", "passphrase": "tlsCertificateKeyFilePassword"}


class Connection:
    """Connects when first used."""

    def __init__(self, config: MongodbConfig) -> None:
        """Note how to connect."""
        self._config = config
        self._client: AsyncMongoClient[Document] | None = None
        self._transacts: bool | None = None
        self._decimals: bool | None = None
        self._database: AsyncDatabase[Document] | None = None
        self._collections: dict[str, AsyncCollection[Document]] = {}
        self.seconds = _seconds({**config.options, **config.driver_options})

    @property
    def client(self) -> AsyncMongoClient[Document]:
        """The client; raises BadRequest when the configuration makes none."""
        if self._client is None:
            options: Document = {
                "serverSelectionTimeoutMS": int(SELECT_SECONDS * 1000),
                "connectTimeoutMS": int(CONNECT_SECONDS * 1000),
                "socketTimeoutMS": self.milliseconds + 1000,
                "appName": "trunkline",
            }
            address = self._config.address()
            named = _in_address(address)
            options = {name: one for name, one in options.items() if name.lower() not in named}
            options |= {**self._place(address), **self._more()}
            try:
                self._client = AsyncMongoClient(address or self._config.host or "localhost", **options)
            except (PyMongoError, ValueError, TypeError, OSError) as error:
                log.warning("the configuration makes no MongoDB client: %s", error)
                raise BadRequest("The configuration of this service does not lead to a MongoDB server.") from error
        return self._client

    @property
    def database(self) -> AsyncDatabase[Document]:
        """The database."""
        client = self.client
        if self._database is None or self._database.client is not client:
            self._database = client.get_database(self._config.database_name(), codec_options=CODEC)
            self._collections = {}
        return self._database

    def collection(self, name: str) -> AsyncCollection[Document]:
        """A collection; the driver's object for it is made once."""
        database = self.database
        found = self._collections.get(name)
        if found is None:
            if len(self._collections) >= _MOST_COLLECTIONS:
                self._collections.clear()
            found = self._collections[name] = database[name]
        return found

    async def decimals(self) -> bool:
        """Say whether the server has decimals: FerretDB has not."""
        if self._decimals is None:
            told = await self.database.command("buildInfo")
            self._decimals = "ferretdbVersion" not in told
        return self._decimals

    async def transacts(self) -> bool:
        """Say whether the server has transactions: as a member of a replica set or as the router of a cluster."""
        if self._transacts is None:
            hello = await self.database.command("hello")
            self._transacts = bool(hello.get("setName")) or hello.get("msg") == "isdbgrid"
        return self._transacts

    @property
    def milliseconds(self) -> int:
        """What the server may spend on one read."""
        return max(1, int(self.seconds * 1000))

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await asyncio.shield(client.close())

    def _place(self, address: str) -> Document:
        config = self._config
        place: Document = {} if address else {"port": config.port or DEFAULT_PORT}
        if config.username and "@" not in address:
            place |= {
                "username": config.username,
                "password": config.password.get_secret_value() if config.password else "",
            }
        return place

    def _more(self) -> Document:
        found: Document = {}
        for name, value in self._config.options.items():
            known = _OPTIONS.get(str(name).lower())
            if known is not None:
                found[known] = _plain(value)
            elif str(name).lower() not in _OF_THE_SERVICE:
                log.info("the option %r of a MongoDB service is not known and has no effect", name)
        driver = self._config.driver_options
        driver = driver.get("context", driver) if isinstance(driver.get("context", driver), dict) else driver
        driver = driver.get("ssl", driver) if isinstance(driver.get("ssl"), dict) else driver
        found |= {known: driver[name] for name, known in _TLS.items() if driver.get(name)}
        if _plain(driver.get("verify_peer")) is False or _plain(driver.get("allow_self_signed")) is True:
            found["tlsAllowInvalidCertificates"] = True
        if _plain(driver.get("verify_peer_name")) is False:
            found["tlsAllowInvalidHostnames"] = True
        return found


def _seconds(options: Document) -> float:
    try:
        seconds = float(options["statement_timeout"])
    except (KeyError, TypeError, ValueError):
        return READ_SECONDS
    return seconds if 0 < seconds < 86_400 else READ_SECONDS


def _plain(value: Any) -> Any:
    """Read what forms send as text."""
    if isinstance(value, str):
        lowered = value.strip().lower()
        if lowered in ("true", "false"):
            return lowered == "true"
        if lowered.isascii() and lowered.isdigit():
            return int(lowered)
    return value


def _in_address(address: str) -> set[str]:
    return {one.partition("=")[0].lower() for one in address.partition("?")[2].split("&")}
