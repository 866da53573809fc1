"""The client of aiobotocore that the stores of a service share, and what its errors mean."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from trunkline.errors import BadGateway, BadRequest, Conflict, Forbidden, TrunklineError
from trunkline.threads import in_thread
from trunkline_files.errors import FileMissing, StorageFull, unavailable
from trunkline_files.object_store import ContainerMissing

# Seconds for a connection, and for the next byte of an answer; a server that is not there costs three times the first.
_CONNECT, _READ = 3.0, 20.0
_ATTEMPTS = 3
# A download keeps its connection as long as its client takes.
_CONNECTIONS = 100

_CREDENTIALS = frozenset({
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidClientTokenId",
    "TokenRefreshRequired", "RequestTimeTooSkewed", "AuthorizationHeaderMalformed", "InvalidSecurity", "NotSignedUp",
})  # fmt: skip
_FORBIDDEN = frozenset({"AccessDenied", "AllAccessDisabled", "AccountProblem", "MethodNotAllowed", "403"})
_MISSING = frozenset({"NoSuchKey", "NoSuchVersion", "404"})
_REFUSED = frozenset({"KeyTooLongError", "KeyTooLong", "InvalidURI", "InvalidObjectName"})
_FULL = frozenset({"QuotaExceeded", "EntityTooLarge", "XMinioStorageFull"})
_CHANGED = frozenset({
    "PreconditionFailed", "NoSuchUpload", "InvalidPart", "OperationAborted", "ConditionalRequestConflict",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client needs; the secret is not shown."""

    key: str | None
    secret: str | None = field(repr=False)
    region: str
    endpoint: str | None = None
    proxy: str | None = None
    path_style: bool = False


class Connection:
    """One client with its connections; made when first used."""

    def __init__(self, settings: Settings) -> None:
        """Remember the settings."""
        self.settings = settings
        self._open = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._client: Any = None

    async def client(self) -> Any:
        """Answer the client."""
        if self._client is None:
            async with self._lock:
                if self._client is None:
                    self._client = await self._made()
        return self._client

    async def _made(self) -> Any:
        (session, config), settings = await in_thread(self._prepared), self.settings
        with translated(""):
            return await self._open.enter_async_context(
                session.create_client(
                    "s3",
                    region_name=settings.region or None,
                    endpoint_url=settings.endpoint,
                    aws_access_key_id=settings.key,
                    aws_secret_access_key=settings.secret,
                    config=config,
                )
            )

    def _prepared(self) -> tuple[Any, Any]:
        """Import the library, which takes a second, and say how to use it."""
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session

        proxy = self.settings.proxy
        config = AioConfig(
            signature_version="s3v4",
            s3={"addressing_style": "path" if self.settings.path_style else "auto"},
            proxies={"http": proxy, "https": proxy} if proxy else None,
            connect_timeout=_CONNECT,
            read_timeout=_READ,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            max_pool_connections=_CONNECTIONS,
            # Other servers than Amazon's do not know the newer checksums; the signature has one as well.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            warm_up_loader_caches=True,
        )
        return get_session(), config

    async def close(self) -> None:
        """Close all connections."""
        await self._open.aclose()


def code_of(error: Any) -> str:
    """Answer the word, or for replies without body the status, by which the server says what is wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn the library's errors into typed ones, without its words, which name hosts and buckets (D10)."""
    import aiohttp
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        raise _of_server(error, path) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise BadGateway("The service has no credentials for the storage.") from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.CredentialRetrievalError) as error:
        raise unavailable() from error
    except (aiohttp.ClientError, exceptions.IncompleteReadError, OSError) as error:
        raise unavailable() from error
    except (exceptions.BotoCoreError, ValueError) as error:
        raise BadGateway("The storage cannot be used as it is configured.") from error


def _of_server(error: Any, path: str) -> TrunklineError:
    """Choose the typed error for what a server says."""
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code == "NoSuchBucket":
        return ContainerMissing(path)
    if code in _MISSING:
        return FileMissing(path)
    if code in _CREDENTIALS:
        return BadGateway("The storage refuses the credentials or the region of this service.")
    if code in _FORBIDDEN:
        return Forbidden("The storage does not permit this.")
    if code in _REFUSED:
        return BadRequest("The path has a name that the storage does not take.")
    if code in _FULL:
        return StorageFull("The storage is full.")
    if code in _CHANGED:
        return Conflict("The file was changed meanwhile.")
    if code == "InvalidObjectState":
        return Conflict("The file is archived and has to be restored first.")
    if status >= 500 or code in ("SlowDown", "RequestTimeout", "TooManyRequests") or status == 429:
        return unavailable()
    return BadGateway("The storage refused the request.")
