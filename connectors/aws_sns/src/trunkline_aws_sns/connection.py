"""The clients of aiobotocore that a service keeps, whose account it is, and what errors mean."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from trunkline.errors import (
    BadGateway,
    BadRequest,
    Forbidden,
    GatewayTimeout,
    NotFound,
    TooManyRequests,
    TrunklineError,
    Unavailable,
)  # fmt: skip
from trunkline.threads import in_thread

# A publish whose answer is lost may have happened, so only connecting is tried again by itself.
_CONNECT, _CONNECTIONS = 3.0, 50
_CREDENTIALS = frozenset({
    "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidAccessKeyId",
    "UnrecognizedClientException", "IncompleteSignature", "MissingAuthenticationToken", "InvalidSecurity",
    "OptInRequired",
})  # fmt: skip
_FORBIDDEN = frozenset({"AuthorizationError", "AccessDenied", "AccessDeniedException", "KMSAccessDenied"})
_MISSING = frozenset({"NotFound", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException"})
_THROTTLED = frozenset({"Throttled", "Throttling", "ThrottlingException"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client needs; the secret is not shown."""

    key: str | None
    secret: str | None = field(repr=False)
    region: str
    endpoint: str | None
    proxy: str | None
    timeout: int


class Connection:
    """The clients of a service, made when first used."""

    def __init__(self, settings: Settings) -> None:
        """Remember the settings."""
        self._settings = settings
        self._open = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._clients: dict[str, Any] = {}
        self._prefix = ""

    async def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call an operation of the notification service; raises the typed errors."""
        client = await self._client("sns")
        with translated():
            async with asyncio.timeout(self._settings.timeout):
                answer: dict[str, Any] = await getattr(client, operation)(**arguments)
        answer.pop("ResponseMetadata", None)
        return answer

    async def prefix(self) -> str:
        """Answer how every name of the account begins (ARN); asked once, as the account is nowhere configured."""
        if not self._prefix:
            client = await self._client("sts")
            with translated():
                async with asyncio.timeout(self._settings.timeout):
                    found = await client.get_caller_identity()
            partition = found["Arn"].split(":")[1]
            self._prefix = f"arn:{partition}:sns:{self._settings.region}:{found['Account']}:"
        return self._prefix

    async def _client(self, name: str) -> Any:
        if name not in self._clients:
            async with self._lock:
                if name not in self._clients:
                    self._clients[name] = await self._made(name)
        return self._clients[name]

    async def _made(self, name: str) -> Any:
        (session, config), settings = await in_thread(self._prepared), self._settings
        with translated():
            return await self._open.enter_async_context(
                session.create_client(
                    name,
                    region_name=settings.region,
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

        settings = self._settings
        config = AioConfig(
            proxies={"http": settings.proxy, "https": settings.proxy} if settings.proxy else None,
            connect_timeout=min(_CONNECT, settings.timeout),
            read_timeout=settings.timeout,
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=_CONNECTIONS,
            warm_up_loader_caches=True,
        )
        return get_session(), config

    async def close(self) -> None:
        """Close all connections."""
        await self._open.aclose()


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's errors into typed ones; of its words only those about parameters go on (D10)."""
    import aiohttp
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        raise _of_server(error) from error
    except exceptions.ParamValidationError as error:
        raise BadRequest(f"Invalid parameters. {error.kwargs.get('report', '')}".strip()) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise BadGateway("The service has no credentials.") from error
    except (exceptions.ReadTimeoutError, TimeoutError) as error:
        raise GatewayTimeout("The notification service did not answer in time.") from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.CredentialRetrievalError) as error:
        raise _unavailable() from error
    except (aiohttp.ClientError, OSError) as error:
        raise _unavailable() from error
    except (exceptions.BotoCoreError, ValueError) as error:
        raise BadGateway("The notification service cannot be used as it is configured.") from error


def _unavailable() -> Unavailable:
    return Unavailable("The notification service is not available.", headers={"Retry-After": "30"})


def _of_server(error: Any) -> TrunklineError:
    """Choose the typed error for what the server says (connectors 8.1)."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    words = str(error.response.get("Error", {}).get("Message", ""))
    if code in _MISSING:
        return NotFound(words or "Not found.")
    if code in _CREDENTIALS:
        return BadGateway("The notification service refuses the credentials or the region of this service.")
    if code in _FORBIDDEN:
        return Forbidden("The notification service does not permit this.")
    if code in _THROTTLED or status == 429:
        return TooManyRequests("The notification service asks to slow down.", retry_after=1)
    if status >= 500:
        return _unavailable()
    if status == 404:
        return NotFound(words or "Not found.")
    return BadRequest(words or "The notification service refused the request.")
