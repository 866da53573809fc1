"""The client of azure-storage-blob that the stores of a service share, and what its errors mean."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trunkline.errors import BadGateway, BadRequest, Conflict, Forbidden, TrunklineError
from trunkline.threads import in_thread
from trunkline_files.errors import FileMissing, StorageFull, unavailable
from trunkline_files.object_store import ContainerMissing
from trunkline_files.store import CHUNK

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob.aio import BlobServiceClient

# Seconds for a connection, and for the next byte of an answer.
_CONNECT, _READ = 3.0, 20.0
# Each piece of a download is a request, and is held in memory.
_PIECE = 4 * CHUNK

_CREDENTIALS = frozenset({
    "AuthenticationFailed", "AuthorizationFailure", "InvalidAuthenticationInfo", "NoAuthenticationInformation",
    "AccountIsDisabled", "KeyBasedAuthenticationNotPermitted",
})  # fmt: skip
_REFUSED = frozenset({
    "InvalidUri", "OutOfRangeInput", "InvalidInput", "InvalidMetadata", "EmptyMetadataKey", "MetadataTooLarge",
})  # fmt: skip
_CHANGED = frozenset({
    "ConditionNotMet", "InvalidBlockList", "InvalidBlobOrBlock", "InvalidBlockId", "InvalidBlobType", "LeaseIdMissing",
    "BlobImmutableDueToPolicy", "PendingCopyOperation", "BlobArchived", "BlobBeingRehydrated",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client needs; the key is not shown."""

    url: str
    account: str
    key: str = field(repr=False)


class Connection:
    """One client with its connections; made when first used."""

    def __init__(self, settings: Settings) -> None:
        """Remember the settings."""
        self._settings = settings
        self._lock = asyncio.Lock()
        self._client: BlobServiceClient | None = None

    async def client(self) -> BlobServiceClient:
        """Answer the client."""
        if self._client is None:
            async with self._lock:
                if self._client is None:
                    await in_thread(_imported)
                    self._client = self._made()
        return self._client

    def _made(self) -> BlobServiceClient:
        from azure.core.credentials import AzureNamedKeyCredential
        from azure.storage.blob.aio import BlobServiceClient, LinearRetry

        with translated(""):
            return BlobServiceClient(
                self._settings.url,
                credential=AzureNamedKeyCredential(self._settings.account, self._settings.key),
                retry_policy=LinearRetry(backoff=1, retry_total=2, random_jitter_range=1),
                connection_timeout=_CONNECT,
                read_timeout=_READ,
                max_single_get_size=_PIECE,
                max_chunk_get_size=_PIECE,
            )

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()


def _imported() -> None:
    """Import the library, which takes a second; it would write a line for each request."""
    import azure.storage.blob.aio  # noqa: F401

    logging.getLogger("azure").setLevel(logging.WARNING)


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn the library's errors into typed ones, without its words, which name accounts and containers (D10)."""
    import aiohttp
    from azure.core import exceptions

    try:
        yield
    except exceptions.HttpResponseError as error:
        raise _of_server(error, path) from error
    except (exceptions.ServiceRequestError, exceptions.ServiceResponseError) as error:
        raise unavailable() from error
    except (aiohttp.ClientError, OSError) as error:
        raise unavailable() from error
    except (exceptions.AzureError, ValueError) as error:
        raise BadGateway("The storage cannot be used as it is configured.") from error


def _of_server(error: HttpResponseError, path: str) -> TrunklineError:
    """Choose the typed error for what a server says."""
    # A word, or a member of an enumeration that is equal to it.
    code, status = getattr(error, "error_code", None) or "", error.status_code or 0
    if code in _CREDENTIALS or status == 401:
        return BadGateway("The storage refuses the credentials of this service.")
    if code == "ContainerNotFound":
        return ContainerMissing(path)
    if code in _CHANGED:
        return Conflict("The file was changed meanwhile, or is of a kind that can not be changed.")
    if code in _REFUSED:
        return BadRequest("The storage does not take a name or a property of this.")
    if code == "RequestBodyTooLarge":
        return StorageFull("The storage does not take a file of this size.")
    if status == 404:
        return FileMissing(path)
    if status == 403:
        return Forbidden("The storage does not permit this.")
    # Without a status nothing was answered; a container that is being deleted may be made again later.
    if not status or status >= 500 or status == 429 or code == "ContainerBeingDeleted":
        return unavailable()
    return BadGateway("The storage refused the request.")
