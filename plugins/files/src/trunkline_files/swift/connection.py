"""The HTTP client and the token that the stores of a service share, and what the storage's replies mean."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from trunkline.errors import BadGateway, BadRequest, Forbidden
from trunkline_files.errors import FileMissing, StorageFull, unavailable
from trunkline_files.object_store import ContainerMissing
from trunkline_files.swift.login import Access, Login

if TYPE_CHECKING:
    import httpx2

# Seconds for a connection, and for the next byte of an answer.
_CONNECT, _READ = 3.0, 20.0
_CONNECTIONS = 100
# Seconds before its end at which a token is not used any more.
_EARLY = 60.0


class Connection:
    """One client with its connections; it logs in when first used, and again when its token has ended."""

    def __init__(self, login: Login) -> None:
        """Remember how to log in."""
        self._login = login
        self._lock = asyncio.Lock()
        self._client: httpx2.AsyncClient | None = None
        self._access: Access | None = None

    def client(self) -> httpx2.AsyncClient:
        """Answer the client."""
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(
                trust_env=False,
                timeout=httpx2.Timeout(_READ, connect=_CONNECT),
                limits=httpx2.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=20),
            )
        return self._client

    async def _accessed(self, refused: Access | None = None) -> Access:
        """Answer a token that has not ended and is not the one that was just refused."""
        async with self._lock:
            access = self._access
            if access is None or access is refused or access.expires - _EARLY < time.time():
                with translated():
                    access = self._access = await self._login.access(self.client())
        return access

    @asynccontextmanager
    async def asked(
        self, method: str, container: str, key: str = "", *, again: bool = True, **more: Any
    ) -> AsyncIterator[httpx2.Response]:
        """Ask the storage and answer its reply, not yet read; raises typed errors for bad ones.

        ``again`` says whether the content, if there is any, can be sent once more under a new token.
        """
        headers = more.pop("headers", {})
        access = await self._accessed()
        for attempt in range(2):
            url = f"{access.url.rstrip('/')}/{quote(container, safe='')}" + (f"/{quote(key)}" if key else "")
            with translated():
                request = self.client().build_request(
                    method, url, headers={"X-Auth-Token": access.token, **headers}, **more
                )
                reply = await self.client().send(request, stream=True)
            try:
                if reply.status_code == 401 and not attempt and again:
                    access = await self._accessed(refused=access)
                    continue
                await _checked(reply, key)
                with translated():
                    yield reply
                return
            finally:
                with contextlib.suppress(Exception):
                    await reply.aclose()

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()


async def _checked(reply: httpx2.Response, key: str) -> None:
    """Raise the typed error that a bad reply stands for, without its words."""
    status = reply.status_code
    if status < 400:
        return
    if status == 404:
        raise FileMissing(key) if key and reply.request.method != "PUT" else ContainerMissing(key)
    if status == 401:
        raise BadGateway("The storage refuses the credentials of this service.")
    if status == 403:
        raise Forbidden("The storage does not permit this.")
    if status in (413, 507):
        raise StorageFull("The storage is full, or the file is larger than it takes.")
    if status in (400, 412, 414):
        raise BadRequest("The path has a name that the storage does not take.")
    if status >= 500 or status in (408, 429, 498):
        raise unavailable()
    raise BadGateway("The storage refused the request.")


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's errors into typed ones."""
    import httpx2

    try:
        yield
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise BadGateway("The storage cannot be used as it is configured.") from error
    except httpx2.HTTPError as error:
        raise unavailable() from error
