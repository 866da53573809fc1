"""The client of aiobotocore that a service keeps, and what errors mean."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from trunkline.errors import (
    BadGateway,
    BadRequest,
    Conflict,
    Forbidden,
    GatewayTimeout,
    NotFound,
    TooManyRequests,
    TrunklineError,
    Unavailable,
)  # fmt: skip
from trunkline.threads import in_thread
from trunkline_database.store import StaleSchema

log = logging.getLogger(__name__)
_CONNECT, _CONNECTIONS, _TRIES = 3.0, 50, 8
_AGAIN = {"Retry-After": "1"}
_CREDENTIALS = frozenset({
    "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId",
    "UnrecognizedClientException", "IncompleteSignature", "MissingAuthenticationToken", "InvalidSignatureException",
    "MissingAuthenticationTokenException", "IncompleteSignatureException",
})  # fmt: skip
_THROTTLED = frozenset({
    "ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "LimitExceededException",
    "TransactionInProgressException",
})  # fmt: skip


class ConditionFailed(Conflict):
    """A write whose condition did not hold."""


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
    """The client of a service, made when first used."""

    def __init__(self, settings: Settings) -> None:
        """Remember the settings."""
        self._settings = settings
        self._open = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._client: Any = None

    async def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call an operation; raises the typed errors."""
        if self._client is None:
            async with self._lock:
                if self._client is None:
                    self._client = await self._made()
        with translated():
            async with asyncio.timeout(self._settings.timeout):
                answer: dict[str, Any] = await getattr(self._client, operation)(**arguments)
        return answer

    async def pages(self, operation: str, **arguments: Any) -> AsyncGenerator[dict[str, Any], None]:
        """Call a read of items until there are no more, each time from where the last answer ended."""
        while True:
            answer = await self.call(operation, **arguments)
            yield answer
            if not answer.get("LastEvaluatedKey"):
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def until_done(
        self, operation: str, asked: dict[str, Any], left: str
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Call a batch until nothing of it is left over, with pauses that grow."""
        for attempt in range(_TRIES):
            answer = await self.call(operation, RequestItems=asked)
            yield answer
            asked = answer.get(left) or {}
            if not asked:
                return
            await asyncio.sleep(min(2.0, 0.05 * 2**attempt) * random.random())  # noqa: S311 - so that others get turns
        raise Unavailable("The database is busy. Try again.", headers=_AGAIN)

    async def _made(self) -> Any:
        session, config = await in_thread(self._prepared)
        settings = self._settings
        with translated():
            return await self._open.enter_async_context(
                session.create_client(
                    "dynamodb",
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
            # A write whose answer is lost may have happened.
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
    """Turn the library's errors into typed ones that tell nothing of expressions, values or addresses (D10)."""
    import aiohttp
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        raise _of_server(error) from error
    except exceptions.ParamValidationError as error:
        log.info("a request could not be sent", exc_info=error)
        raise BadRequest("A value has not the type of its field.", context={"sqlstate": "22000"}) from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        raise BadGateway("The service has no credentials.") from error
    except (exceptions.ReadTimeoutError, exceptions.ConnectTimeoutError, TimeoutError) as error:
        raise GatewayTimeout("The database took too long.", headers=_AGAIN) from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.CredentialRetrievalError) as error:
        raise _unavailable() from error
    except (aiohttp.ClientError, OSError) as error:
        raise _unavailable() from error
    except (exceptions.BotoCoreError, ValueError) as error:
        log.warning("the database cannot be used as it is configured", exc_info=error)
        raise BadGateway("The database cannot be used as it is configured.") from error


def _unavailable() -> Unavailable:
    return Unavailable("The database can not be reached.", headers=_AGAIN)


def _of_server(error: Any) -> TrunklineError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code == "ConditionalCheckFailedException":
        return ConditionFailed("The record is no longer as it was.")
    if code == "TransactionCanceledException":
        reasons = [str(one.get("Code")) for one in error.response.get("CancellationReasons", [])]
        if "ConditionalCheckFailed" in reasons:
            return ConditionFailed("The record is no longer as it was.")
        if reasons and all(one in ("None", "TransactionConflict", "ThrottlingError") for one in reasons):
            return Unavailable("The database is busy. Try again.", headers=_AGAIN)
    if code in ("ResourceNotFoundException", "TableNotFoundException"):
        return StaleSchema("The table is no longer as it was described. Try again.", headers=_AGAIN)
    if code == "ResourceInUseException":
        return Conflict("Something of this name exists already.")
    if code in _CREDENTIALS:
        log.warning("the database refuses the credentials: %s", error)
        return BadGateway("The database refuses the credentials or the region of this service.")
    if code == "AccessDeniedException":
        return Forbidden("The database does not permit this.")
    if code in _THROTTLED or status == 429:
        return TooManyRequests("The database asks to slow down.", retry_after=1)
    if status >= 500:
        return _unavailable()
    if status == 404:
        return NotFound("Not found.")
    log.info("the database refused a request", exc_info=error)
    return BadRequest("The database refuses this request.", context={"sqlstate": "22000"})
